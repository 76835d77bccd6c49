"""From a history to a verdict: arithmetic on event times, with no state but the history."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bounceproc.event import BounceClass, EventType
from bounceproc.policy.settings import SECOND_SOURCE, Policy, Threshold
from bounceproc.policy.verdict import Decision, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from bounceproc.policy.history import Evidence, History


def decide(history: History, policy: Policy, now: datetime) -> Verdict:
    """What the evidence asks for at `now`. Depends on the set of evidence, never on the order of its arrival."""
    evidence = [e for e in history.evidence if history.lifted_at is None or e.received_at > history.lifted_at]
    if history.is_domain:
        wanted = _domain(evidence, policy)
        cleared = False
    else:
        delivered_at = max(
            (e.occurred_at for e in evidence if e.type is EventType.DELIVERY and e.trust in policy.acts), default=None
        )
        live = [e for e in evidence if delivered_at is None or e.occurred_at > delivered_at]
        cleared = delivered_at is not None and any(
            e.class_ is BounceClass.SOFT and e.occurred_at <= delivered_at for e in evidence
        )
        wanted = [*_wishes(evidence, policy), *_hard(evidence, policy), *_soft(live, policy)]
    decisions = _strongest(d for d in wanted if d.until is None or d.until > now)
    lift = cleared and not any(d.reason == "bounce" for d in decisions)
    return Verdict(history.key, history.is_domain, decisions, frozenset({"bounce"}) if lift else frozenset())


def _wishes(evidence: list[Evidence], policy: Policy) -> Iterator[Decision]:
    """Complaints and unsubscribes: what the person at the address asked for."""
    for type_, threshold in ((EventType.COMPLAINT, policy.complaint), (EventType.UNSUBSCRIBE, policy.unsubscribe)):
        found = [e for e in evidence if e.type is type_]
        for scope in sorted({_scope(e) for e in found}):
            tipped = _count([e for e in found if _scope(e) == scope], threshold, policy)
            if tipped:
                yield tipped.decision(scope, type_.value)


def _scope(evidence: Evidence) -> str:
    """An unsubscribe leaves its stream where that is known; everything else is about the address as such."""
    return f"stream:{evidence.stream}" if evidence.type is EventType.UNSUBSCRIBE and evidence.stream else "*"


def _hard(evidence: list[Evidence], policy: Policy) -> Iterator[Decision]:
    tipped = _count(
        [e for e in evidence if e.type is EventType.BOUNCE and e.class_ is BounceClass.HARD], policy.hard, policy
    )
    if tipped:
        yield tipped.decision("*", "bounce")


def _soft(evidence: list[Evidence], policy: Policy) -> Iterator[Decision]:
    soft = [e for e in evidence if e.type is EventType.BOUNCE and e.class_ is BounceClass.SOFT]
    for category, threshold in policy.soft.items():
        tipped = _count([e for e in soft if e.category == category], threshold, policy)
        if tipped:
            yield tipped.decision("*", "bounce")
    tipped = _count([e for e in soft if e.category == "unknown" and e.subject == 1], policy.unknown_address, policy)
    if tipped:
        yield tipped.decision("*", "bounce")


def _domain(evidence: list[Evidence], policy: Policy) -> list[Decision]:
    dead = [e for e in evidence if e.type is EventType.BOUNCE and e.category in policy.domain_categories]
    tipped = _count(dead, policy.domain, policy)
    return [tipped.decision("*", "bounce")] if tipped else []


def _strongest(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """One decision for each scope and reason: the one that lasts longest, of those the one that began first."""
    best: dict[tuple[str, str], Decision] = {}
    for decision in decisions:
        key = (decision.scope, decision.reason)
        if key not in best or _strength(decision) > _strength(best[key]):
            best[key] = decision
    return tuple(best[key] for key in sorted(best))


def _strength(decision: Decision) -> tuple[bool, float, float]:
    until = decision.until.timestamp() if decision.until else 0.0
    return (decision.until is None, until, -decision.since.timestamp())


@dataclass(frozen=True, slots=True)
class _Tipped:
    """The evidence was enough: since when, until when, by which event, counted how."""

    since: datetime
    until: datetime | None
    event: Evidence
    messages: int
    days: int

    def decision(self, scope: str, reason: str) -> Decision:
        event = self.event
        what = event.category or event.type.value
        plural = "s" if self.messages > 1 else ""
        why = f"{what}: {self.messages} message{plural} on {self.days} day{'s' if self.days > 1 else ''}"
        return Decision(
            scope=scope,
            reason=reason,
            since=self.since,
            until=self.until,
            category=event.category,
            class_=event.class_.value if event.class_ else None,
            event=event.id,
            why=why,
        )


def _count(evidence: list[Evidence], threshold: Threshold, policy: Policy) -> _Tipped | None:
    """Whether the evidence meets the threshold: what acts by itself, or all of it under the stricter rule for what only counts."""
    acting = [e for e in evidence if e.trust in policy.acts]
    tipped = _windows([(e.occurred_at, e) for e in acting], threshold)
    if tipped or len(acting) == len(evidence):
        return tipped
    stricter = replace(
        threshold, messages=max(threshold.messages, SECOND_SOURCE), days=max(threshold.days, SECOND_SOURCE)
    )
    # The days of what only counts are days of receipt: a stranger can invent the dates inside a message.
    dated = [
        (e.occurred_at if e.trust in policy.acts else e.received_at, e)
        for e in evidence
        if e.trust in policy.acts | policy.counts
    ]
    return _windows(dated, stricter)


def _windows(dated: list[tuple[datetime, Evidence]], threshold: Threshold) -> _Tipped | None:
    """Look back from each event in turn: any window that holds enough counts, so that later evidence never takes it away."""
    dated = sorted(dated, key=lambda pair: (pair[0], pair[1].id))
    tipped: _Tipped | None = None
    start = 0
    for end, (when, event) in enumerate(dated):
        while threshold.within is not None and dated[start][0] < when - threshold.within:
            start += 1
        window = dated[start : end + 1]
        messages = len({e.original or e.id for _, e in window})
        days = len({day.date() for day, _ in window})
        if messages < threshold.messages or days < threshold.days or when - window[0][0] < threshold.span:
            continue
        if threshold.addresses > 1 and len({e.address for _, e in window}) < threshold.addresses:
            continue
        until = event.received_at + threshold.expires if threshold.expires else None
        fresh = tipped is None or (tipped.until is not None and event.received_at > tipped.until)
        if fresh or tipped is None:
            tipped = _Tipped(event.received_at, until, event, messages, days)
        elif until is not None:
            # Still going on: the entry began with the first window and lasts from the newest one.
            longest = max(until, tipped.until) if tipped.until else until
            tipped = replace(tipped, until=longest, event=event, messages=messages, days=days)
    return tipped
