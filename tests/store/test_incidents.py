"""A provider's hour of false refusals condemns nobody for good; a list of dead addresses is no incident."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.errors import UsageError
from bounceproc.event import BounceClass
from bounceproc.policy.decide import decide
from bounceproc.policy.incident import IncidentPolicy
from bounceproc.policy.settings import Policy
from bounceproc.ports import IncidentState
from bounceproc.status import EnhancedStatus
from tests.store.kit import DAY, START, Bench, bounce, reading, soft

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from bounceproc.ports import Incident, Recorded

GONE = (
    "550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking the"
    " recipient's address for typos. d2e1a72fcca58-{} - gsmtp"
)


@pytest.fixture
def bench(url: str, tmp_path: Path) -> Iterator[Bench]:
    """A store that looks for incidents."""
    with Bench.prepare(url, tmp_path, surges=IncidentPolicy()) as prepared:
        yield prepared


def refused(number: int, at: datetime, **more: Any) -> Any:
    address = f"person{number}@gmail.example"
    fields = {"remote_mta": "gmail-smtp-in.l.google.example", "diagnostic": GONE.format(number), **more}
    return bounce(address, at=at, **fields)


def take(bench: Bench, numbers: range, at: datetime, **more: Any) -> tuple[Recorded, int]:
    """One batch, read a minute after it was received."""
    readings = [reading(refused(n, at, **more), ref=f"{at.isoformat()}/{n}", at=at) for n in numbers]
    bench.now = at + timedelta(minutes=1)
    store = bench.store
    store.ledger._now = lambda: bench.now
    with store.ledger.batch("returns") as batch:
        recorded = batch.record(readings)
        return recorded, batch.apply([decide(history, bench.policy, bench.now) for history in recorded.histories])


def a_usual_month(bench: Bench, days: int = 10, recipients: int = 3) -> datetime:
    """Some refusals a day; gives the day after."""
    for day in range(days):
        take(bench, range(10_000 + day * recipients, 10_000 + (day + 1) * recipients), START + day * DAY)
    return START + days * DAY


def only(bench: Bench) -> Incident:
    (incident,) = bench.store.incidents.all()
    return incident


def test_a_surge_is_held_back_and_taken_back(bench: Bench) -> None:
    """Gmail refused mailboxes that exist for some hours in December 2020."""
    bad_day = a_usual_month(bench)
    first, _ = take(bench, range(60), bad_day)
    assert first.incidents == ()
    assert bench.answer("person7@gmail.example") is not None  # nobody can know yet

    second, changed = take(bench, range(60, 300), bad_day + timedelta(hours=1))
    (opened,) = second.incidents
    assert changed == 0
    assert (opened.provider, opened.recipients, opened.usual, opened.held) == ("google.example", 300, 3, 240)
    assert "account that you tried to reach does not exist" in opened.wording
    assert bench.answer("person100@gmail.example") is None

    third, changed = take(bench, range(300, 320), bad_day + timedelta(hours=3))
    assert (third.incidents, changed) == ((), 0)

    assert bench.store.incidents.revert(opened.id, actor="user:ops", note="the provider said so", now=bench.now) == 60
    assert bench.answer("person7@gmail.example") is None
    assert bench.answer("person310@gmail.example") is None
    assert bench.answer("person10000@gmail.example") is not None  # a death of an ordinary day
    assert only(bench).state is IncidentState.REVERTED
    *_, last = bench.store.suppressions.changes(since=0)
    assert (last.action, last.actor) == ("remove", "user:ops")


def test_what_was_taken_back_never_counts_again(bench: Bench) -> None:
    bad_day = a_usual_month(bench)
    take(bench, range(200), bad_day)
    bench.store.incidents.revert(only(bench).id, actor="user:ops", note=None, now=bench.now)

    later = bad_day + 30 * DAY
    full = {"diagnostic": "452 4.2.2 over quota", "status": EnhancedStatus(4, 2, 2), "category": "mailbox-full"}
    take(bench, range(5, 6), later, class_=BounceClass.SOFT, **full)
    assert bench.answer("person5@gmail.example") is None
    take(bench, range(5, 6), later + DAY)
    assert bench.answer("person5@gmail.example") is not None  # new evidence of its own


def test_a_confirmed_surge_suppresses_what_was_held(bench: Bench) -> None:
    bad_day = a_usual_month(bench)
    take(bench, range(200), bad_day)
    assert bench.answer("person5@gmail.example") is None
    incident = only(bench)

    changed = bench.store.incidents.confirm(
        incident.id, lambda history: decide(history, Policy(), bench.now), actor="user:ops", note=None, now=bench.now
    )
    assert changed == 200
    assert bench.answer("person5@gmail.example") is not None
    more, changed = take(bench, range(200, 300), bad_day + timedelta(hours=2))
    assert (more.incidents, changed) == ((), 100)


def test_an_entry_that_stood_before_is_as_it_was(bench: Bench) -> None:
    day = a_usual_month(bench, days=1)
    for number in range(4):
        at = day + number * 6 * DAY
        bench.process(reading(soft("person5@gmail.example", at=at), ref=f"full {number}", at=at))
    before = bench.answer("person5@gmail.example", now=day + 19 * DAY)
    assert before is not None
    for number in range(1, 10):
        take(bench, range(20_000 + number, 20_001 + number), day + (10 + number) * DAY)
    bad_day = day + 20 * DAY
    take(bench, range(90), bad_day)
    take(bench, range(90, 200), bad_day + timedelta(hours=1))
    assert bench.answer("person5@gmail.example") != before

    bench.store.incidents.revert(only(bench).id, actor="user:ops", note=None, now=bench.now)
    assert bench.answer("person5@gmail.example") == before


@pytest.mark.parametrize("days", [0, 6])
def test_without_a_week_nobody_knows_what_is_usual(bench: Bench, days: int) -> None:
    recorded, changed = take(bench, range(200), a_usual_month(bench, days))
    assert (recorded.incidents, changed) == ((), 200)


def test_fewer_than_a_hundred_recipients_are_no_surge(bench: Bench) -> None:
    bad_day = a_usual_month(bench)
    for hour in range(3):  # the same people again
        recorded, _ = take(bench, range(99), bad_day + timedelta(hours=hour))
        assert recorded.incidents == ()


def test_what_is_usual_is_no_surge(bench: Bench) -> None:
    recorded, _ = take(bench, range(200), a_usual_month(bench, recipients=40))
    assert recorded.incidents == ()


def test_a_backlog_is_neither_a_surge_nor_a_baseline(bench: Bench) -> None:
    """Ten days of mail that are read in one night, the last of them full of dead addresses."""
    bench.now = START + 30 * DAY
    bench.store.ledger._now = lambda: bench.now
    for day in range(10):
        at = START + day * DAY
        readings = [reading(refused(n, at), ref=f"{day}/{n}", at=at) for n in range(day * 300, day * 300 + 300)]
        with bench.store.ledger.batch("returns") as batch:
            assert batch.record(readings).incidents == ()
    assert bench.count("pulse") == 0


def test_what_is_decided_is_decided(bench: Bench) -> None:
    take(bench, range(200), a_usual_month(bench))
    id_ = only(bench).id
    bench.store.incidents.revert(id_, actor="user:ops", note=None, now=bench.now)
    with pytest.raises(UsageError, match="reverted by user:ops"):
        bench.store.incidents.revert(id_, actor="user:ops", note=None, now=bench.now)
    with pytest.raises(UsageError, match="no incident 99"):
        bench.store.incidents.get(99)


def test_a_recipient_counts_once_a_day_however_often_it_is_refused(bench: Bench) -> None:
    for batch, numbers in enumerate([range(40), range(20, 60), range(40)]):
        take(bench, numbers, START + timedelta(minutes=batch), original=f"<letter-{batch}@sender.example>")
    (pulse,) = bench.rows("pulse")
    assert pulse["recipients"] == 60
    assert len(bench.rows("pulse_event")) == 120
