"""What a client is told of an address, and what it makes of no answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias

from bounceproc.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

OnError: TypeAlias = Literal["open", "closed", "raise"]
"""What holds when nobody answers: send, do not send, or an error."""


class NoAnswerError(UnavailableError):
    """Neither the server nor a snapshot could say whether an address is suppressed."""

    exit_code: ClassVar[int] = 69


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether one address may be mailed."""

    address: str
    """As it was asked."""
    suppressed: bool
    scope: str | None = None
    reason: str | None = None
    category: str | None = None
    since: str | None = None
    until: str | None = None
    ref: str | None = None
    known: bool = True
    """False where nobody answered, and `suppressed` is what was declared for that case."""

    @classmethod
    def read(cls, asked: str, told: object) -> Answer | None:
        """Read one object of the server's; None where it does not say whether the address is suppressed: it may be no address."""
        if not isinstance(told, Mapping) or not isinstance(told.get("suppressed"), bool):
            return None
        texts = {name: told[name] for name in TEXTS if isinstance(told.get(name), str)}
        return cls(asked, told["suppressed"], **texts)


TEXTS: Final = ("scope", "reason", "category", "since", "until", "ref")


def settled(asked: Sequence[str], found: Sequence[Answer | None], on_error: OnError) -> list[Answer]:
    """The answers, with what was declared in place of those that are missing.

    Raises:
        NoAnswerError: one is missing, and that was asked for.

    """
    if on_error == "raise" and None in found:
        raise NoAnswerError(f"there is no answer for {asked[found.index(None)]!r}", "Is it an e-mail address?")
    return [
        answer or Answer(address, on_error == "closed", known=False)
        for address, answer in zip(asked, found, strict=True)
    ]


def unanswered(asked: Sequence[str], on_error: OnError, error: NoAnswerError) -> list[Answer]:
    """What holds for addresses that nobody could say anything of.

    Raises:
        NoAnswerError: that was asked for.

    """
    if on_error == "raise":
        raise error
    return settled(asked, [None] * len(asked), on_error)
