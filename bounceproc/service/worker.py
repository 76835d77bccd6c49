"""One thread that works for years: whatever happens it begins again, and it says what it is at."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from bounceproc.errors import AccessError, BounceprocError, ConfigError
from bounceproc.service.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from bounceproc.service.batchlog import BatchLog

REFUSED_PAUSE: Final = 3600.0
"""Seconds until whoever refused us, or whose settings cannot serve, is tried once more. Faster tries lock accounts."""
STUCK_AFTER: Final = 600.0
"""Seconds without a sign of life. A server may be silent for two minutes in the middle of an answer, and each batch is one."""
HEARTBEAT: Final = 5.0
"""Seconds between two signs of life during a pause."""


class State(StrEnum):
    """What a worker is at."""

    CONNECTING = "connecting"
    READING = "reading"
    WAITING = "waiting for mail"
    ELSEWHERE = "read by another process"
    PAUSING = "trying again"
    REFUSED = "stopped"
    ENDED = "ended"


class Job(Protocol):
    """Something to be done for years."""

    def worker(self, stopping: threading.Event, changed: Callable[[], None]) -> Worker:
        """Who does it, until `stopping`; `changed` is called when its state is another one."""


class Worker(ABC):
    """A job in its thread: session after session, each from its beginning to its end."""

    def __init__(self, log: BatchLog, stopping: threading.Event, changed: Callable[[], None]) -> None:
        self.state = State.CONNECTING
        self.error: BounceprocError | None = None
        """Why it is stopped, or tries again."""
        self.log: Final = log
        self._stopping = stopping
        self._changed = changed
        self._backoff = Backoff()
        self._worked = False
        self._beat = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=log.place, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        """Whether its thread is done."""
        return self.state is State.ENDED

    def is_stuck(self, now: float) -> bool:
        """Whether it gave no sign of life for longer than any of its work takes."""
        return not self.has_ended and now - self._beat > STUCK_AFTER

    # ---- in the thread -----------------------------------------------------------------------------------------------

    @abstractmethod
    def _session(self) -> None:
        """All that is done until it is asked to stop, or something breaks."""

    def _run(self) -> None:
        try:
            while not self._stopped():
                self._attempt()
        finally:
            self.log.tell(logging.INFO, "ended")
            self._enter(State.ENDED)

    def _attempt(self) -> None:
        try:
            self._session()
        except (AccessError, ConfigError) as error:
            self._refused(error)
        except BounceprocError as error:
            self._lost(error, error.what)
        except Exception as error:  # noqa: BLE001 - no mistake of ours, or of a library's, ends the watch
            self._lost(error, f"{type(error).__name__}: {error}", unforeseen=True)

    def _works(self) -> None:
        """What was begun works: the next failure is a first one."""
        self._backoff.reset()
        self._worked = True

    def _refused(self, error: BounceprocError) -> None:
        if isinstance(error, ConfigError) and self._worked:  # a folder or certificate that was there comes back
            self._lost(error, error.what)
            return
        self._enter(State.REFUSED, error)
        self.log.tell(
            logging.ERROR,
            f"stopped: {error.what}",
            advice=error.advice or None,
            retry_seconds=int(REFUSED_PAUSE),
            outcome=type(error).__name__,
        )
        self._pause(REFUSED_PAUSE)

    def _lost(self, error: Exception, what: str, *, unforeseen: bool = False) -> None:
        if self._stopped():
            self.log.tell(logging.WARNING, f"ended with an error: {what}")
            return
        pause = self._backoff.next()
        known = error if isinstance(error, BounceprocError) else BounceprocError(what)
        self._enter(State.PAUSING, known)
        self.log.tell(
            logging.ERROR if unforeseen else logging.WARNING,
            f"lost: {what}",
            error=error if unforeseen else None,
            retry_seconds=round(pause, 1),
            outcome=type(error).__name__,
        )
        self._pause(pause)

    def _enter(self, state: State, error: BounceprocError | None = None) -> None:
        self._beat = time.monotonic()
        if (state, error) != (self.state, self.error):
            self.state, self.error = state, error
            self._changed()

    def _stopped(self) -> bool:
        self._beat = time.monotonic()
        return self._stopping.is_set()

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._stopped() and (left := deadline - time.monotonic()) > 0:
            self._stopping.wait(min(left, HEARTBEAT))
