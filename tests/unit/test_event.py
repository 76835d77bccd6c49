"""Event: the same report through another door is the same event, and a stranger's date is never later than its receipt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.address import Address
from bounceproc.event import BounceClass, Event, EventType, Trust, exact, happened, iso
from bounceproc.status import EnhancedStatus

KEY = b"k" * 16
AT = datetime(2026, 11, 23, 19, 40, tzinfo=UTC)
EVENT = Event(
    type=EventType.BOUNCE,
    recipient=Address.parse("User@example.com"),
    final_recipient=Address.parse("user@example.net"),
    action="failed",
    status=EnhancedStatus(5, 1, 1),
    smtp_code=550,
    diagnostic="550 5.1.1 User unknown",
    remote_mta="mx.example.net",
    reporting_mta="mx.example.com",
    original_message_id="<1@example.com>",
    occurred_at=AT,
)

moments = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
texts = st.none() | st.text(max_size=20)
events = st.builds(
    Event,
    type=st.sampled_from(EventType),
    recipient=st.none(),
    status=st.none() | st.builds(EnhancedStatus, st.sampled_from([2, 4, 5]), st.integers(0, 9), st.integers(0, 9)),
    reporting_mta=texts,
    original_message_id=texts,
    envelope_id=texts,
    occurred_at=st.none() | moments,
)


def test_the_id_of_an_event_is_frozen_because_ledgers_hold_it() -> None:
    assert EVENT.identity(KEY).hex() == "664157638fee029708bebec7801fea5a"


@pytest.mark.parametrize(
    "other",
    [
        {"trust": Trust.SIGNED},
        {"final_recipient": None},
        {"diagnostic": "another wording of the same"},
        {"smtp_code": None},
        {"action": None},
        {"remote_mta": None},
        {"derived": "to"},
        {"stream": "news"},
        {"category": "bad-mailbox", "class_": BounceClass.HARD, "rule": "some-rule"},
        {"reporting_mta": "MX.Example.COM"},
        {"occurred_at": AT + timedelta(microseconds=999)},
        {"envelope_id": "only where there is no Message-ID"},
    ],
)
def test_what_a_later_reading_may_see_otherwise_leaves_the_id_alone(other: dict[str, object]) -> None:
    assert EVENT._replace(**other).identity(KEY) == EVENT.identity(KEY)  # type: ignore[arg-type]  # one field each


@pytest.mark.parametrize(
    "other",
    [
        {"type": EventType.DELAY},
        {"status": None},
        {"status": EnhancedStatus(5, 1, 2)},
        {"original_message_id": "<2@example.com>"},
        {"original_message_id": None},
        {"reporting_mta": None},
        {"occurred_at": AT + timedelta(seconds=1)},
        {"occurred_at": None},
    ],
)
def test_what_makes_another_event_makes_another_id(other: dict[str, object]) -> None:
    assert EVENT._replace(**other).identity(KEY) != EVENT.identity(KEY)  # type: ignore[arg-type]  # one field each


def test_another_recipient_has_another_id() -> None:
    assert EVENT.identity(b"x" * 16) != EVENT.identity(KEY)


@given(events, st.binary(max_size=32))
def test_any_event_has_one_id_of_16_octets(event: Event, key: bytes) -> None:
    assert event.identity(key) == event.identity(key)
    assert len(event.identity(key)) == 16


@given(st.text(max_size=9), st.text(max_size=9))
def test_text_that_moves_from_one_field_into_the_next_makes_another_id(one: str, other: str) -> None:
    here = EVENT._replace(original_message_id=f"x{one}{other}", reporting_mta="m")
    there = EVENT._replace(original_message_id=f"x{one}", reporting_mta=f"{other}m")

    assert (here.identity(KEY) == there.identity(KEY)) is (other == "")


@given(events, moments)
def test_a_dated_event_is_never_later_than_its_receipt(event: Event, received_at: datetime) -> None:
    dated = event.dated(received_at)

    assert dated.occurred_at is not None
    assert dated.occurred_at <= received_at
    assert dated.occurred_at in {event.occurred_at, received_at}
    assert dated._replace(occurred_at=event.occurred_at) == event


@given(events, moments)
def test_dating_twice_is_dating_once(event: Event, received_at: datetime) -> None:
    assert event.dated(received_at).dated(received_at) == event.dated(received_at)


def test_an_earlier_date_is_kept_and_a_later_or_missing_one_becomes_the_receipt() -> None:
    day = timedelta(days=1)

    assert EVENT.dated(AT + day).occurred_at == AT
    assert EVENT.dated(AT).occurred_at == AT
    assert EVENT.dated(AT - day).occurred_at == AT - day
    assert EVENT._replace(occurred_at=None).dated(AT).occurred_at == AT


def test_scripts_find_the_documented_names() -> None:
    classified = EVENT._replace(category="bad-mailbox", class_=BounceClass.HARD, rule="some-rule")

    assert classified.to_dict() == {
        "recipient": "User@example.com",
        "final_recipient": "user@example.net",
        "event": "bounce",
        "class": "hard",
        "category": "bad-mailbox",
        "status": "5.1.1",
        "smtp_code": 550,
        "diagnostic": "550 5.1.1 User unknown",
        "action": "failed",
        "remote_mta": "mx.example.net",
        "feedback_type": None,
        "trust": "reported",
        "rule": "some-rule",
        "original_message_id": "<1@example.com>",
        "derived": None,
        "occurred_at": "2026-11-23T19:40:00Z",
    }


def test_what_is_not_known_is_null() -> None:
    bare = Event(type=EventType.COMPLAINT, recipient=None).to_dict()

    assert {name for name, value in bare.items() if value is not None} == {"event", "trust"}


def test_times_are_written_in_utc_to_the_second() -> None:
    assert iso(None) is None
    assert iso(AT.replace(microsecond=999_999)) == "2026-11-23T19:40:00Z"


@given(
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))])),
    st.booleans(),
)
def test_exactly_is_what_isoformat_says(moment: datetime, whole: bool) -> None:
    moment = moment.replace(microsecond=0) if whole else moment
    assert exact(moment) == moment.isoformat()


def test_one_moment_has_a_text_in_each_zone() -> None:
    nepal = timezone(timedelta(hours=5, minutes=45))

    assert exact(AT) == "2026-11-23T19:40:00+00:00"
    assert exact(AT.astimezone(nepal)) == "2026-11-24T01:25:00+05:45"


def test_iso_is_utc_whatever_zone_the_moment_is_in() -> None:
    paris = timezone(timedelta(hours=1))

    assert iso(datetime(2026, 11, 23, 20, 40, tzinfo=paris)) == "2026-11-23T19:40:00Z"
    assert iso(None) is None


def test_the_short_way_to_an_event_makes_the_same_event() -> None:
    said = {
        "type": EventType.DELAY,
        "recipient": EVENT.recipient,
        "trust": Trust.HEURISTIC,
        "final_recipient": EVENT.final_recipient,
        "action": "delayed",
        "status": EVENT.status,
        "smtp_code": 450,
        "diagnostic": "450 later",
        "remote_mta": "mx.example.net",
        "reporting_mta": "mx.example.com",
        "original_message_id": "<1@example.com>",
        "envelope_id": "1",
        "derived": "to",
        "occurred_at": AT,
    }
    assert happened(**said) == Event(**said)  # type: ignore[arg-type]
    bare = {name: said[name] for name in ("type", "recipient")}
    assert happened(**bare) == Event(**bare)  # type: ignore[arg-type]
