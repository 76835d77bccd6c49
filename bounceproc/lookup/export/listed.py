"""What files say of an entry, and which entries they can say nothing of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

import idna

from bounceproc.event import iso
from bounceproc.lookup.action import text_of

if TYPE_CHECKING:
    from bounceproc.ports import Suppression

LINE_ENDS: Final = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029\0")
"""What ends a line for one reader or another."""


COLUMNS: Final = ("address", "scope", "reason", "category", "class", "since", "until", "origin", "ref")
"""The names that others know."""


class Listed(NamedTuple):
    """One entry; a person's note stays in the house: lists travel. The order is that of the columns."""

    address: str
    scope: str
    reason: str
    category: str | None
    class_: str | None
    since: str
    until: str | None
    origin: str
    ref: str | None

    @classmethod
    def of(cls, entry: Suppression) -> Listed:
        """What may be said of an entry that has a plaintext."""
        assert entry.address is not None, "it was counted and left out"
        since = iso(entry.since)
        assert since is not None, "every entry has begun"
        return cls(
            entry.address,
            entry.scope,
            entry.reason,
            entry.category,
            entry.class_,
            since,
            iso(entry.until),
            entry.origin,
            entry.ref,
        )

    @property
    def is_domain(self) -> bool:
        """Whether it is for a whole domain."""
        return self.address.startswith("@")

    @property
    def action(self) -> str:
        """What an MTA answers: status, words, date, reference."""
        return text_of(reason=self.reason, class_=self.class_, since=self.since, ref=self.ref)

    def row(self) -> dict[str, str | None]:
        """The columns by name."""
        return dict(zip(COLUMNS, self, strict=True))

    def dump(self) -> str:
        """One line that `load` reads."""
        return json.dumps(self)

    @classmethod
    def load(cls, line: str) -> Listed:
        """Read what `dump` wrote."""
        return cls(*json.loads(line))


def spellings(address: str) -> tuple[str, ...]:
    """The forms in which an MTA may ask: SMTPUTF8 gives a domain in A-labels or in Unicode, as the client wrote it."""
    local, _, domain = address.rpartition("@")
    if "xn--" not in domain:
        return (address,)
    try:
        return (address, f"{local}@{idna.decode(domain)}")
    except (idna.IDNAError, UnicodeError):
        return (address,)  # an A-label that nobody could have made
