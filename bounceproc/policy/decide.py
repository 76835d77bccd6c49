"""From a history to a verdict: arithmetic on event times, with no state but the history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bounceproc.policy import rows
from bounceproc.policy.counting import Tipped, counting, tippings, windows
from bounceproc.policy.secondlook import look
from bounceproc.policy.verdict import Decision, Review, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bounceproc.policy.history import Evidence, History
    from bounceproc.policy.rows import Row
    from bounceproc.policy.settings import Policy


_NOTHING: Final[frozenset[str]] = frozenset()
_NONE: Final[frozenset[bytes]] = frozenset()


def decide(history: History, policy: Policy, now: datetime) -> Verdict:
    """What the evidence asks for at `now`. Depends on the set of evidence, never on the order of its arrival."""
    found = rows.sort(history, policy, now)
    cleared: set[bytes] = set()
    wanted: list[Decision] = []
    reviews: list[Review] = []
    for row in found.rows:
        judged = judge(row, found.deliveries, policy, now)
        cleared |= judged.cleared
        wanted += [_decision(row, tipped) for tipped in judged.tipped]
        if not judged.tipped and policy.reviews:
            reviews += _review(row, policy)
    standing = [d for d in _strongest(wanted) if d.is_lasting or (d.until is not None and d.until > now)]
    decisions = tuple([d for d in standing if not _is_kept(history, d, now)] if history.kept else standing)
    if len(decisions) < len(standing):
        reviews += [_overruled(d, found.rows) for d in standing if d not in decisions]
    if reviews and decisions:
        named = {(d.scope, d.reason) for d in decisions}
        reviews = [r for r in reviews if (r.scope, r.reason) not in named]
    if not cleared and not found.cleared:  # as of nearly all
        return Verdict(
            history.key,
            history.is_domain,
            decisions,
            _NOTHING,
            _NOTHING,
            _NONE,
            tuple(reviews),
            found.delivered_at,
        )
    taken = frozenset({"bounce"})
    lift = not any(d.reason == "bounce" for d in decisions)
    return Verdict(
        key=history.key,
        is_domain=history.is_domain,
        decisions=decisions,
        lift_reasons=taken if lift else _NOTHING,
        anew=_NOTHING if lift else taken,
        cleared=frozenset(cleared),
        reviews=tuple(reviews),
        delivered_at=found.delivered_at,
    )


class Judged(NamedTuple):
    """What one row comes to."""

    tipped: list[Tipped]
    cleared: frozenset[bytes] = frozenset()
    """The ids of evidence that a sign of delivery took away."""


def judge(row: Row, deliveries: list[Evidence], policy: Policy, now: datetime) -> Judged:
    """Hold the evidence of a row against its threshold."""
    if not row.threshold.suppress:
        return Judged([])
    if row.threshold.second_look is not None:
        return Judged(*look(row.evidence, deliveries, row.threshold, policy, now))
    return Judged(tippings(row.evidence, row.threshold, policy))


def _decision(row: Row, tipped: Tipped) -> Decision:
    event = tipped.event
    return Decision(
        row.scope,
        row.reason,
        tipped.since,
        tipped.until,
        event.category,
        str(event.class_) if event.class_ else None,
        event.id,
        tipped.why,
        tipped.second_look,
    )


def _strongest(decisions: list[Decision]) -> list[Decision]:
    """One decision for each scope and reason: the one that lasts longest, since the time from which on there always was one."""
    if len(decisions) < 2:
        return decisions
    groups: dict[tuple[str, str], list[Decision]] = {}
    for decision in decisions:
        groups.setdefault((decision.scope, decision.reason), []).append(decision)
    return [_union(groups[name]) for name in sorted(groups)]


def _union(group: list[Decision]) -> Decision:
    best = max(group, key=_strength)
    since = best.since
    for decision in sorted(group, key=_end, reverse=True):
        if decision.is_lasting or (decision.until is not None and decision.until >= since):
            since = min(since, decision.since)
    return best if since == best.since else best._replace(since=since)


def _strength(decision: Decision) -> tuple[bool, bool, float, float, bytes]:
    return (decision.is_lasting, *_end(decision), -decision.since.timestamp(), decision.event)


def _end(decision: Decision) -> tuple[bool, float]:
    return (decision.until is None, decision.until.timestamp() if decision.until else 0.0)


# ---- what a person has to look at --------------------------------------------------------------------------------------


def _is_kept(history: History, decision: Decision, now: datetime) -> bool:
    return any(kept.holds(now) and kept.covers(decision.scope, decision.reason) for kept in history.kept)


def _review(row: Row, policy: Policy) -> Iterable[Review]:
    """What would be enough, if a person believed it."""
    doubtful = [e for e in row.evidence if e.trust in policy.reviews]
    if doubtful and row.threshold.suppress:
        for tipped in windows(counting(row.evidence, policy, reviews=True), row.threshold)[-1:]:
            yield _for_review(row.scope, row.reason, tipped.why, "trust", doubtful)


def _overruled(decision: Decision, found: list[Row]) -> Review:
    """What would be suppressed, had a person not decided to go on sending."""
    evidence = [
        e for row in found if (row.scope, row.reason) == (decision.scope, decision.reason) for e in row.evidence
    ]
    return _for_review(decision.scope, decision.reason, decision.why, "kept", evidence)


def _for_review(scope: str, reason: str, why: str, cause: str, evidence: list[Evidence]) -> Review:
    newest = max(evidence, key=lambda e: (e.received_at, e.id))
    received = tuple(sorted(e.received_at for e in evidence))
    return Review(scope, reason, newest.category, newest.id, why, cause, received)
