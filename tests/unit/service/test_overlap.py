"""A folder by two hands: what is announced, recorded and settled in which order, and who is blamed for a sudden end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.classify.classifier import default_classifier
from bounceproc.errors import FullError, TemporaryError, UnavailableError
from bounceproc.pipeline import meant
from bounceproc.ports import WORTH_A_READER, Attempt, Flight, MessageBatch, Outcome, Settlement
from bounceproc.service import overlap
from bounceproc.service.run import Summary, run_once
from tests.unit import fakes
from tests.unit.fakes import FakeFolder, FakeLedger, batch_of
from tests.unit.mails import dsn
from tests.unit.service.test_run import pipeline_on

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bounceproc.ports import Meaning, Reader
    from bounceproc.rawmessage import RawMessage


def mail(count: int) -> list[MessageBatch]:
    return [batch_of(dsn(f"u{n}@example.com"), start=n, checkpoint=True) for n in range(1, count + 1)]


def run(source: FakeFolder, ledger: FakeLedger, reader: Reader | None = None, **options: Any) -> Summary:
    summary = Summary(source.name)
    run_once(source, ledger, pipeline_on(ledger, reader=reader), summary, **options)
    return summary


def test_everything_is_announced_before_it_is_read_and_settled_after_its_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(overlap, "STRIDE", 1)
    for room in (overlap, fakes):
        monkeypatch.setattr(room, "READ_AHEAD", 2)
    log: list[str] = []
    ledger = FakeLedger(log)

    summary = run(FakeFolder(mail(4), log), ledger)

    assert summary.messages == 4
    of_ledger = [line for line in log if not line.startswith("settle")]
    assert of_ledger[:6] == ["announce m1 m2 m3", "begin fake", "record 1", "advance 1", "announce m2 m3 m4", "commit"]
    assert [line for line in log if line.startswith("announce")][1:] == [
        "announce m2 m3 m4",
        "announce m3 m4",
        "announce m4",
        "announce",
    ]
    commits = [number for number, line in enumerate(log) if line == "commit"]
    settles = [log.index(f"settle m{n}=report") for n in range(1, 5)]
    assert all(commit < settle for commit, settle in zip(commits, settles, strict=True))
    settled = " ".join(line.removeprefix("settled ") for line in log if line.startswith("settled "))
    assert settled.split() == ["m1", "m2", "m3", "m4"]
    assert ledger.announced is None
    assert "landed" not in log  # the last batch's record said so


@pytest.mark.parametrize(("count", "strides"), [(1, [1]), (2, [1, 1]), (3, [2, 1]), (5, [2, 2, 1]), (6, [2, 2, 1, 1])])
def test_what_was_recorded_is_settled_in_strides_and_the_last_batch_alone(
    count: int, strides: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlap, "STRIDE", 2)
    log: list[str] = []
    ledger = FakeLedger(log)

    run(FakeFolder([replace(batch, total=count) for batch in mail(count)], log), ledger)

    assert [line.count("=report") for line in log if line.startswith("settle ")] == strides
    assert ledger.pending == []


def test_what_a_suspect_came_behind_is_settled_before_it_is_read() -> None:
    log: list[str] = []
    first, second = mail(2)
    source = FakeFolder([replace(first, alone=True), second], log, breaks=UnavailableError("gone"))

    with pytest.raises(UnavailableError):
        run(source, FakeLedger(log))

    assert "settle m1=report" in log


def test_what_was_recorded_and_not_settled_comes_first_of_this_folder_alone() -> None:
    log: list[str] = []
    ledger = FakeLedger(log, pending=[Settlement("m9", Outcome.REPORT), Settlement("other", Outcome.REPORT)])
    summary = run(FakeFolder(mail(1), log), ledger)
    assert log[:2] == ["settle m9=report", "settled m9"]
    assert summary.resumed == 1


def test_a_folder_without_anything_new_costs_no_transaction() -> None:
    log: list[str] = []
    run(FakeFolder([], log), FakeLedger(log))
    assert log == []


def test_what_a_run_left_in_the_air_had_an_attempt() -> None:
    log: list[str] = []
    ledger = FakeLedger(log, announced=Flight("m", "m", (1, 2)))
    run(FakeFolder([], log), ledger)
    assert ledger.tried == {"m1": Attempt(1, "stranded"), "m2": Attempt(1, "stranded")}


def test_what_was_asked_for_when_the_server_left_had_an_attempt_and_the_rest_is_recorded() -> None:
    log: list[str] = []
    ledger = FakeLedger(log)
    source = FakeFolder(mail(3), log, breaks=UnavailableError("it hung up"))
    with pytest.raises(UnavailableError):
        run(source, ledger)
    assert ledger.tried == {"m3": Attempt(1, "it hung up")}
    assert "advance 2" in log
    assert ledger.announced is None


def test_a_server_that_leaves_before_anything_was_asked_for_blames_nobody() -> None:
    log: list[str] = []
    ledger = FakeLedger(log)
    source = FakeFolder(mail(3), log, breaks=UnavailableError("it hung up"), asked=False)
    with pytest.raises(UnavailableError):
        run(source, ledger)
    assert ledger.tried == {}


def test_a_database_that_is_away_blames_nobody() -> None:
    log: list[str] = []
    ledger = FakeLedger(log, fail_on=b"u2@", error=TemporaryError("locked"))
    with pytest.raises(TemporaryError):
        run(FakeFolder(mail(3), log), ledger)
    assert ledger.tried == {}
    assert ledger.announced is None
    assert log[-1] == "landed"


def test_a_mistake_of_our_own_over_a_batch_is_an_attempt_of_its_messages() -> None:
    log: list[str] = []
    ledger = FakeLedger(log, fail_on=b"u2@", error=ZeroDivisionError("by nothing"))
    with pytest.raises(ZeroDivisionError):
        run(FakeFolder(mail(3), log), ledger)
    assert ledger.tried == {"m2": Attempt(1, "ZeroDivisionError: by nothing")}


def test_a_refused_move_ends_the_run_and_stays_due() -> None:
    log: list[str] = []
    source = FakeFolder(mail(5), log, fail_settling=UnavailableError("over quota"))
    with pytest.raises(UnavailableError, match="over quota"):
        run(source, FakeLedger(log))
    assert not [line for line in log if line.startswith("settled")]
    assert 1 <= log.count("commit") <= 5


def test_where_no_room_is_left_reports_are_recorded_all_the_same_and_the_end_tells() -> None:
    log: list[str] = []
    ledger = FakeLedger(log, pending=[Settlement("m9", Outcome.REPORT)])
    source = FakeFolder(mail(5), log, fail_settling=FullError("the account is full"))
    summary = Summary("fake")
    with pytest.raises(FullError):
        run_once(source, ledger, pipeline_on(ledger), summary)
    assert (summary.messages, summary.resumed) == (5, 0)
    assert log.count("commit") == 5
    assert not [line for line in log if line.startswith("settled")]


def test_a_run_ends_after_the_batch_when_asked_to() -> None:
    log: list[str] = []
    summary = run(FakeFolder(mail(5), log), FakeLedger(log), stop=lambda: True)
    assert summary.messages == 1
    assert log[-2:] == ["settled m1", "landed"]


def test_whoever_wants_to_be_gone_at_once_breaks_the_conversation_off() -> None:
    log: list[str] = []

    def leave(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(FakeFolder(mail(3), log), FakeLedger(log), on_batch=leave)
    assert "interrupt" in log


class FakeReader:
    """Reads beside, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def begin(self, messages: Sequence[RawMessage]) -> Callable[[], Sequence[Meaning]]:
        self.asked += [message.ref for message in messages]
        return lambda: [meant(message, default_classifier(), b"packed " + message.data) for message in messages]


@pytest.mark.parametrize(("total", "is_beside"), [(None, False), (3, False), (WORTH_A_READER, True)])
def test_where_there_is_much_to_read_it_is_read_beside(total: int | None, is_beside: bool) -> None:
    reader, log = FakeReader(), list[str]()
    kept: list[bytes | None] = []
    batches = [replace(batch, total=total) for batch in mail(2)]
    ledger = FakeLedger(log)
    run(
        FakeFolder(batches, log),
        ledger,
        reader=reader,
        on_batch=lambda result, *_: kept.extend(r.copy for r in result.readings),
    )
    refs = [message.ref for batch in batches for message in batch.messages]
    assert reader.asked == (refs if is_beside else [])
    assert kept == [b"packed " + batch.messages[0].data if is_beside else None for batch in batches]
    assert ledger.counts["event:bounce"] == 2


def test_counters_are_raised_with_each_batch() -> None:
    ledger = FakeLedger([])
    run(FakeFolder(mail(3), []), ledger)
    assert ledger.counts == {"batches": 3, "messages": 3, "suppressions": 3, "event:bounce": 3, "bounce:hard": 3}
