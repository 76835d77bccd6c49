"""How a verdict came about: what each piece of evidence counted for, and how far each row is from its threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bounceproc.event import EventType
from bounceproc.policy import rows
from bounceproc.policy.counting import Window, counting, stricter
from bounceproc.policy.decide import judge

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from bounceproc.policy.history import Evidence, History
    from bounceproc.policy.rows import Row
    from bounceproc.policy.settings import Policy, Threshold


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one row is, looking back from its newest evidence."""

    row: str
    scope: str
    messages: int
    days: int
    span: timedelta
    addresses: int
    threshold: Threshold
    """What is asked for, of evidence of this trust."""
    is_met: bool

    def __str__(self) -> str:
        need = self.threshold
        parts = [
            f"{self.messages} of {need.messages} message{'s' if need.messages > 1 else ''}",
            f"on {self.days} of {need.days} day{'s' if need.days > 1 else ''}",
        ]
        if need.span:
            parts.append(f"spanning {self.span.days} of {need.span.days} days")
        if need.addresses > 1:
            parts.append(f"about {self.addresses} of {need.addresses} addresses")
        if need.within is not None:
            parts.append(f"within {need.within.days} days")
        where = "" if self.scope == "*" else f" ({self.scope})"
        then = "enough" if self.is_met else "not enough" if need.suppress else "never enough"
        return f"{self.row}{where}: {', '.join(parts)}: {then}"

    def to_dict(self) -> dict[str, str | int | bool | None]:
        """For scripts."""
        need = self.threshold
        return {
            "row": self.row,
            "scope": self.scope,
            "messages": self.messages,
            "messages_needed": need.messages,
            "days": self.days,
            "days_needed": need.days,
            "span_days": self.span.days,
            "span_days_needed": need.span.days,
            "within_days": need.within.days if need.within is not None else None,
            "addresses": self.addresses,
            "addresses_needed": need.addresses,
            "met": self.is_met,
        }


@dataclass(frozen=True, slots=True)
class Account:
    """All of it, for one address or domain."""

    counted: dict[bytes, str]
    """By event id: what it counted for, as a sentence that begins with `counts` or `does not count`."""
    progress: tuple[Progress, ...]


def account(history: History, policy: Policy, now: datetime) -> Account:
    """Explain what `decide` says of the same history at the same time."""
    found = rows.sort(history, policy, now)
    counted = {piece.id: _outside(piece, policy, is_domain=history.is_domain) for piece in history.evidence}
    counted |= {piece.id: "does not count: delivered later" for piece in found.cleared}
    counted |= {piece.id: "does not count: received before a person decided" for piece in found.lifted}
    progress = []
    for row in found.rows:
        judged = judge(row, found.deliveries, policy, now)
        live = [piece for piece in row.evidence if piece.id not in judged.cleared]
        counted |= dict.fromkeys(judged.cleared, "does not count: delivered before the second look")
        edge = _edge(live, row, policy)
        counted |= {piece.id: _inside(piece, row, policy, edge) for piece in live}
        progress.append(_progress(row, live, policy, edge, is_met=bool(judged.tipped)))
    return Account(counted, tuple(progress))


def _edge(live: list[Evidence], row: Row, policy: Policy) -> datetime | None:
    """Where the window begins that looks back from the newest evidence."""
    dated = counting(live, policy, reviews=True)
    if row.threshold.within is None or not dated:
        return None
    return max(when for when, _ in dated) - row.threshold.within


def _progress(row: Row, live: list[Evidence], policy: Policy, edge: datetime | None, *, is_met: bool) -> Progress:
    dated = [(when, piece) for when, piece in counting(live, policy) if edge is None or when >= edge]
    window = Window()
    for when, piece in dated:
        window.add(when, piece)
    moments = [when for when, _ in dated]
    span = max(moments) - min(moments) if moments else rows.NO_TIME
    only_counts = any(piece.trust in policy.counts for _, piece in dated)
    acts = sum(piece.trust in policy.acts for _, piece in dated)
    need = stricter(row.threshold, policy) if only_counts and acts < len(dated) else row.threshold
    numbers = (len(window.messages), len(window.days), span, len(window.addresses))
    return Progress(row.name, row.scope, *numbers, threshold=need, is_met=is_met)


def _inside(piece: Evidence, row: Row, policy: Policy, edge: datetime | None) -> str:
    """What a piece means that belongs to a row."""
    if not row.threshold.suppress:
        return f"does not count: {row.name} suppresses nobody"
    if piece.trust in policy.reviews:
        return f"does not count: {piece.trust} is not trusted to, and only puts the address on the review list"
    if piece.trust not in policy.acts | policy.counts:
        return f"does not count: {piece.trust} is not trusted"
    when = piece.occurred_at if piece.trust in policy.acts else piece.received_at
    if edge is not None and when < edge:
        assert row.threshold.within is not None, "there is a window"
        return f"does not count: more than {row.threshold.within.days} days before the newest"
    if piece.trust in policy.counts:
        return f"counts for {row.name}, with others of other days of receipt"
    return f"counts for {row.name}"


def _outside(piece: Evidence, policy: Policy, *, is_domain: bool) -> str:
    """What a piece means that belongs to none."""
    if piece.type is EventType.DELIVERY:
        trusted = piece.trust in policy.acts
        return "counts as a sign of delivery" if trusted else f"does not count: {piece.trust} is not trusted"
    if piece.type is EventType.DELAY:
        return "does not count: the queue still tried"
    if piece.type is EventType.BOUNCE:
        return "does not count: no sign of a dead domain" if is_domain else "does not count: no fault of the address"
    return "does not count: it is recorded, and asks for nothing"
