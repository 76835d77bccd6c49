"""Sources that keep filling, and messages that are handed over."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING

import pytest

from bounceproc.classify.classifier import default_classifier
from bounceproc.errors import BounceprocError, ConfigError, UnavailableError
from bounceproc.pipeline import Pipeline
from bounceproc.policy.settings import Policy
from bounceproc.ports import MessageBatch, RawMessage, Settlement
from bounceproc.service.follow import MAX_PAUSE, SOON, Followed, Following
from bounceproc.service.receive import SETTLED_AT_ONCE, Receiver
from bounceproc.service.run import Summary
from tests.unit.fakes import FakeLedger, batch_of
from tests.unit.mails import ORDINARY, dsn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def pipeline_on(ledger: FakeLedger) -> Pipeline:
    return Pipeline(ledger=ledger, classifier=default_classifier(), policy=Policy(), clock=lambda: datetime.now(UTC))


class Box:
    """A source that gives what a test put into it, or fails."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_waiting = False
        self.filled: list[MessageBatch] = []
        self.error: Exception | None = None

    def batches(self) -> Iterator[MessageBatch]:
        if self.error is not None:
            raise self.error
        while self.filled:
            yield self.filled.pop(0)

    def settle(self, settlements: Sequence[Settlement]) -> None:
        pass


class Story:
    """Rounds, each begun by a step of the test; the last one stops."""

    def __init__(self, *boxes: Box) -> None:
        self.ledger = FakeLedger([])
        self.stop = Event()
        self.followed = [Followed(box, Summary(box.name)) for box in boxes]
        self.pauses: list[float] = []
        self.failures: list[tuple[str, str]] = []

    def run(self, rounds: int) -> None:
        def wait(seconds: float) -> None:
            self.pauses.append(seconds)
            if len(self.pauses) == rounds:
                self.stop.set()

        Following(
            ledger=self.ledger,
            pipeline=pipeline_on(self.ledger),
            stop=self.stop,
            interval=100,
            on_batch=lambda _name, _result: None,
            on_failure=lambda name, error: self.failures.append((name, error.what)),
        ).run(self.followed, wait)


def test_one_that_fails_never_stops_the_others_and_is_tried_later_each_time() -> None:
    broken, well = Box("broken"), Box("well")
    broken.error = UnavailableError("it is away")
    well.filled = [batch_of(dsn()), batch_of(ORDINARY, start=2)]
    story = Story(broken, well)
    story.run(rounds=8)
    assert story.followed[1].summary.messages == 2
    assert story.failures == [("broken", "it is away")] * 8
    assert story.pauses == [2, 4, 8, 16, 32, MAX_PAUSE, MAX_PAUSE, MAX_PAUSE]


def test_what_only_a_person_can_put_right_ends_the_run() -> None:
    broken = Box("broken")
    broken.error = ConfigError("the pepper is another one")
    with pytest.raises(ConfigError, match="pepper"):
        Story(broken).run(rounds=1)


def test_what_is_unfinished_is_looked_at_soon() -> None:
    box = Box("box")
    box.is_waiting = True
    story = Story(box)
    story.run(rounds=1)
    box.is_waiting = False
    story.stop.clear()
    story.run(rounds=2)
    assert story.pauses == [SOON, 100]


def test_a_stop_ends_the_run_behind_the_batch_at_hand() -> None:
    box = Box("box")
    box.filled = [batch_of(dsn()), batch_of(ORDINARY, start=2)]
    story = Story(box)
    record = story.ledger.record

    def stopping(readings: object) -> object:
        story.stop.set()
        return record(readings)  # type: ignore[arg-type]

    story.ledger.record = stopping  # type: ignore[method-assign, assignment]
    story.run(rounds=1)
    assert story.followed[0].summary.messages == 1
    assert story.ledger.log[-1].startswith("settled")
    assert len(box.filled) == 1


def test_messages_handed_over_are_marked_as_settled_many_at_once() -> None:
    ledger = FakeLedger([])
    receiver = Receiver("lmtp", ledger, pipeline_on(ledger), Summary("lmtp"))
    for number in range(SETTLED_AT_ONCE - 1):
        receiver.record([RawMessage(f"lmtp#{number}", ORDINARY, None)])
    assert not any(line.startswith("settled") for line in ledger.log)
    receiver.record([RawMessage("lmtp#last", ORDINARY, None)])
    assert sum(line.startswith("settled") for line in ledger.log) == 1


def test_a_message_that_is_committed_is_answered_whatever_becomes_of_the_mark() -> None:
    class Unmarking(FakeLedger):
        def settled(self, source: str, refs: Sequence[str]) -> None:
            raise UnavailableError("gone in between")

    ledger = Unmarking([])
    receiver = Receiver("lmtp", ledger, pipeline_on(ledger), Summary("lmtp"))
    receiver.record([RawMessage(f"lmtp#{number}", ORDINARY, None) for number in range(SETTLED_AT_ONCE)])
    with pytest.raises(BounceprocError):
        receiver.settle()
