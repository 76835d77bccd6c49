"""The door of an MTA, kept open for years: what is handed over is recorded, and in between what is due is done."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from bounceproc.errors import BounceprocError
from bounceproc.service.batchlog import BatchLog
from bounceproc.service.worker import State, Worker

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from bounceproc.pipeline import BatchResult
    from bounceproc.rawmessage import RawMessage
    from bounceproc.service.receive import Receiver


class Serve(Protocol):
    """A server's whole life."""

    def __call__(
        self,
        record: Callable[[Sequence[RawMessage]], None],
        *,
        stopped: Callable[[], bool],
        rest: Callable[[Callable[[], bool]], None],
    ) -> None:
        """Take messages until `stopped`, which is asked at least once a second.

        `record` returns when they are committed, and raises when they are not; `rest` is called now and then while nobody waits,
        by the thread that records, and is told whether somebody does by now.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What one server is kept for."""

    name: str
    """In the ledger."""
    place: str
    serve: Serve
    receiver: Callable[[Callable[[BatchResult], None]], Receiver]
    idle: Callable[[Callable[[], bool]], None]
    """Does what is due, until it is told to stop."""

    def worker(self, stopping: threading.Event, changed: Callable[[], None]) -> Porter:
        """Who keeps it."""
        return Porter(self, stopping, changed)


class Porter(Worker):
    """A thread that serves."""

    def __init__(self, job: Door, stopping: threading.Event, changed: Callable[[], None]) -> None:
        super().__init__(BatchLog(job.name), stopping, changed)
        self.job = job
        self._at_work = False

    # ---- in the thread -----------------------------------------------------------------------------------------------

    def _session(self) -> None:
        receiver = self.job.receiver(self.log.batch)
        receiver.begin()
        self._enter(State.WAITING)
        self.log.tell(logging.INFO, "listening", place=self.job.place)
        try:
            self.job.serve(partial(self._record, receiver), stopped=self._asked_to_stop, rest=self._rest)
        finally:
            receiver.settle()

    def _asked_to_stop(self) -> bool:
        """A server that answers is alive, but not one whose recorder hangs."""
        if not self._at_work:
            self._beat = time.monotonic()
        return self._stopping.is_set()

    # ---- in the thread that records ----------------------------------------------------------------------------------

    def _record(self, receiver: Receiver, messages: Sequence[RawMessage]) -> None:
        self._begin_work()
        self.log.begin()
        try:
            receiver.record(messages)
        except BounceprocError as error:
            self._enter(State.WAITING, error)
            self._not_done("not recorded, and left to who brought it", error, messages=len(messages))
            raise
        except Exception as error:
            self.log.tell(
                logging.ERROR, "not recorded, and left to who brought it", error=error, messages=len(messages)
            )
            raise
        else:
            self._enter(State.WAITING)
            self._works()
        finally:
            self._at_work = False

    def _rest(self, is_wanted: Callable[[], bool]) -> None:
        self._begin_work()
        try:
            self.job.idle(lambda: self._stopping.is_set() or is_wanted())
        except BounceprocError as error:
            self._not_done("what is due was not done", error)
        except Exception as error:  # noqa: BLE001 - no mistake of ours shuts the door
            self.log.tell(logging.ERROR, "what is due was not done", error=error)
        finally:
            self._at_work = False

    def _begin_work(self) -> None:
        self._at_work = True
        self._beat = time.monotonic()

    def _not_done(self, what: str, error: BounceprocError, messages: int | None = None) -> None:
        self.log.tell(logging.WARNING, f"{what}: {error.what}", outcome=type(error).__name__, messages=messages)
