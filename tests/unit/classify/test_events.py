"""What `classify` prints is what the standard library would print."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from bounceproc.address import Address
from bounceproc.classify.classifier import default_classifier
from bounceproc.classify.events import classified, quoted, written
from bounceproc.event import Event, EventType, Trust
from bounceproc.status import EnhancedStatus

texts = st.none() | st.text()
addresses = st.none() | st.builds(Address, st.text(), st.text())
events = st.fixed_dictionaries(
    {
        "type": st.sampled_from(EventType),
        "recipient": addresses,
        "trust": st.sampled_from(Trust),
        "final_recipient": addresses,
        "action": texts,
        "status": st.none()
        | st.builds(EnhancedStatus, st.sampled_from([2, 4, 5]), st.integers(0, 999), st.integers(0, 999)),
        "smtp_code": st.none() | st.integers(200, 559),
        "diagnostic": st.text() | st.sampled_from(["550 5.1.1 User unknown", "452 4.2.2 over quota"]),
        "remote_mta": texts,
        "reporting_mta": texts,
        "feedback_type": texts,
        "original_message_id": texts,
        "derived": texts,
        "occurred_at": st.none() | st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - a bound
    }
).map(lambda fields: Event(**fields))


@settings(deadline=None)
@given(events)
def test_an_event_is_written_as_json_dumps_writes_it(event: Event) -> None:
    classifier = default_classifier()
    expected = classified(event, classifier).to_dict()
    assert written(event, classifier) == json.dumps(expected, ensure_ascii=False)


def test_one_address_that_is_written_in_two_ways_is_told_in_both() -> None:
    event = Event(
        EventType.BOUNCE, Address.parse("anna@example.com"), final_recipient=Address.parse("Anna@Example.COM")
    )
    told = json.loads(written(event, default_classifier()))
    assert (told["recipient"], told["final_recipient"]) == ("anna@example.com", "Anna@Example.COM")


@given(texts)
def test_a_text_is_quoted_as_json_dumps_quotes_it(text: str | None) -> None:
    assert quoted(text) == json.dumps(text, ensure_ascii=False)
