"""Operators of feedback loops: who may say that a reader complained, and whose signature proves that it was him."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bounceproc.address import Address

DATA: Final = Path(__file__).parent / "data" / "operators.toml"


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator. All domains are in normal form."""

    name: str
    senders: tuple[str, ...] = ()
    """From of the reports: `local@domain`, `domain`, or `.domain` for it and all below."""
    signed_by: tuple[str, ...] = ()
    """Signing domains beside that of From."""
    note: str = ""

    def sends_as(self, sender: Address) -> bool:
        """Whether From is this operator's."""
        domain = sender.domain
        return any(
            each in (sender.normal, domain) or (each[:1] == "." and (domain == each[1:] or domain.endswith(each)))
            for each in self.senders
        )

    def aligns(self, sender: Address, signing_domain: str) -> bool:
        """Whether a signature of that domain proves that a report with this From is his.

        Strictly (RFC 7489 3.1.1): at `example.com` people have mailboxes who could write a From of `fbl.example.com`.
        """
        return self.sends_as(sender) and (signing_domain == sender.domain or signing_domain in self.signed_by)


@dataclass(frozen=True, slots=True)
class Operators:
    """All that are known."""

    known: tuple[Operator, ...]

    def named(self, sender: Address) -> tuple[Operator, ...]:
        """Those whose From this is."""
        return tuple(operator for operator in self.known if operator.sends_as(sender))

    def joined(self, others: Iterable[Operator]) -> Operators:
        """These, and others."""
        return Operators((*self.known, *others))


@lru_cache(maxsize=1)
def built_in() -> Operators:
    """The operators that come with the program."""
    rows = tomllib.loads(DATA.read_text(encoding="utf-8"))["operator"]
    return Operators(
        tuple(
            Operator(
                row["name"],
                tuple(row.get("senders", ())),
                tuple(row.get("signed_by", ())),
                " ".join(row.get("note", "").split()),
            )
            for row in rows
        )
    )
