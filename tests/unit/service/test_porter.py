"""A door that is kept records what is handed over, says what went wrong, and does what is due while nobody waits."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.errors import BounceprocError, UnavailableError
from bounceproc.rawmessage import RawMessage
from bounceproc.service.porter import Door, Porter
from bounceproc.service.worker import STUCK_AFTER, State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PATIENCE = 10.0
MESSAGES = [RawMessage("lmtp#1", b"", None)]


class Handed:
    """A receiver that may fail."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.error: Exception | None = None

    def begin(self) -> None:
        self.log.append("begun")

    def record(self, messages: Sequence[RawMessage]) -> None:
        if self.error is not None:
            raise self.error
        self.log.append(f"recorded {len(messages)}")

    def settle(self) -> None:
        self.log.append("settled")


def kept(
    serve: Callable[..., None], receiver: Handed, idle: Callable[[Callable[[], bool]], None] = lambda _stop: None
) -> tuple[Porter, threading.Event]:
    stopping = threading.Event()

    def server(record: Any, **asked: Any) -> None:
        try:
            serve(record, **asked)
        finally:
            stopping.set()

    def made(_on_batch: Any) -> Any:
        return receiver

    porter = Door(name="lmtp", place="unix:lmtp", serve=server, receiver=made, idle=idle).worker(stopping, lambda: None)
    porter.start()
    deadline = time.monotonic() + PATIENCE
    while not porter.has_ended:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return porter, stopping


def test_what_was_answered_is_marked_when_the_server_ends() -> None:
    receiver = Handed()
    kept(lambda record, **_: record(MESSAGES), receiver)
    assert receiver.log == ["begun", "recorded 1", "settled"]


def test_a_database_that_is_away_is_said_until_it_is_back_and_the_door_stays_open() -> None:
    receiver, seen = Handed(), []

    def serve(record: Any, **_: Any) -> None:
        receiver.error = UnavailableError("the database does not answer")
        with pytest.raises(UnavailableError):
            record(MESSAGES)
        seen.append((porters[0].state, porters[0].error))
        receiver.error = None
        record(MESSAGES)
        seen.append((porters[0].state, porters[0].error))

    porters: list[Porter] = []
    original = Porter.start

    def start(porter: Porter) -> None:
        porters.append(porter)
        original(porter)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Porter, "start", start)
        kept(serve, receiver)
    (away, error), (back, none) = seen
    assert away is back is State.WAITING
    assert isinstance(error, BounceprocError)
    assert none is None


@pytest.mark.parametrize("error", [UnavailableError("away"), ValueError("a mistake of ours")], ids=["away", "a bug"])
def test_what_is_due_never_shuts_the_door(error: Exception) -> None:
    receiver = Handed()

    def idle(_stop: Callable[[], bool]) -> None:
        raise error

    def serve(record: Any, *, rest: Any, **_: Any) -> None:
        rest(lambda: False)
        record(MESSAGES)

    kept(serve, receiver, idle)
    assert receiver.log == ["begun", "recorded 1", "settled"]


def test_what_is_due_is_left_as_soon_as_somebody_waits() -> None:
    asked: list[bool] = []

    def serve(_record: Any, *, rest: Any, **_: Any) -> None:
        rest(lambda: False)
        rest(lambda: True)

    kept(serve, Handed(), lambda stop: asked.append(stop()))
    assert asked == [False, True]


def test_a_recorder_that_hangs_is_no_sign_of_life() -> None:
    found: list[bool] = []

    def idle(_stop: Callable[[], bool]) -> None:
        (porter,) = porters
        begun = porter._beat
        porter._asked_to_stop()
        found.extend((porter._beat == begun, porter.is_stuck(begun + STUCK_AFTER + 1)))

    porters: list[Porter] = []
    init = Porter.__init__

    def noted(porter: Porter, *arguments: Any) -> None:
        init(porter, *arguments)
        porters.append(porter)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Porter, "__init__", noted)
        kept(lambda _record, *, rest, **_: rest(lambda: False), Handed(), idle)
    assert found == [True, True]
