"""What policy decided about one address or domain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """One suppression that the evidence asks for."""

    scope: str
    reason: str
    """`bounce`, `complaint`, `unsubscribe`."""
    since: datetime
    until: datetime | None
    category: str | None
    class_: str | None
    event: bytes
    """The id of the event that tipped the balance."""
    why: str
    """One sentence: what was counted."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """All suppressions that policy wants for one key: the ledger makes its own entries equal to these.

    An entry that policy made earlier and that is not among `decisions` stays when `lift_reasons` does not name its reason:
    evidence is capped and purged, and its absence lifts nothing.
    """

    key: bytes
    is_domain: bool
    decisions: tuple[Decision, ...]
    lift_reasons: frozenset[str] = frozenset()
    """Reasons that a later sign of delivery took away."""
