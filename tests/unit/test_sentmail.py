"""A row of the send ledger is read, or refused with its reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bounceproc.address import Address
from bounceproc.errors import BadDataError
from bounceproc.sentmail import SentMail

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ROW = {"message_id": "<1@sender.example>", "recipient": "anna@example.com"}


def test_a_row_is_read_with_what_it_leaves_out() -> None:
    assert SentMail.of(ROW, NOW) == SentMail(
        message_id="1@sender.example", recipient=Address.parse("anna@example.com"), sent_at=NOW
    )
    full = ROW | {"message_id": " 1@sender.example ", "stream": "news", "reference": "job 7", "sent_at": "2026-11-20"}
    found = SentMail.of(full, NOW)
    assert (found.message_id, found.stream, found.reference) == ("1@sender.example", "news", "job 7")
    assert found.sent_at == datetime(2026, 11, 20, tzinfo=UTC)


def test_a_clock_that_is_a_little_ahead_is_set_right() -> None:
    assert SentMail.of(ROW | {"sent_at": (NOW + timedelta(hours=2)).isoformat()}, NOW).sent_at == NOW


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"message_id": ""}, "message_id is missing"),
        ({"message_id": None}, "message_id is missing"),
        ({"message_id": 7}, "message_id is no text"),
        ({"message_id": "<a b@c>"}, "message_id is no Message-ID"),
        ({"message_id": "<a@b><c@d>"}, "message_id is no Message-ID"),
        ({"message_id": "x" * 999}, "message_id is no Message-ID"),
        ({"recipient": "  "}, "recipient is no text"),
        ({"recipient": "nobody"}, "recipient is no address"),
        ({"recipient": ["a@b.example"]}, "recipient is no text"),
        ({"stream": "a b"}, "stream has other signs"),
        ({"stream": "x" * 201}, "stream is longer"),
        ({"reference": "a\nb"}, "reference is longer than 200 characters, or not on one line"),
        ({"sent_at": "yesterday"}, "sent_at is no moment"),
        ({"sent_at": 3}, "sent_at is no moment"),
        ({"sent_at": "0001-01-01T00:00:00+14:00"}, "sent_at is no moment"),
        ({"sent_at": "2026-11-28"}, "sent_at lies in the future"),
    ],
)
def test_a_row_that_cannot_be_says_why(change: dict[str, Any], why: str) -> None:
    with pytest.raises(BadDataError) as told:
        SentMail.of(ROW | change, NOW)
    assert why in told.value.what
