"""Which row of the policy each piece of evidence belongs to, and what counts no more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from bounceproc.event import BounceClass, EventType
from bounceproc.policy.history import Evidence, History
from bounceproc.policy.settings import EVERYWHERE, STREAM, Policy, Threshold

NO_TIME: Final = timedelta(0)
"""The span of nothing."""


class Row(NamedTuple):
    """A threshold and what counts towards it, in one scope."""

    name: str
    """As in the configuration."""
    reason: str
    scope: str
    threshold: Threshold
    evidence: list[Evidence]


class Sorted(NamedTuple):
    """A history, sorted into rows."""

    rows: list[Row]
    deliveries: list[Evidence]
    """Signs of delivery that are trusted."""
    delivered_at: datetime | None
    """The newest of them."""
    cleared: list[Evidence]
    """What happened before it and belongs to a row that it clears."""
    lifted: list[Evidence]
    """What was received before a person lifted a suppression."""


def sort(history: History, policy: Policy, now: datetime) -> Sorted:
    """Give each piece its row; what is in no row suppresses nobody, however often it comes."""
    deliveries = [e for e in history.evidence if e.type is EventType.DELIVERY and e.trust in policy.acts]
    delivered_at = max([e.occurred_at for e in deliveries]) if deliveries else None
    groups: dict[tuple[str, str], Row] = {}
    cleared: list[Evidence] = []
    lifted: list[Evidence] = []
    for piece in history.evidence:
        found = _domain_row(piece, policy) if history.is_domain else _row(piece, policy)
        if found is None:
            continue
        name, reason, threshold = found
        if _is_lifted(history, piece, now):
            lifted.append(piece)
        elif delivered_at is not None and piece.occurred_at <= delivered_at and _is_cleared(piece):
            cleared.append(piece)
        else:
            scope = _scope(piece, threshold)
            if (name, scope) not in groups:
                groups[name, scope] = Row(name, reason, scope, threshold, [])
            groups[name, scope].evidence.append(piece)
    return Sorted([groups[key] for key in sorted(groups)], deliveries, delivered_at, cleared, lifted)


def _row(piece: Evidence, policy: Policy) -> tuple[str, str, Threshold] | None:
    if piece.type is EventType.BOUNCE:
        category = piece.category or ""
        if piece.class_ is BounceClass.HARD:
            own = policy.hard_rows.get(category)
            return ("hard", "bounce", policy.hard) if own is None else (category, "bounce", own)
        if piece.class_ is BounceClass.SOFT:
            soft = policy.soft.get(category)
            if soft is not None:
                return (category, "bounce", soft)
            if category == "unknown" and piece.subject == 1:
                return ("unknown-address", "bounce", policy.unknown_address)
    elif piece.type is EventType.COMPLAINT:
        return ("complaint", "complaint", policy.complaint)
    elif piece.type is EventType.UNSUBSCRIBE:
        return ("unsubscribe", "unsubscribe", policy.unsubscribe)
    return None


def _domain_row(piece: Evidence, policy: Policy) -> tuple[str, str, Threshold] | None:
    is_dead = piece.type is EventType.BOUNCE and piece.category in policy.domain_categories
    return ("domain", "bounce", policy.domain) if is_dead else None


def _is_lifted(history: History, piece: Evidence, now: datetime) -> bool:
    """Whether a person has judged it already: by lifting, or by a decision to go on sending that has ended since."""
    if history.lifted_at is not None and piece.received_at <= history.lifted_at:
        return True
    for kept in history.kept:
        is_over = kept.until is not None and kept.until <= now
        if is_over and kept.until is not None and piece.received_at <= kept.until:
            return kept.consent or piece.type is EventType.BOUNCE
    return False


def _is_cleared(piece: Evidence) -> bool:
    """Whether a later sign of delivery takes it away. A hard bounce is taken away by a second look alone."""
    return piece.type is EventType.BOUNCE and piece.class_ is not BounceClass.HARD


def _scope(piece: Evidence, threshold: Threshold) -> str:
    """The stream, where the threshold follows it and it is known; everything else is about the address as such."""
    return f"stream:{piece.stream}" if threshold.scope == STREAM and piece.stream else EVERYWHERE
