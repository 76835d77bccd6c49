"""A watcher outlives whatever its source, its ledger or its own code does, and says what it is at."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.errors import AccessError, BounceprocError, ConfigError, TemporaryError, UnavailableError
from bounceproc.service.watcher import LEASE_PAUSE, Watch, Watcher
from bounceproc.service.worker import REFUSED_PAUSE, STUCK_AFTER, State
from tests.unit.fakes import FakeSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 10.0


@dataclass
class Scene:
    """A job whose rounds go as written: an error to raise, or None for a round that finds nothing."""

    rounds: list[Exception | None]
    leases: list[Exception | None] = field(default_factory=list)
    lost: Exception | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    states: list[State] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        job = Watch(
            mailbox="returns",
            folder="INBOX",
            lease=self.lease,
            source=self.source,
            round_=self.round_,
            interval=1,
        )
        self.watcher = Watcher(job, self.stopping, lambda: self.states.append(self.watcher.state))

    @contextmanager
    def lease(self) -> Iterator[Callable[[], None]]:
        error = self.leases.pop(0) if self.leases else None
        if error is not None:
            raise error
        yield self.check

    def check(self) -> None:
        if self.lost is not None:
            error, self.lost = self.lost, None
            raise error

    @contextmanager
    def source(self) -> Iterator[Any]:
        self.connections += 1
        yield _Patient([], [])

    def round_(self, source: Any, summary: Any, **_options: Any) -> None:
        error = self.rounds.pop(0) if self.rounds else None
        if not self.rounds:
            self.stopping.set()
        if error is not None:
            raise error

    def run(self) -> None:
        self.watcher.start()
        deadline = time.monotonic() + PATIENCE
        while not self.watcher.has_ended:
            assert time.monotonic() < deadline, self.states
            time.sleep(0.005)


class _Patient(FakeSource):
    def wait(self, timeout: float, stopped: Callable[[], bool]) -> None:
        stopped()

    def facts(self) -> dict[str, int | str]:
        return {"messages": 3}


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were asked for, none of which is made."""
    asked: list[float] = []
    monkeypatch.setattr(Watcher, "_pause", lambda _self, seconds: asked.append(seconds))
    return asked


@pytest.mark.parametrize(
    "error",
    [UnavailableError("gone"), TemporaryError("locked"), BounceprocError("odd"), ValueError("a bug"), MemoryError()],
)
def test_after_any_error_it_connects_anew_and_goes_on(error: Exception, pauses: list[float]) -> None:
    scene = Scene([error, error, None])
    scene.run()

    assert scene.connections == 3
    assert len(pauses) == 2
    assert 0 < pauses[0] <= 1 <= pauses[1] * 1.0001 <= 2.001
    assert State.PAUSING in scene.states


def test_a_round_that_worked_makes_the_next_pause_a_first_one(pauses: list[float]) -> None:
    gone = UnavailableError("gone")
    Scene([gone, gone, gone, None, gone, None]).run()

    assert pauses[2] >= 2
    assert pauses[3] <= 1


@pytest.mark.parametrize("error", [AccessError("wrong password"), ConfigError("no such folder")])
def test_a_refusal_is_not_hammered(error: BounceprocError, pauses: list[float]) -> None:
    scene = Scene([error, None])
    scene.run()

    assert pauses == [REFUSED_PAUSE]
    assert State.REFUSED in scene.states


def test_settings_that_worked_before_are_no_mistake(pauses: list[float]) -> None:
    scene = Scene([None, ConfigError("the folder is gone"), None])
    scene.run()

    assert State.REFUSED not in scene.states
    assert pauses[0] <= 1


def test_a_password_that_is_refused_after_it_worked_stops_all_the_same(pauses: list[float]) -> None:
    scene = Scene([None, AccessError("expired"), None])
    scene.run()

    assert pauses == [REFUSED_PAUSE]


def test_a_lease_held_elsewhere_is_waited_for_and_nothing_is_opened(pauses: list[float]) -> None:
    scene = Scene([None], leases=[TemporaryError("held"), TemporaryError("held"), None])
    scene.run()

    assert pauses == [LEASE_PAUSE] * 2
    assert scene.connections == 1
    assert scene.states[0] is State.ELSEWHERE


def test_a_lease_that_was_lost_is_taken_again_before_anything_is_read() -> None:
    scene = Scene([None], lost=UnavailableError("the database ended the session"))
    scene.run()

    assert scene.connections == 2


def test_it_is_stuck_when_it_gives_no_sign_of_life_and_never_once_it_ended() -> None:
    scene = Scene([None])
    entered, leave = threading.Event(), threading.Event()

    def hang(*_: Any, **__: Any) -> None:
        entered.set()
        leave.wait(PATIENCE)
        scene.stopping.set()

    scene.round_ = hang  # type: ignore[method-assign]
    scene.__post_init__()
    scene.watcher.start()
    assert entered.wait(PATIENCE)
    now = time.monotonic()
    assert not scene.watcher.is_stuck(now)
    assert scene.watcher.is_stuck(now + STUCK_AFTER + 1)
    leave.set()
    while not scene.watcher.has_ended:
        time.sleep(0.005)
    assert not scene.watcher.is_stuck(now + STUCK_AFTER + 1)
