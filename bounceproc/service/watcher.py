"""One folder or file watched for years: connect, read, wait, and begin again whatever happens."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from bounceproc.errors import TemporaryError
from bounceproc.service.batchlog import BatchLog
from bounceproc.service.run import Summary
from bounceproc.service.worker import State, Worker

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from bounceproc.errors import BounceprocError
    from bounceproc.pipeline import BatchResult
    from bounceproc.ports import WatchedSource

LEASE_PAUSE: Final = 2.0
"""Seconds between two questions for a folder that another process reads."""


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
class Watch:
    """What one thread does: read one folder, whenever there is something new in it."""

    mailbox: str
    folder: str | None
    """None for a source that has no folders."""
    lease: Callable[[], AbstractContextManager[Callable[[], None]]]
    """Takes the folder for us alone, without waiting; what it gives raises once the lease is lost."""
    source: Callable[[], AbstractContextManager[WatchedSource]]
    """Connects."""
    round_: Round
    interval: float
    """Seconds between two looks, where the source is not told of new mail."""
    total: Summary | None = None
    """Counts all rounds together, for whoever wants to know at the end."""

    def worker(self, stopping: threading.Event, changed: Callable[[], None]) -> Watcher:
        """Who does it."""
        return Watcher(self, stopping, changed)


class Watcher(Worker):
    """Such a thread."""

    def __init__(self, job: Watch, stopping: threading.Event, changed: Callable[[], None]) -> None:
        super().__init__(BatchLog(job.mailbox, job.folder), stopping, changed)
        self.job = job

    # ---- in the thread -----------------------------------------------------------------------------------------------

    def _session(self) -> None:
        """One connection, from its beginning to its end."""
        with ExitStack() as held:
            still_held = self._take(held)
            if still_held is None:
                return
            self._enter(State.CONNECTING)
            source = held.enter_context(self.job.source())
            self.log.tell(logging.INFO, "connected")
            while not self._stopped():
                still_held()
                self._enter(State.READING)
                self._round(source)
                self._works()
                if not self._stopped():
                    self._enter(State.WAITING)
                    source.wait(self.job.interval, self._stopped)

    def _take(self, held: ExitStack) -> Callable[[], None] | None:
        """Take the lease, or wait until whoever has it is gone; None when we are to stop."""
        while not self._stopped():
            try:
                return held.enter_context(self.job.lease())
            except TemporaryError as error:
                self._wait_for_lease(error)
        return None

    def _wait_for_lease(self, error: BounceprocError) -> None:
        if self.state is not State.ELSEWHERE:
            self.log.tell(logging.WARNING, f"waiting: {error.what}")
        self._enter(State.ELSEWHERE, error)
        self._pause(LEASE_PAUSE)

    def _round(self, source: WatchedSource) -> None:
        summary = Summary(self.job.mailbox)
        self.log.begin()
        try:
            self.job.round_(source, summary, on_batch=self._on_batch, stop=self._stopped)
        finally:
            if self.job.total is not None:
                self.job.total.include(summary)
        if summary.resumed:
            self.log.tell(logging.INFO, "settled what an earlier run recorded", messages=summary.resumed)
        if not summary.messages:
            self.log.nothing(source.facts())

    def _on_batch(self, result: BatchResult, _done: int, _total: int | None) -> None:
        self.log.batch(result)
