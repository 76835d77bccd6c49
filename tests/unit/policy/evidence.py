"""Evidence that never was, one piece at a time or any number at random."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from bounceproc.event import BounceClass, EventType, Trust
from bounceproc.policy.history import Evidence

DAY_0 = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOW = DAY_0 + timedelta(days=100)
KEY = b"k" * 16


def piece(
    day: float, category: str | None = "bad-mailbox", class_: BounceClass | None = BounceClass.SOFT, **given_: Any
) -> Evidence:
    """One piece of evidence, `day` days after DAY_0, about an original message of its own."""
    when = DAY_0 + timedelta(days=day)
    fields: dict[str, Any] = {
        "id": f"{day}{category}{class_}{given_}".encode(),
        "type": EventType.BOUNCE,
        "category": category,
        "class_": class_,
        "trust": Trust.REPORTED,
        "occurred_at": when,
        "received_at": when,
        "original": b"",
    }
    return Evidence(**{**fields, **given_})


def hard(day: float, **given_: Any) -> Evidence:
    return piece(day, "bad-mailbox", BounceClass.HARD, **given_)


PIECES = st.builds(
    piece,
    st.floats(0, 90).map(lambda day: round(day, 1)),
    st.sampled_from(["mailbox-full", "inactive-mailbox", "bad-mailbox", "unknown", "spam-block"]),
    st.sampled_from([BounceClass.HARD, BounceClass.SOFT]),
    type=st.sampled_from(
        [EventType.BOUNCE, EventType.DELAY, EventType.COMPLAINT, EventType.DELIVERY, EventType.UNSUBSCRIBE]
    ),
    trust=st.sampled_from(list(Trust)),
    subject=st.sampled_from([0, 1]),
    original=st.sampled_from([b"", b"a", b"b", b"c"]),
)
