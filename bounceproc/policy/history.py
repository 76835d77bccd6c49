"""What policy needs to remember of one address or domain, capped so that a store reads and writes it as one small value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from bounceproc.event import BounceClass, Event, EventType, Trust

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


KEPT_PER_GROUP: Final = 32
"""Newest pieces of evidence kept of each group: above the largest default threshold (6) with room for stricter ones."""
KEPT_DAYS: Final = 32
"""Newest days of which the last piece is kept beside these: a flood of one day hides none of the days before."""
AUTOMATIC: Final = frozenset({"policy", "import"})
"""Origins of entries that no person decided on one by one."""
KEPT_ADDRESSES: Final = 16
"""Addresses of a domain of which the newest piece is kept, likewise."""


class Evidence(NamedTuple):
    """One event, reduced to what counts."""

    id: bytes
    """The event id: the same event never counts twice."""
    type: EventType
    category: str | None
    class_: BounceClass | None
    trust: Trust
    occurred_at: datetime
    received_at: datetime
    original: bytes
    """Tells different original messages apart: equal for two reports about the same mail. Empty where unknown."""
    subject: int = 0
    """Second number of a permanent status (the 1 of 5.1.X); 0 for any other status and for none."""
    address: bytes = b""
    """In a domain's history: the key of the address it was about."""
    stream: str | None = None

    @classmethod
    def of(cls, event: Event, *, id_: bytes, received_at: datetime, original: bytes, address: bytes = b"") -> Evidence:
        """Reduce a classified, dated event."""
        assert event.occurred_at is not None, "events are dated before they become evidence"
        subject = event.status.subject if event.status and event.status.is_permanent else 0
        return cls(
            id_,
            event.type,
            event.category,
            event.class_,
            event.trust,
            event.occurred_at,
            received_at,
            original,
            subject,
            address,
            event.stream,
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """A person's decision to go on sending, whatever is reported."""

    scope: str
    since: datetime
    until: datetime | None
    consent: bool = False
    """Whether the recipient's consent was stated: without it complaints and unsubscribes act all the same."""

    def holds(self, now: datetime) -> bool:
        """Whether it is in force."""
        return self.until is None or self.until > now

    def covers(self, scope: str, reason: str) -> bool:
        """Whether it speaks of such a suppression."""
        return self.scope in {"*", scope} and (reason in {"bounce", "import"} or self.consent)

    def beats(self, scope: str, reason: str, origin: str) -> bool:
        """Whether, while it holds, an entry about something wider (the domain, the address without its extension) says nothing against it.

        What a person decided about the wider thing stands: nobody said which of two decisions is meant.
        """
        return origin in AUTOMATIC and self.covers(scope, reason)


class History(NamedTuple):
    """The evidence about one address (or one domain, when `is_domain`), in no particular order of arrival."""

    key: bytes
    evidence: tuple[Evidence, ...] = ()
    is_domain: bool = False
    lifted_at: datetime | None = None
    """When a person last lifted a suppression by hand: what was received until then counts no more."""
    kept: tuple[Kept, ...] = ()
    """Decisions by hand to go on sending."""

    def with_evidence(self, new: Iterable[Evidence]) -> History:
        """Add new evidence, capped again. What is kept depends on the set alone, never on the order of arrival."""
        added = tuple(new)
        if len(added) == 1 and not self.evidence:
            return tuple.__new__(History, (self.key, added, *self[2:]))  # as nearly all of them begin
        merged = {piece.id: piece for piece in (*self.evidence, *added)}
        ordered = sorted(merged.values(), key=_order)
        if len(ordered) <= KEPT_PER_GROUP:
            return self._replace(evidence=tuple(ordered))
        kept: list[Evidence] = []
        for _, group in groupby(ordered, key=_group):
            kept += _capped(list(group))
        return self._replace(evidence=tuple(kept))

    def without(self, ids: Collection[bytes]) -> History:
        """The same history as if these events had never been."""
        if not any(piece.id in ids for piece in self.evidence):
            return self
        return self._replace(evidence=tuple(piece for piece in self.evidence if piece.id not in ids))


def _group(piece: Evidence) -> tuple[str, str, str, str]:
    """What has room of its own: a flood of one kind, or of what is not trusted, pushes out nothing of another."""
    return (piece.type, piece.category or "", piece.trust, piece.stream or "")


def _order(piece: Evidence) -> tuple[tuple[str, str, str, str], datetime, bytes]:
    return (_group(piece), piece.occurred_at, piece.id)


def _capped(group: list[Evidence]) -> list[Evidence]:
    """Of a group in the order of its events, what is kept: each choice is of the newest of the whole set, so that it can be made in parts."""
    if len(group) <= KEPT_PER_GROUP:
        return group
    days = {piece.occurred_at.date(): piece for piece in group}  # the last of each day, the days in order
    addresses: dict[bytes, Evidence] = {}
    for piece in reversed(group):
        if piece.address and len(addresses) < KEPT_ADDRESSES:
            addresses.setdefault(piece.address, piece)
    kept = {piece.id for piece in (*group[-KEPT_PER_GROUP:], *addresses.values())}
    kept |= {piece.id for piece in list(days.values())[-KEPT_DAYS:]}
    return [piece for piece in group if piece.id in kept]
