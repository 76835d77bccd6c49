"""How much evidence there is: different messages, on different days, over a span, within a window."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from bounceproc.policy.history import Evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bounceproc.policy.settings import Policy, Threshold

    Dated: TypeAlias = tuple[datetime, Evidence]


class Tipped(NamedTuple):
    """The evidence was enough: since when, until when, by which event, counted how."""

    since: datetime
    until: datetime | None
    event: Evidence
    messages: int
    days: int
    second_look: bool = False
    """Only for the time being: see `secondlook`."""

    @property
    def why(self) -> str:
        """One sentence: what was counted."""
        what = self.event.category or self.event.type.value
        plural = "s" if self.messages > 1 else ""
        return f"{what}: {self.messages} message{plural} on {self.days} day{'s' if self.days > 1 else ''}"


def acting(evidence: Sequence[Evidence], policy: Policy) -> list[Dated]:
    """What acts by itself, dated as it happened."""
    return [(e.occurred_at, e) for e in evidence if e.trust in policy.acts]


def counting(evidence: Sequence[Evidence], policy: Policy, *, reviews: bool = False) -> list[Dated]:
    """What acts and what only counts; with `reviews`, also what only a person may believe.

    The days of what does not act are days of receipt: a stranger can invent the dates inside a message.
    """
    known = policy.acts | policy.counts | (policy.reviews if reviews else frozenset())
    return [(e.occurred_at if e.trust in policy.acts else e.received_at, e) for e in evidence if e.trust in known]


def stricter(threshold: Threshold, policy: Policy) -> Threshold:
    """The threshold for evidence of which a part only counts."""
    return replace(
        threshold,
        messages=max(threshold.messages, policy.counted_messages),
        days=max(threshold.days, policy.counted_days),
    )


def tippings(evidence: Sequence[Evidence], threshold: Threshold, policy: Policy) -> list[Tipped]:
    """Where the evidence meets the threshold: what acts by itself, and all of it under the stricter rule for what only counts."""
    mine = acting(evidence, policy)
    found = windows(mine, threshold)
    if len(mine) < len(evidence):
        found += counted(evidence, threshold, policy)
    return found


def counted(evidence: Sequence[Evidence], threshold: Threshold, policy: Policy) -> list[Tipped]:
    """The second half of it."""
    both = counting(evidence, policy)
    return windows(both, stricter(threshold, policy)) if any(e.trust in policy.counts for _, e in both) else []


def windows(dated: list[Dated], threshold: Threshold) -> list[Tipped]:
    """Look back from each event in turn: each that ends a window which holds enough counts, so that later evidence takes none away.

    Those that follow before the end of the one before are one.
    """
    if len(dated) < threshold.messages:
        return []
    if len(dated) > 1:
        dated = sorted(dated, key=_moment)
    window = Window()
    hits: list[Tipped] = []
    start = 0
    for when, event in dated:
        window.add(when, event)
        while threshold.within is not None and dated[start][0] < when - threshold.within:
            window.drop(*dated[start])
            start += 1
        if window.holds(threshold, when - dated[start][0]):
            until = event.received_at + threshold.expires if threshold.expires else None
            hits.append(Tipped(event.received_at, until, event, len(window.messages), len(window.days)))
    return _joined(hits) if len(hits) > 1 else hits


def _moment(pair: Dated) -> tuple[datetime, bytes]:
    return (pair[0], pair[1].id)


def _joined(hits: list[Tipped]) -> list[Tipped]:
    """Hits that go on from each other as one: it began with the first and lasts from the newest."""
    hits.sort(key=_receipt)
    if hits[0].until is None:
        return hits[:1]
    chains = hits[:1]
    for hit in hits[1:]:
        last = chains[-1]
        if last.until is not None and hit.since > last.until:
            chains.append(hit)
        else:
            chains[-1] = hit._replace(since=last.since)
    return chains


def _receipt(hit: Tipped) -> tuple[datetime, bytes]:
    return (hit.since, hit.event.id)


class Window:
    """Evidence between two moments, counted."""

    def __init__(self) -> None:
        self.messages: dict[bytes, int] = {}
        self.days: dict[date, int] = {}
        self.addresses: dict[bytes, int] = {}

    def add(self, when: datetime, event: Evidence) -> None:
        """One more at the end."""
        message, day, address = event.original or event.id, when.date(), event.address
        self.messages[message] = self.messages.get(message, 0) + 1
        self.days[day] = self.days.get(day, 0) + 1
        self.addresses[address] = self.addresses.get(address, 0) + 1

    def drop(self, when: datetime, event: Evidence) -> None:
        """One less at the beginning."""
        _less(self.messages, event.original or event.id)
        day = when.date()
        self.days[day] -= 1
        if not self.days[day]:
            del self.days[day]
        _less(self.addresses, event.address)

    def holds(self, threshold: Threshold, span: timedelta) -> bool:
        """Whether that is enough."""
        return (
            len(self.messages) >= threshold.messages
            and len(self.days) >= threshold.days
            and span >= threshold.span
            and (threshold.addresses <= 1 or len(self.addresses) >= threshold.addresses)
        )


def _less(counts: dict[bytes, int], one: bytes) -> None:
    counts[one] -= 1
    if not counts[one]:
        del counts[one]
