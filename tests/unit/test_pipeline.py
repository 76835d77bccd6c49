"""One batch in, one outcome a message out; one message never stops the others."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.classify.classifier import default_classifier
from bounceproc.errors import BadDataError, UnavailableError
from bounceproc.event import BounceClass, EventType, Kind, Trust
from bounceproc.meaning import describe, interpret, interpret_raw
from bounceproc.pipeline import Pipeline, meant, raw_digest, read
from bounceproc.policy.settings import Policy
from bounceproc.ports import Outcome, Reading
from bounceproc.rawmessage import RawMessage
from tests.unit.fakes import FakeLedger, batch_of
from tests.unit.mails import NO_RECIPIENT, ORDINARY, complaint, dsn

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def pipeline_on(ledger: FakeLedger, policy: Policy | None = None) -> Pipeline:
    return Pipeline(ledger=ledger, classifier=default_classifier(), policy=policy or Policy(), clock=lambda: NOW)


def test_a_bounce_is_classified_with_rule_and_class() -> None:
    event = interpret(dsn(), default_classifier()).events[0]

    assert (event.type, event.category, event.class_) == (EventType.BOUNCE, "bad-mailbox", BounceClass.HARD)
    assert event.rule


def test_a_delay_is_never_hard_whatever_the_reply_says() -> None:
    event = interpret(
        dsn(action="delayed", status="4.1.1", diagnostic="smtp; 450 4.1.1 User unknown"), default_classifier()
    ).events[0]

    assert (event.type, event.class_) == (EventType.DELAY, BounceClass.SOFT)


def test_a_complaint_has_no_class() -> None:
    event = interpret(complaint(), default_classifier()).events[0]

    assert (event.type, event.class_, event.category) == (EventType.COMPLAINT, None, None)


def test_ordinary_mail_is_other_and_a_broken_report_is_malformed() -> None:
    assert interpret(ORDINARY, default_classifier()).kind is Kind.OTHER
    broken = interpret(NO_RECIPIENT, default_classifier())
    assert broken.kind is Kind.MALFORMED
    assert broken.error


def test_a_reader_that_raises_makes_one_malformed_message() -> None:
    class Bad:
        def identified(self, _report: object, **_options: object) -> None:
            raise RecursionError("too deep")

    found = interpret_raw(RawMessage("1", dsn(), None), default_classifier(), Bad())  # type: ignore[arg-type]  # it breaks

    assert found.kind is Kind.MALFORMED
    assert found.error == "the reader failed: RecursionError: too deep"


@given(st.binary(max_size=400))
def test_any_bytes_are_interpreted(message: bytes) -> None:
    assert interpret(message, default_classifier()).kind in set(Kind)


def test_line_ends_do_not_change_the_digest() -> None:
    assert raw_digest(b"a\nb\n") == raw_digest(b"a\r\nb\r\n") == raw_digest(b"a\rb\r")
    assert raw_digest(b"a\nb\n") != raw_digest(b"a\nc\n")


def taken(raw: RawMessage) -> Reading:
    """A message as the ledger gets it."""
    return read(raw, meant(raw, default_classifier()), NOW)


def test_an_event_is_never_later_than_its_receipt() -> None:
    received = datetime(2026, 11, 20, tzinfo=UTC)
    reading = taken(RawMessage("m1", dsn(), received))

    assert reading.received_at == received
    assert [event.occurred_at for event in reading.events] == [received]


def test_a_message_of_no_known_receipt_is_received_now() -> None:
    reading = taken(RawMessage("m1", dsn(), None))

    assert reading.received_at == NOW
    assert reading.events[0].occurred_at == NOW - timedelta(days=1, hours=4)


def test_content_that_could_not_be_had_is_parked_with_its_reason() -> None:
    reading = taken(RawMessage("m1", b"", None, error="larger than 50 MB"))

    assert reading.outcome is Outcome.MALFORMED
    assert reading.error == "larger than 50 MB"


def test_describe_has_the_names_that_scripts_rely_on() -> None:
    described = json.loads(describe(RawMessage("a.eml", dsn("Anna@Example.COM"), None), default_classifier()))

    assert described["source"] == "a.eml"
    assert described["kind"] == "dsn"
    assert described["detector"] == "rfc3464"
    report = described["reports"][0]
    assert report["recipient"] == "Anna@Example.COM"
    assert (report["event"], report["class"], report["category"], report["status"], report["smtp_code"]) == (
        "bounce",
        "hard",
        "bad-mailbox",
        "5.1.1",
        550,
    )
    assert report["original_message_id"] == "<original.1@sender.example>"
    assert report["occurred_at"] == "2026-11-23T08:00:00Z"


def test_observing_decides_and_applies_nothing() -> None:
    ledger = FakeLedger([])

    result = pipeline_on(ledger, Policy(enforce=False)).process("fake", batch_of(dsn()))

    assert len(result.verdicts) == 1
    assert result.changed == 0
    assert ledger.verdicts == []


def test_a_batch_is_weighed_once_before_it_is_recorded_and_a_preview_not_at_all() -> None:
    class Weigher:
        seen: ClassVar[list[int]] = []

        def weighed(self, readings: Sequence[Reading]) -> tuple[Reading, ...]:
            self.seen.append(len(readings))
            events = [tuple(event._replace(trust=Trust.MATCHED) for event in one.events) for one in readings]
            return tuple(one._replace(events=each) for one, each in zip(readings, events, strict=True))

    ledger = FakeLedger([], fail_on=b"poison@example.com", error=BadDataError("refused"))
    batch = batch_of(dsn("poison@example.com"), dsn("a@example.com"))
    counting = Policy(acts=frozenset({Trust.MATCHED}), counts=frozenset({Trust.REPORTED}))
    weighed = Pipeline(
        ledger=ledger, classifier=default_classifier(), policy=counting, clock=lambda: NOW, weigher=Weigher()
    )

    assert weighed.preview(batch).readings[0].events[0].trust is Trust.REPORTED
    result = weighed.process("fake", batch)

    assert Weigher.seen == [2], "also where the store refuses a part of it"
    assert result.readings[1].events[0].trust is Trust.MATCHED
    assert len(ledger.verdicts) == 1, "what is matched acts"


def test_a_message_that_the_store_refuses_is_parked_and_the_others_are_recorded() -> None:
    ledger = FakeLedger([], fail_on=b"poison@example.com", error=BadDataError("the database refuses a value"))
    batch = batch_of(dsn("a@example.com"), dsn("poison@example.com"), dsn("b@example.com"), checkpoint=True)

    result = pipeline_on(ledger).process("fake", batch)

    assert [s.outcome for s in result.settlements] == [Outcome.REPORT, Outcome.MALFORMED, Outcome.REPORT]
    assert set(ledger.histories) == {"a@example.com", "b@example.com"}
    assert ledger.log[-2:] == ["advance 3", "commit"]
    assert result.readings[1].error == "the database refuses a value"


def test_a_store_that_is_away_stops_the_batch_and_parks_nobody() -> None:
    ledger = FakeLedger([], fail_on=b"a@example.com", error=UnavailableError("the disk is full"))

    with pytest.raises(UnavailableError):
        pipeline_on(ledger).process("fake", batch_of(dsn("a@example.com")))

    assert ledger.log[-1] == "rollback"
