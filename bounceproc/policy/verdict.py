"""What policy decided about one address or domain."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class Decision(NamedTuple):
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
    second_look: bool = False
    """It becomes permanent at `until`, unless a sign of delivery comes before."""

    @property
    def is_lasting(self) -> bool:
        """Whether no mere passing of time ends it."""
        return self.until is None or self.second_look


class Review(NamedTuple):
    """Something that a person should look at: it would suppress, if it were to be believed or nobody had said otherwise."""

    scope: str
    reason: str
    category: str | None
    event: bytes
    """A sample: the newest event."""
    why: str
    """One sentence: what was counted."""
    cause: str
    """`trust`: the reports are not trusted to act; `kept`: a person decided to go on sending."""
    received: tuple[datetime, ...]
    """When each piece of evidence was received, oldest first."""


class Verdict(NamedTuple):
    """All suppressions that policy wants for one key: the ledger makes its own entries equal to these.

    An entry that policy made earlier and that is not among `decisions` stays when `lift_reasons` does not name its reason:
    evidence is capped and purged, and its absence lifts nothing.
    """

    key: bytes
    is_domain: bool
    decisions: tuple[Decision, ...]
    lift_reasons: frozenset[str] = frozenset()
    """Reasons that a later sign of delivery took away."""
    anew: frozenset[str] = frozenset()
    """Reasons of which it took a part away: their entries are what `decisions` says, even where that is less than before."""
    cleared: frozenset[bytes] = frozenset()
    """The ids of hard bounces that it took away: an entry that came of one of them goes with it."""
    reviews: tuple[Review, ...] = ()
    delivered_at: datetime | None = None
    """The newest sign of delivery that is trusted."""

    @property
    def takes(self) -> bool:
        """Whether a sign of delivery took something away."""
        return bool(self.lift_reasons or self.anew)

    @property
    def speaks(self) -> bool:
        """Whether it may change the list."""
        return bool(self.decisions or self.lift_reasons or self.anew)
