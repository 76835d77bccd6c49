"""A batch is held against the send ledger with one question for hashes and one for Message-IDs, or with none."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from bounceproc.address import Address
from bounceproc.event import Event, EventType, Kind, Trust
from bounceproc.matching import matched
from bounceproc.ports import Outcome, Reading, Sent
from bounceproc.returnpath import Token
from tests.unit.fakes import FakeLedger

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ANNA, BERT = Address.parse("anna@example.com"), Address.parse("bert@example.com")
TOKEN = Token(None, "abcdefgh234567ab", date(2026, 12, 1), "receipts")


def bounce(recipient: Address | None = ANNA, original: str | None = "<1@sender.example>", **more: Any) -> Event:
    return Event(EventType.BOUNCE, recipient, original_message_id=original, **more)


def reading(*events: Event, token: Token | None = None) -> Reading:
    return Reading(
        ref="1",
        digest=b"",
        received_at=NOW,
        outcome=Outcome.REPORT,
        kind=Kind.DSN,
        detector=None,
        message_id=None,
        reporting_mta=None,
        events=events,
        raw=b"",
        token=token,
    )


def ledger() -> FakeLedger:
    known = {("1@sender.example", ANNA): Sent("news", "job 7"), ("2@sender.example", BERT): Sent(None, None)}
    return FakeLedger([], mails=known, people={TOKEN.digest: ANNA})


def test_only_the_events_about_what_was_sent_are_matched() -> None:
    asked = ledger()
    given = reading(bounce(), bounce(BERT), bounce(None), bounce(BERT, "2@sender.example", stream="old"))
    (found,) = matched([given], asked)
    trusts = [event.trust for event in found.events]
    assert trusts == [Trust.MATCHED, Trust.REPORTED, Trust.REPORTED, Trust.MATCHED]
    assert [event.stream for event in found.events] == ["news", None, None, "old"]
    assert [event.reference for event in found.events] == ["job 7", None, None, None]
    assert asked.log == ["sent 3"]


def test_a_guess_from_a_text_is_matched_too() -> None:
    ((event,),) = (found.events for found in matched([reading(bounce(trust=Trust.HEURISTIC))], ledger()))
    assert event.trust is Trust.MATCHED


@pytest.mark.parametrize(
    "event", [bounce(trust=Trust.SIGNED), bounce(None), bounce(original=None), bounce(original="")]
)
def test_nothing_is_asked_where_the_ledger_could_not_say_more(event: Event) -> None:
    asked = ledger()
    assert matched([reading(event), reading()], asked) == (reading(event), reading())
    assert asked.log == []


def test_a_hash_that_is_known_signs_the_one_event_that_there_is() -> None:
    asked = ledger()
    (found,) = matched([reading(bounce(BERT), token=TOKEN)], asked)
    assert found.events == (bounce(ANNA, trust=Trust.SIGNED, final_recipient=BERT, derived="token", stream="receipts"),)
    assert asked.log == ["named 1"]


def test_a_hash_says_nothing_of_several_others_or_where_it_is_not_known() -> None:
    several = reading(bounce(BERT), bounce(Address.parse("carla@example.com")), token=TOKEN)
    other = reading(bounce(BERT), token=Token(None, "2" * 16, TOKEN.expires))
    found = matched([several, other], ledger())
    assert {event.trust for one in found for event in one.events} == {Trust.REPORTED}
    assert [event.recipient for one in found for event in one.events].count(ANNA) == 0
