"""The second look: the first hard bounce suppresses for the time being, and what comes next makes it permanent or lifts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bounceproc.event import EventType
from bounceproc.policy.counting import Tipped, counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from bounceproc.policy.history import Evidence
    from bounceproc.policy.settings import Policy, Threshold


def look(
    evidence: Sequence[Evidence],
    deliveries: Sequence[Evidence],
    threshold: Threshold,
    policy: Policy,
    now: datetime,
) -> tuple[list[Tipped], frozenset[bytes]]:
    """What the evidence comes to at `now`, and the ids of what a sign of delivery took away.

    Time runs through the evidence as it happened. The first message suppresses from its receipt on for `second_look`. A second,
    different message makes it permanent, whenever it comes. A delivery that happened within the time takes the first message
    away, and the next one is a first one again. When the time is over, it is permanent.
    """
    assert threshold.second_look is not None, "there is a second look"
    run = _Run(threshold.second_look)
    acting = [piece for piece in evidence if piece.trust in policy.acts]
    for piece in sorted((*acting, *deliveries), key=_order):
        run.meet(piece)
    found = run.tipped(now)
    if len(acting) < len(evidence):
        found += counted([piece for piece in evidence if piece.id not in run.cleared], threshold, policy)
    return found, frozenset(run.cleared)


def _order(piece: Evidence) -> tuple[datetime, bool, bytes]:
    """As it happened; a delivery after the bounces of the same second."""
    return (piece.occurred_at, piece.type is EventType.DELIVERY, piece.id)


class _Run:
    """How far it is."""

    def __init__(self, time: timedelta) -> None:
        self._time = time
        self._pending: list[Evidence] = []
        """Reports about the first message."""
        self._second: Evidence | None = None
        self.cleared: set[bytes] = set()

    def meet(self, piece: Evidence) -> None:
        if self._second is not None:
            return
        if piece.type is EventType.DELIVERY:
            if self._pending and piece.occurred_at <= self._due:
                self.cleared |= {one.id for one in self._pending}
                self._pending = []
        elif self._pending and _message(piece) != _message(self._pending[0]):
            self._second = piece
        else:
            self._pending.append(piece)

    @property
    def _due(self) -> datetime:
        return min(one.received_at for one in self._pending) + self._time

    def tipped(self, now: datetime) -> list[Tipped]:
        if not self._pending:
            return []
        first = min(self._pending, key=_receipt)
        if self._second is not None:
            both = (first, self._second)
            days = len({piece.occurred_at.date() for piece in both})
            return [Tipped(min(piece.received_at for piece in both), None, first, 2, days)]
        if now >= self._due:
            return [Tipped(first.received_at, None, first, 1, 1)]
        return [Tipped(first.received_at, self._due, first, 1, 1, second_look=True)]


def _message(piece: Evidence) -> bytes:
    return piece.original or piece.id


def _receipt(piece: Evidence) -> tuple[datetime, bytes]:
    return (piece.received_at, piece.id)
