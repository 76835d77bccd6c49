"""What falls due is done in bounded parts, once, and as the evidence says by then."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from bounceproc.address import Address
from bounceproc.policy.settings import Policy, Threshold
from bounceproc.store import due
from bounceproc.store.due import Done, Due
from tests.store.kit import DAY, START, Bench, bounce, delivery, reading, soft

if TYPE_CHECKING:
    from bounceproc.ports import Suppression

WEEK = Policy(hard=Threshold(second_look=timedelta(days=7)))
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _cautious(bench: Bench) -> None:
    bench.policy = WEEK
    bench.now = START + DAY


def work(bench: Bench, policy: Policy = WEEK) -> Done:
    return Due(bench.database, now=lambda: bench.now).work(policy)


def entry(bench: Bench, address: str = "user@example.com") -> Suppression:
    found = bench.answer(address)
    assert found is not None
    return found


def test_the_first_bounce_suppresses_for_the_time_being_and_then_for_good(bench: Bench) -> None:
    bench.process(reading(bounce()))
    assert (entry(bench).until, entry(bench).second_look) == (START + 7 * DAY + MINUTE, True)
    assert work(bench) == Done()
    bench.now = START + 9 * DAY
    assert entry(bench).second_look, "nobody is mailed because nobody looked in time"
    assert work(bench) == Done(permanent=1)
    assert work(bench) == Done()
    assert (entry(bench).until, entry(bench).second_look) == (None, False)
    assert entry(bench).note == "bad-mailbox: 1 message on 1 day; no sign of delivery until 2026-03-09T10:01:00Z"
    assert [change.action for change in bench.store.suppressions.changes(since=0)] == ["add", "change"]


def test_a_second_message_makes_it_permanent_and_a_second_report_of_the_first_does_not(bench: Bench) -> None:
    bench.process(reading(bounce(original="<1@x>")))
    bench.process(reading(bounce(at=START + DAY, original="<1@x>"), ref="2"))
    assert entry(bench).second_look
    bench.process(reading(bounce(at=START + DAY, original="<2@x>"), ref="3"))
    assert (entry(bench).until, entry(bench).second_look) == (None, False)
    assert work(bench) == Done()


def test_a_sign_of_delivery_lifts_it_and_the_next_bounce_is_a_first_one(bench: Bench) -> None:
    bench.process(reading(bounce()))
    bench.process(reading(delivery(at=START + 2 * DAY), ref="2"))
    assert bench.answer("user@example.com") is None
    bench.now = START + 4 * DAY
    bench.process(reading(bounce(at=START + 3 * DAY), ref="3"))
    assert (entry(bench).until, entry(bench).second_look) == (START + 10 * DAY + MINUTE, True)


def test_a_delivery_that_comes_after_its_time_lifts_nothing(bench: Bench) -> None:
    bench.process(reading(bounce()))
    bench.now = START + 30 * DAY
    work(bench)
    bench.process(reading(delivery(at=START + 20 * DAY), ref="2"))
    assert entry(bench).until is None


def test_with_its_evidence_gone_it_becomes_permanent_as_announced(bench: Bench) -> None:
    bench.process(reading(bounce()))
    with bench.database.writing() as connection:
        connection.execute(sa.text("UPDATE address SET history = '[1]'"))
    bench.now = START + 9 * DAY
    assert work(bench) == Done(permanent=1)
    assert entry(bench).until is None


def test_what_is_over_leaves_the_list_and_the_feed_says_so(bench: Bench) -> None:
    bench.suppress("a@example.com", until=bench.now + DAY)
    bench.suppress("b@example.com")
    given = [reading(soft("c@example.com", at=START + n * DAY), ref=str(n)) for n in (0, 5, 10, 15)]
    bench.now = START + 20 * DAY
    bench.process(*given)
    assert work(bench) == Done(expired=1)
    bench.now = START + 400 * DAY
    assert work(bench) == Done(expired=1)
    listed = bench.store.suppressions.suppressions(now=bench.now, include_expired=True)
    assert [one.address for one in listed] == ["b@example.com"]
    assert [change.action for change in bench.store.suppressions.changes(since=0)] == ["add"] * 3 + ["remove"] * 2


def test_a_decision_to_go_on_sending_ends_and_the_feed_says_so(bench: Bench) -> None:
    user = Address.parse("user@example.com")
    keep: dict[str, Any] = {"scope": "*", "note": "why", "consent": None, "actor": "tester", "now": bench.now}
    bench.store.keeping.keep(user, until=bench.now + DAY, **keep)
    bench.store.keeping.keep(Address.parse("b@example.com"), until=None, **keep)
    bench.now += 2 * DAY
    assert (work(bench), work(bench)) == (Done(ended=1), Done())
    assert [change.action for change in bench.store.suppressions.changes(since=0)] == ["keep", "keep", "unkeep"]
    assert bench.process(reading(bounce(at=bench.now - timedelta(hours=1))))[1] == 1


def test_it_is_done_in_parts_of_few_statements(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "BATCH", 10)
    monkeypatch.setattr(due, "BATCHES", 3)
    bench.process(*(reading(bounce(f"u{n}@example.com"), ref=str(n)) for n in range(35)))
    bench.now = START + 9 * DAY
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    sa.event.listen(bench.database._engine, "before_cursor_execute", note)
    assert work(bench).permanent == 30
    sa.event.remove(bench.database._engine, "before_cursor_execute", note)
    assert len(seen) <= 3 * 12 + 4
    assert work(bench).permanent == 5


def test_while_it_is_only_observed_nothing_is_decided_anew(bench: Bench) -> None:
    bench.process(reading(bounce()))
    bench.now = START + 9 * DAY
    assert work(bench, Policy(enforce=False)) == Done(permanent=1)
