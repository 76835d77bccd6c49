"""Record, commit, and only then touch the mailbox; what a crash left open is closed first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bounceproc.classify.classifier import default_classifier
from bounceproc.errors import UnavailableError
from bounceproc.pipeline import Pipeline
from bounceproc.policy.settings import Policy
from bounceproc.ports import Outcome, Reader, Settlement
from bounceproc.service.run import Summary, run_once
from tests.unit.fakes import FakeLedger, FakeSource, batch_of
from tests.unit.mails import NO_RECIPIENT, ORDINARY, complaint, dsn

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def run(source: FakeSource, ledger: FakeLedger, **options: Any) -> Summary:
    summary = Summary(source.name)
    run_once(source, ledger, pipeline_on(ledger), summary, **options)
    return summary


def pipeline_on(ledger: FakeLedger, policy: Policy | None = None, reader: Reader | None = None) -> Pipeline:
    return Pipeline(
        ledger=ledger, classifier=default_classifier(), policy=policy or Policy(), clock=lambda: NOW, reader=reader
    )


def test_a_batch_is_recorded_then_committed_then_settled() -> None:
    log: list[str] = []
    ledger = FakeLedger(log)
    source = FakeSource([batch_of(dsn(), ORDINARY, checkpoint=True)], log)

    run(source, ledger)

    assert log == ["begin fake", "record 2", "advance 2", "commit", "settle m1=report m2=unrecognised", "settled m1 m2"]


def test_what_an_interrupted_run_left_unsettled_is_settled_before_anything_is_read() -> None:
    log: list[str] = []
    ledger = FakeLedger(log, pending=[Settlement("old", Outcome.REPORT)])

    summary = run(FakeSource([batch_of(dsn())], log), ledger)

    assert log[:2] == ["settle old=report", "settled old"]
    assert summary.resumed == 1


def test_what_was_done_until_an_error_is_counted() -> None:
    log: list[str] = []
    ledger = FakeLedger(log)
    source = FakeSource([batch_of(dsn())], log, fail_settling=UnavailableError("gone"))
    summary = Summary("fake")

    with pytest.raises(UnavailableError):
        run_once(source, ledger, pipeline_on(ledger), summary)

    assert (summary.messages, summary.suppressions) == (1, 1)


def test_a_source_that_fails_while_settling_leaves_the_commit_and_no_mark() -> None:
    log: list[str] = []
    ledger = FakeLedger(log)
    source = FakeSource([batch_of(dsn())], log, fail_settling=UnavailableError("gone"))

    with pytest.raises(UnavailableError):
        run(source, ledger)

    assert log == ["begin fake", "record 1", "commit"]


def test_a_dry_run_records_and_settles_nothing() -> None:
    log: list[str] = []
    ledger = FakeLedger(log, pending=[Settlement("old", Outcome.REPORT)])

    summary = run(FakeSource([batch_of(dsn(), complaint())], log), ledger, dry_run=True)

    assert log == []
    assert summary.messages == 2
    assert summary.events == {"bounce": 1, "complaint": 1}


def test_a_summary_counts_kinds_events_and_names_the_malformed() -> None:
    log: list[str] = []
    ledger = FakeLedger(log)

    summary = run(FakeSource([batch_of(dsn(), complaint(), ORDINARY, NO_RECIPIENT)], log), ledger)

    assert summary.kinds == {"dsn": 1, "arf": 1, "other": 1, "malformed": 1}
    assert summary.classes == {"hard": 1}
    assert [ref for ref, _ in summary.malformed] == ["m4"]
    assert summary.to_dict()["messages"] == 4


def test_progress_is_told_after_each_batch() -> None:
    log: list[str] = []
    ledger = FakeLedger(log)
    told: list[tuple[int, int | None]] = []
    batches = [batch_of(dsn("a@example.com")), batch_of(dsn("b@example.com"), start=2)]

    run(
        FakeSource(batches, log),
        ledger,
        on_batch=lambda _result, done, total: told.append((done, total)),
    )

    assert told == [(1, 1), (2, 1)]
