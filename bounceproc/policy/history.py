"""What policy needs to remember of one address or domain, capped so that a store reads and writes it as one small value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from bounceproc.event import BounceClass, Event, EventType, Trust

KEPT_PER_GROUP: Final = 32
"""Pieces of evidence kept for each (event type, category): above the largest default threshold (6) with room for stricter ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
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
        return cls(
            id=id_,
            type=event.type,
            category=event.category,
            class_=event.class_,
            trust=event.trust,
            occurred_at=event.occurred_at,
            received_at=received_at,
            original=original,
            subject=event.status.subject if event.status and event.status.is_permanent else 0,
            address=address,
            stream=event.stream,
        )


@dataclass(frozen=True, slots=True)
class History:
    """The evidence about one address (or one domain, when `is_domain`), in no particular order of arrival."""

    key: bytes
    evidence: tuple[Evidence, ...] = ()
    is_domain: bool = False
    lifted_at: datetime | None = None
    """When a person last lifted a suppression by hand: what was received until then counts no more."""

    def with_evidence(self, new: Iterable[Evidence]) -> History:
        """Add new evidence, capped again. What is kept depends on the set alone, never on the order of arrival."""
        merged = {piece.id: piece for piece in (*self.evidence, *new)}
        ordered = sorted(merged.values(), key=lambda e: (e.type, e.category or "", e.occurred_at, e.id))
        kept: list[Evidence] = []
        for _, group in groupby(ordered, key=lambda e: (e.type, e.category)):
            kept += list(group)[-KEPT_PER_GROUP:]
        return replace(self, evidence=tuple(kept))

    def without(self, ids: Collection[bytes]) -> History:
        """The same history as if these events had never been."""
        if not any(piece.id in ids for piece in self.evidence):
            return self
        return replace(self, evidence=tuple(piece for piece in self.evidence if piece.id not in ids))
