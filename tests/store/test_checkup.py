"""What is seen of a database without changing it, and a rehearsal that leaves no row, on both databases."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from bounceproc.classify.classifier import default_classifier
from bounceproc.doctor import rehearse
from bounceproc.errors import ConfigError
from bounceproc.finding import Finding, Level
from bounceproc.pipeline import Pipeline
from bounceproc.policy.settings import Policy
from bounceproc.ports import Checkpoint
from bounceproc.rawmessage import RawMessage
from bounceproc.store import shredding
from bounceproc.store.checkup import check_database, check_folder, check_privacy, reached
from bounceproc.store.engine import Database
from bounceproc.store.lease import lease
from bounceproc.store.schema import Schema
from bounceproc.store.store import Store
from bounceproc.store.tables import metadata
from tests.store.kit import DAY, START, Bench, bounce, reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bounceproc.pipeline import BatchResult
    from bounceproc.ports import MessageBatch, Recorder


@pytest.fixture
def pepper(tmp_path: Path) -> Path:
    path = tmp_path / "pepper"
    path.write_text("ab" * 32)
    return path


@pytest.fixture
def store(url: str, pepper: Path) -> Iterator[Store]:
    Schema(url).upgrade()
    with Store.open(url, pepper_file=pepper) as opened:
        yield opened


def found(url: str, pepper: Path) -> dict[str, Finding]:
    return {finding.check: finding for finding in check_database(url, pepper)}


def counts(url: str) -> dict[str, int]:
    database = Database(url)
    with database.reading() as connection:
        rows = {
            t.name: connection.scalar(sa.select(sa.func.count()).select_from(t)) or 0 for t in metadata.sorted_tables
        }
    database.close()
    return rows


def test_a_good_database_has_no_failure(store: Store, url: str, pepper: Path) -> None:
    findings = found(url, pepper)
    assert {finding.level for finding in findings.values()} <= {Level.OK, Level.NOTE, Level.WARNING}
    assert findings["schema"].level is findings["pepper"].level is findings["reachable"].level is Level.OK
    assert store.keys.id in findings["pepper"].what


def test_an_empty_database_says_what_makes_its_tables(url: str, pepper: Path) -> None:
    schema = found(url, pepper)["schema"]
    assert schema.level is (Level.NOTE if url.startswith("sqlite") else Level.FAILURE)
    assert "first poll" in schema.advice or "db upgrade" in schema.advice
    assert list(check_folder(url, "returns", "INBOX")) == []
    assert reached(url, "returns", "INBOX") is None


def test_another_databases_pepper_is_a_failure_and_a_missing_one_too(store: Store, url: str, pepper: Path) -> None:
    pepper.write_text("cd" * 32)
    assert found(url, pepper)["pepper"].level is Level.FAILURE
    pepper.unlink()
    with pytest.raises(ConfigError, match=store.keys.id):
        found(url, pepper)


def test_a_folder_in_use_names_its_holder(store: Store, url: str) -> None:
    database = Database(url)
    with store.ledger.batch("returns") as batch:
        batch.advance(Checkpoint("INBOX", 7, 42))
    before = {finding.check: finding for finding in check_folder(url, "returns", "INBOX")}
    with lease(database, "returns", "INBOX"):
        held = {finding.check: finding for finding in check_folder(url, "returns", "INBOX")}
        other = {finding.check: finding for finding in check_folder(url, "returns", "Junk")}
    database.close()

    assert (before["lease"].level, held["lease"].level, other["lease"].level) == (Level.OK, Level.NOTE, Level.OK)
    assert "is being read by" in held["lease"].what
    assert reached(url, "returns", "INBOX") == Checkpoint("INBOX", 7, 42)


@pytest.mark.parametrize(("free", "level"), [(50, Level.FAILURE), (500, Level.WARNING), (5000, Level.OK)])
def test_room_on_the_disk(
    tmp_path: Path, pepper: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: Level
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free * 2**20))
    assert found(f"sqlite:///{tmp_path / 'none.db'}", pepper)["disk"].level is level
    assert not (tmp_path / "none.db").exists()


def test_a_database_newer_than_the_program_is_a_failure(tmp_path: Path, pepper: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    Schema(url).upgrade()
    with sqlite3.connect(tmp_path / "new.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert "newer than this program" in found(url, pepper)["schema"].what


class Memory:
    """A folder in memory."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def put(self, messages: Sequence[bytes]) -> None:
        self.messages += messages

    def read(self, ids: Sequence[str]) -> list[RawMessage]:
        ahead = datetime.now(UTC) + timedelta(hours=1)
        return [RawMessage(f"{len(ids)};{at}", data, ahead) for at, data in enumerate(self.messages)]

    def remove(self, _ids: Sequence[str]) -> tuple[int, str]:
        gone = len(self.messages)
        self.messages.clear()
        return gone, ""


def rehearsed(store: Store, place: Any) -> dict[str, Finding]:
    def process(ledger: Recorder, batch: MessageBatch) -> BatchResult:
        made = Pipeline(
            ledger=ledger, classifier=default_classifier(), policy=Policy(), clock=lambda: datetime.now(UTC)
        )
        return made.process("returns", batch)

    return {finding.check: finding for finding in rehearse("mailbox returns", place, store.ledger, process)}


def test_a_rehearsal_records_decides_and_leaves_no_row(store: Store, url: str) -> None:
    before = counts(url)
    findings = rehearsed(store, Memory())

    assert findings["events"].level is Level.OK
    assert "2 suppressions followed" in findings["events"].what
    assert findings["clearing"].level is Level.OK
    assert findings["clock"].level is Level.WARNING
    assert counts(url) == before


def test_samples_that_were_changed_on_the_way_are_a_failure(store: Store, url: str) -> None:
    class Mangled(Memory):
        def put(self, messages: Sequence[bytes]) -> None:
            self.messages += [message.replace(b"multipart/report", b"text/plain") for message in messages]

    before = counts(url)
    findings = rehearsed(store, Mangled())
    assert findings["events"].level is Level.FAILURE
    assert findings["clearing"].level is Level.OK
    assert counts(url) == before


def test_backups_must_hold_the_pepper_and_the_finding_says_what_to_do(store: Store, url: str, pepper: Path) -> None:
    told = found(url, pepper)["backup"]
    assert str(pepper) in told.what
    assert "apart from the database" in told.advice
    assert "forget them again" in told.advice


def test_retention_that_is_behind_is_told(url: str, tmp_path: Path) -> None:
    limits = {"raw": 30 * DAY, "events": 730 * DAY}
    with Bench.prepare(url, tmp_path) as bench:
        bench.process(reading(bounce()))
        now = datetime.now(UTC)
        (fine,) = check_privacy(url, limits=limits, hash_only=False, now=now + 31 * DAY)
        (behind,) = check_privacy(url, limits=limits, hash_only=False, now=now + 33 * DAY)
        assert (fine.check, fine.level, behind.level) == ("retention", Level.OK, Level.WARNING)
        assert (behind.what, "bounceproc purge" in behind.advice) == ("more than 2 days over their time: copies", True)
        bench.store.purging.work(limits, now + 33 * DAY)
        (fine,) = check_privacy(url, limits=limits, hash_only=False, now=now + 33 * DAY)
        assert fine.level is Level.OK


def test_plaintext_from_before_hash_only_and_traces_of_the_forgotten_are_told(url: str, tmp_path: Path) -> None:
    with Bench.prepare(url, tmp_path) as bench:
        bench.process(reading(bounce()))
        with bench.database.writing() as connection:
            shredding.announce(connection)
        told = {one.check: one.level for one in check_privacy(url, limits={}, hash_only=True, now=START)}
    assert told == {"retention": Level.OK, "traces": Level.WARNING, "hash_only": Level.WARNING}
