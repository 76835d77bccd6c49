"""What is over its time goes, and nothing that was decided changes by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from bounceproc.address import Address
from bounceproc.policy.decide import decide
from bounceproc.ports import Flight
from bounceproc.store import addresses, purging
from bounceproc.store.purging import KINDS
from tests.store.kit import DAY, START, Bench, bounce, complaint, delivery, reading, soft

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = {"raw": 30 * DAY, "events": 730 * DAY}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> Clock:
    return Clock(monkeypatch, bench)


class Clock:
    """Says when things are recorded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
        self.now = START
        monkeypatch.setattr(bench.store.ledger, "_now", lambda: self.now)


def live(bench: Bench, clock: Clock) -> None:
    """Two years of mail, a message of each kind on each of three days."""
    for number, day in enumerate((0, 700, 729)):
        clock.now = bench.now = START + day * DAY
        bench.process(
            reading(bounce(f"hard{number}@example.com", at=bench.now), ref=f"{number} hard"),
            reading(soft("soft@example.com", at=bench.now), ref=f"{number} soft"),
            reading(complaint("angry@example.com", at=bench.now), ref=f"{number} complaint"),
            reading(ref=f"{number} bad", error="cannot read it"),
        )


def test_each_kind_has_its_own_time(bench: Bench, clock: Clock) -> None:
    live(bench, clock)
    now = START + 731 * DAY
    assert bench.store.purging.counts(LIMITS, now) == {"copies": 8, "events": 3, "errors": 1}

    assert bench.store.purging.work(LIMITS, now) == {"copies": 8, "events": 3, "errors": 1}

    assert bench.store.purging.counts(LIMITS, now) == {}
    assert bench.store.purging.work(LIMITS, now) == {}
    assert sum(row["raw"] is not None for row in bench.rows("message")) == 4
    assert (bench.count("event"), bench.count("message")) == (6, 12)


def test_nothing_is_purged_that_is_kept_for_ever(bench: Bench, clock: Clock) -> None:
    live(bench, clock)
    assert bench.store.purging.work({}, START + 9000 * DAY) == {}


def test_what_policy_decided_and_would_decide_stays_as_it_is(bench: Bench, clock: Clock) -> None:
    live(bench, clock)
    before = _decided(bench)
    now = START + 3000 * DAY
    bench.store.purging.work(LIMITS, now)
    assert (bench.count("event"), bench.store.purging.counts(LIMITS, now)) == (0, {})
    assert _decided(bench) == before
    assert bench.answer("hard0@example.com")
    # The same mail again is known by its digest, and the same event by the history of its address.
    recorded, changed = bench.process(reading(bounce("hard0@example.com", at=START), ref="0 hard"))
    assert (recorded.new, changed) == (0, 0)
    recorded, changed = bench.process(reading(bounce("hard0@example.com", at=START), ref="other door", body="else"))
    assert (recorded.new, changed) == (1, 0)
    bench.process(reading(delivery("soft@example.com", at=bench.now + DAY), ref="later"))
    assert bench.answer("angry@example.com")


def _decided(bench: Bench) -> list[Any]:
    with bench.database.reading() as connection:
        rows = connection.execute(sa.text("SELECT key FROM address ORDER BY key")).scalars().all()
        histories = addresses.lock(connection, [bytes(key) for key in rows])
    verdicts = [repr(decide(addresses.history_of(row), bench.policy, bench.now)) for row in histories.values()]
    return [bench.rows(table) for table in ("address", "suppression", "suppression_change", "review")] + verdicts


def test_batches_are_bounded_and_the_next_run_goes_on(
    bench: Bench, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.now = START
    bench.process(*(reading(bounce(f"u{n}@example.com"), ref=str(n)) for n in range(25)))
    monkeypatch.setattr(purging, "BATCH", 4)
    now = START + 9000 * DAY
    seen: list[int] = []
    assert bench.store.purging.work(LIMITS, now, batches=2, on_progress=seen.append) == {"copies": 8, "events": 8}
    assert seen == [4, 8, 12, 16]
    asked = iter([False, False, True])
    assert bench.store.purging.work(LIMITS, now, stop=lambda: next(asked)) == {"copies": 8}
    assert bench.store.purging.work(LIMITS, now) == {"copies": 9, "events": 17}


def test_the_rest_goes_too(bench: Bench, clock: Clock) -> None:
    bench.store.ledger.announce("returns", Flight("INBOX;", "INBOX;UIDVALIDITY=7/;UID=", (1,)))
    bench.store.ledger.failed("returns", "INBOX;", ["INBOX;UIDVALIDITY=7/;UID=1"], "too much")
    with bench.store.ledger.batch("returns") as batch:
        histories = batch.record([reading(bounce("o@example.com"), ref="o")]).histories
        batch.observe([decide(history, bench.policy, START + DAY) for history in histories])
    bench.now = START
    bench.suppress("who@example.com", note="she called", reason="import")
    bench.store.keeping.keep(
        Address.parse("w@example.com"), scope="*", until=None, note="x", consent="y", actor="op", now=START
    )
    with bench.database.writing() as connection:
        connection.execute(sa.text("INSERT INTO pulse VALUES (:f, '2026-01-01', 'x', 3)"), {"f": b"12345678"})
    limits = {"events": DAY, "observed": DAY, "changes": DAY}
    versions = [row["version"] for row in bench.rows("suppression_change")]

    purged = bench.store.purging.work(limits, START + 300 * DAY)

    assert purged == {"events": 1, "attempts": 1, "observed": 1, "changes": 2, "counts": 1}
    assert bench.store.audit.verify().is_whole
    told = bench.rows("suppression_change")
    assert [row["version"] for row in told] == versions
    assert "called" not in repr(told)
    assert "example.com" not in repr(told)
    assert [change.suppression.reason for change in bench.store.suppressions.changes(since=0)] == ["import", "manual"]
    assert [row["note"] for row in bench.rows("suppression")] == ["she called"], (
        "the entry itself keeps why it is there"
    )


def test_two_at_once_and_a_poller_beside_them_are_in_nobodys_way(url: str, bench: Bench, clock: Clock) -> None:
    live(bench, clock)
    now = START + 9000 * DAY
    counts = bench.store.purging.counts(LIMITS, now)
    with Bench.prepare(url, bench.pepper_file.parent) as other:
        if not bench.database.is_sqlite:  # there a second writer waits for the first
            with bench.database.writing() as connection:
                purging._batch(connection, KINDS[0], now)
                assert other.store.purging.work(LIMITS, now) == {"events": counts["events"]}, (
                    "it passes by what is taken"
                )
                other.process(reading(bounce("late@example.com"), ref="late"))
    bench.store.purging.work(LIMITS, now)
    assert bench.store.purging.counts(LIMITS, now).keys() <= {"copies", "events"}


def test_what_is_old_is_found_by_an_index(tmp_path: Path) -> None:
    """On a large table a scan would take minutes in each idle moment."""
    with Bench.prepare(f"sqlite:///{tmp_path / 'x.db'}", tmp_path) as bench, bench.database.reading() as connection:
        for kind in KINDS[:3]:
            statement = sa.select(kind.table.primary_key.columns[0]).where(kind.old(START)).limit(5)
            text = str(statement.compile(connection.engine, compile_kwargs={"literal_binds": True}))
            plan = "; ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))
            assert "USING INDEX" in plan, plan
            assert "SCAN" not in plan, plan
