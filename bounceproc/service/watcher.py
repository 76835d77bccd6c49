"""One folder watched for years: connect, read, wait, and begin again whatever happens."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from bounceproc.errors import AccessError, BounceprocError, ConfigError, TemporaryError
from bounceproc.service.backoff import Backoff
from bounceproc.service.batchlog import BatchLog
from bounceproc.service.run import Summary

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from bounceproc.pipeline import BatchResult
    from bounceproc.ports import WatchedSource

LEASE_PAUSE: Final = 2.0
"""Seconds between two questions for a folder that another process reads."""
REFUSED_PAUSE: Final = 3600.0
"""Seconds until a mailbox that refused us, or whose settings cannot serve, is tried once more. Faster tries lock accounts."""
STUCK_AFTER: Final = 600.0
"""Seconds without a sign of life. A server may be silent for two minutes in the middle of an answer, and each batch is one."""
HEARTBEAT: Final = 5.0
"""Seconds between two signs of life during a pause."""


class State(StrEnum):
    """What a watcher is at."""

    CONNECTING = "connecting"
    READING = "reading"
    WAITING = "waiting for mail"
    ELSEWHERE = "read by another process"
    PAUSING = "trying again"
    REFUSED = "stopped"
    ENDED = "ended"


class Round(Protocol):
    """`run_once` with a ledger and a pipeline."""

    def __call__(
        self,
        source: Any,
        summary: Summary,
        *,
        on_batch: Callable[[BatchResult, int, int | None], None],
        stop: Callable[[], bool],
    ) -> None:
        """Read the source to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one thread does: read one folder, whenever there is something new in it."""

    mailbox: str
    folder: str
    lease: Callable[[], AbstractContextManager[Callable[[], None]]]
    """Takes the folder for us alone, without waiting; what it gives raises once the lease is lost."""
    source: Callable[[], AbstractContextManager[WatchedSource]]
    """Connects."""
    round_: Round
    interval: float
    """Seconds between two looks, where the source is not told of new mail."""


class Watcher:
    """A job in its thread."""

    def __init__(self, job: Job, stopping: threading.Event, changed: Callable[[], None]) -> None:
        self.job = job
        self.state = State.CONNECTING
        self.error: BounceprocError | None = None
        """Why it is stopped, or tries again."""
        self._log = BatchLog(job.mailbox, job.folder)
        self._stopping = stopping
        self._changed = changed
        self._backoff = Backoff()
        self._worked = False
        self._beat = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"{job.mailbox} {job.folder}", daemon=True)

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

    def _run(self) -> None:
        try:
            while not self._stopped():
                self._attempt()
        finally:
            self._log.tell(logging.INFO, "ended")
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

    def _session(self) -> None:
        """One connection, from its beginning to its end."""
        with ExitStack() as held:
            still_held = self._take(held)
            if still_held is None:
                return
            self._enter(State.CONNECTING)
            source = held.enter_context(self.job.source())
            self._log.tell(logging.INFO, "connected")
            while not self._stopped():
                still_held()
                self._enter(State.READING)
                self._round(source)
                self._backoff.reset()
                self._worked = True
                if not self._stopped():
                    self._enter(State.WAITING)
                    source.wait(self.job.interval, self._stopped)

    def _take(self, held: ExitStack) -> Callable[[], None] | None:
        """Take the lease, or wait until whoever has it is gone; None when we are to stop."""
        while not self._stopped():
            try:
                return held.enter_context(self.job.lease())
            except TemporaryError as error:
                if self.state is not State.ELSEWHERE:
                    self._log.tell(logging.WARNING, f"waiting: {error.what}")
                self._enter(State.ELSEWHERE, error)
            self._pause(LEASE_PAUSE)
        return None

    def _round(self, source: WatchedSource) -> None:
        summary = Summary(self.job.mailbox)
        self._log.begin()
        self.job.round_(source, summary, on_batch=self._on_batch, stop=self._stopped)
        if summary.resumed:
            self._log.tell(logging.INFO, "settled what an earlier run recorded", messages=summary.resumed)
        if not summary.messages:
            self._log.nothing(source.facts())

    def _on_batch(self, result: BatchResult, _done: int, _total: int | None) -> None:
        self._log.batch(result)

    def _refused(self, error: BounceprocError) -> None:
        if isinstance(error, ConfigError) and self._worked:  # a folder or certificate that was there comes back
            self._lost(error, error.what)
            return
        self._enter(State.REFUSED, error)
        self._log.tell(
            logging.ERROR,
            f"stopped: {error.what}",
            advice=error.advice or None,
            retry_seconds=int(REFUSED_PAUSE),
            outcome=type(error).__name__,
        )
        self._pause(REFUSED_PAUSE)

    def _lost(self, error: Exception, what: str, *, unforeseen: bool = False) -> None:
        if self._stopped():
            self._log.tell(logging.WARNING, f"ended with an error: {what}")
            return
        pause = self._backoff.next()
        known = error if isinstance(error, BounceprocError) else BounceprocError(what)
        self._enter(State.PAUSING, known)
        self._log.tell(
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
