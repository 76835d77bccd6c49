"""Several writers at once: nothing is lost, nobody waits for ever, and the feed is in commit order."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from bounceproc.address import Address
from bounceproc.errors import TemporaryError, UnavailableError
from bounceproc.store import engine, histories, statements
from bounceproc.store.statements import retrying
from bounceproc.store.tables import address
from tests.store.kit import START, Bench, bounce, reading, soft

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.postgres import Postgres


def test_writers_of_the_same_histories_lose_nothing(bench: Bench) -> None:
    def poll(poller: int) -> None:
        for round_ in range(5):
            people = range(30) if poller % 2 else range(29, -1, -1)
            event_of = [
                soft(f"u{n}@dead.example", "expired", original=f"<{poller}.{round_}.{n}@sender.example>")
                for n in people
            ]
            bench.process(
                *(reading(event, ref=f"{poller}.{round_}.{n}") for n, event in enumerate(event_of)), source=f"p{poller}"
            )

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(poll, range(3)))
    people = [row for row in bench.rows("address") if not row["is_domain"]]
    assert [len(histories.load(row["history"])) for row in people] == [15] * 30
    assert bench.count("event") == 450


def test_the_same_mail_in_two_mailboxes_at_once_is_recorded_once(bench: Bench) -> None:
    start = threading.Barrier(2)

    def poll(source: str) -> int:
        start.wait()
        given = [reading(bounce(f"u{n}@example.com"), ref=f"{source}{n}", body=str(n)) for n in range(50)]
        if source == "b":
            given.reverse()
        recorded, _ = bench.process(*given, source=source)
        return recorded.new

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(poll, "ab")) == 50
    assert bench.count("event") == 50
    assert [row["duplicate_of"] is None for row in bench.rows("message")].count(True) == 50


def test_a_follower_of_the_feed_never_misses_a_version(bench: Bench) -> None:
    stop = threading.Event()
    followed: list[int] = []

    def follow() -> None:
        while True:
            last_round = stop.is_set()
            followed.extend(c.version for c in bench.store.suppressions.changes(since=followed[-1] if followed else 0))
            if last_round:
                return

    def write(writer: int) -> None:
        for n in range(15):
            bench.suppress(f"w{writer}n{n}@example.com")
            bench.process(reading(bounce(f"p{writer}n{n}@example.com"), ref=f"{writer}.{n}"), source=f"s{writer}")

    with ThreadPoolExecutor(3) as pool:
        follower = pool.submit(follow)
        list(pool.map(write, range(2)))
        stop.set()
        follower.result()
    assert followed == list(range(1, 61))


@pytest.mark.server
def test_postgresqls_versions_follow_the_commits_not_the_beginnings(postgres_url: str, tmp_path: Path) -> None:
    with Bench.prepare(postgres_url, tmp_path) as bench, ThreadPoolExecutor(1) as pool:
        with bench.store.ledger.batch("slow") as slow:
            slow.record([reading(bounce("slow@example.com"), ref="slow")])
            bench.suppress("fast@example.com")  # begins later, commits earlier
        assert bench.store.suppressions.version() == 1
        with bench.database.writing() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({0x626F756E63650002})")
            waiting = pool.submit(bench.suppress, "waiting@example.com")
            time.sleep(0.1)
            assert not waiting.done()  # whoever comes second waits for the commit of the first
        assert waiting.result(10)


@pytest.mark.server
def test_a_deadlock_is_resolved_by_doing_the_part_again(postgres_url: str, tmp_path: Path) -> None:
    with Bench.prepare(postgres_url, tmp_path) as bench:
        bench.process(reading(bounce("a@example.com"), bounce("b@example.com")))
        keys = [row["key"] for row in bench.rows("address")]
        meet, tries = threading.Barrier(2), []

        def work(connection: sa.Connection, first: bytes, second: bytes) -> None:
            tries.append(first)
            _lock(connection, first)
            if len(tries) <= 2:
                meet.wait()
            _lock(connection, second)

        def write(order: list[bytes]) -> None:
            with bench.database.writing() as connection:
                retrying(connection, lambda: work(connection, *order))

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(write, (keys, keys[::-1])))
        assert len(tries) == 3


def _lock(connection: sa.Connection, key: bytes) -> None:
    connection.execute(sa.select(address.c.key).where(address.c.key == key).with_for_update())


@pytest.mark.server
def test_a_conflict_that_does_not_end_is_a_matter_of_later(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "CONFLICT_ATTEMPTS", 2)
    tries = []

    def conflict(connection: sa.Connection) -> None:
        tries.append(1)
        connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$")

    def write(bench: Bench) -> None:
        with bench.database.writing() as connection:
            retrying(connection, lambda: conflict(connection))

    with Bench.prepare(postgres_url, tmp_path) as bench:
        with pytest.raises(TemporaryError, match="again and again"):
            write(bench)
        assert len(tries) == 2


def test_a_reader_does_not_wait_for_a_writer(bench: Bench) -> None:
    bench.suppress("user@example.com")
    with bench.store.ledger.batch("returns") as batch:
        batch.record([reading(bounce("other@example.com"))])
        began = time.monotonic()
        assert bench.answer("user@example.com")
        assert bench.answer("other@example.com") is None
        assert bench.store.suppressions.version() == 1
        assert time.monotonic() - began < 5


def test_a_second_writer_of_sqlite_waits_and_then_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT", 0.1)
    with (
        Bench.prepare(f"sqlite:///{tmp_path / 'x.db'}", tmp_path) as bench,
        bench.store.ledger.batch("returns"),
        pytest.raises(TemporaryError, match="locked by another program"),
    ):
        bench.suppress("user@example.com")


@pytest.mark.server
def test_a_second_writer_of_postgresql_waits_and_then_gives_up(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT", 1)
    with Bench.prepare(postgres_url, tmp_path) as bench, bench.store.ledger.batch("returns") as batch:
        batch.record([reading(bounce())])
        with pytest.raises(TemporaryError, match="keeps a lock for somebody else"):
            bench.suppress("user@example.com")


def test_a_full_disk_is_told_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    with Bench.prepare(f"sqlite:///{tmp_path / 'x.db'}", tmp_path) as bench:
        with bench.database.writing() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
        given = [reading(bounce(f"u{n}@example.com"), ref=str(n)) for n in range(500)]
        with pytest.raises(UnavailableError, match=r"disk .* is full\. Free space"):
            bench.process(*given)
        assert bench.count("message") == 0


@pytest.mark.server
def test_a_server_that_goes_away_in_between_is_unavailable(
    postgres: Postgres, postgres_url: str, tmp_path: Path
) -> None:
    with Bench.prepare(postgres_url, tmp_path) as bench:
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

        def break_off() -> None:
            with bench.store.ledger.batch("returns") as batch:
                postgres.execute(end, str(sa.make_url(postgres_url).database))
                batch.record([reading(bounce())])

        with pytest.raises(UnavailableError):
            break_off()
        assert bench.process(reading(bounce()))[1] == 1  # the pool finds out by itself that its connections are dead


def test_what_is_committed_is_on_the_disk(tmp_path: Path) -> None:
    with Bench.prepare(f"sqlite:///{tmp_path / 'x.db'}", tmp_path) as bench, bench.database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


@pytest.mark.server
def test_a_server_in_a_hurry_waits_for_the_disk_all_the_same(
    postgres: Postgres, postgres_url: str, tmp_path: Path
) -> None:
    name = sa.make_url(postgres_url).database
    for given, wanted in (("off", "on"), ("remote_apply", "remote_apply")):
        postgres.execute(f"ALTER DATABASE {name} SET synchronous_commit = {given}")
        with Bench.prepare(postgres_url, tmp_path) as bench, bench.database.reading() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == wanted


def test_a_change_by_hand_and_a_batch_take_turns(bench: Bench) -> None:
    def poll(n: int) -> None:
        bench.process(reading(bounce("user@example.com", at=START + timedelta(hours=n)), ref=str(n)))

    def lift(n: int) -> None:
        bench.suppress("user@example.com", note=str(n))
        bench.lift("user@example.com")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda job: job[0](job[1]), [(job, n) for n in range(8) for job in (poll, lift)]))
    feed = list(bench.store.suppressions.changes(since=0))
    assert [change.version for change in feed] == list(range(1, len(feed) + 1))
    subject = Address.parse("user@example.com")
    standing = bench.store.suppressions.status(subject, stream=None, now=bench.now).suppressions
    added = sum(change.action == "add" for change in feed) - sum(change.action == "remove" for change in feed)
    assert len(standing) == added
