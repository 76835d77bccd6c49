"""All that goes on for years side by side: started, reloaded and ended together, and reported to whoever started us."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass
from signal import SIGHUP
from typing import TYPE_CHECKING, Any, Final

from bounceproc.errors import BounceprocError, ConfigError
from bounceproc.service.backoff import Backoff
from bounceproc.service.logs import tell
from bounceproc.service.signals import listening
from bounceproc.service.worker import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from bounceproc.service.notify import Notifier
    from bounceproc.service.signals import Inbox
    from bounceproc.service.worker import Job

TICK: Final = 1.0
"""Seconds between two looks at the workers, when none of them has news."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a configuration asks for, ready to begin."""

    jobs: tuple[Job, ...]
    close: Callable[[], None]
    """Gives back what the jobs share."""
    one: str = "mailbox"
    many: str = "folders"
    """What the jobs are about, for people."""


class Crew:
    """The workers of one plan."""

    def __init__(self, plan: Plan, changed: Callable[[], None]) -> None:
        self.plan: Final = plan
        self._stopping = threading.Event()
        self.workers: Final = [job.worker(self._stopping, changed) for job in plan.jobs]

    def start(self) -> None:
        """Begin, each in its thread."""
        for worker in self.workers:
            worker.start()

    def stop(self) -> None:
        """Let each end after its batch."""
        self._stopping.set()

    @property
    def has_ended(self) -> bool:
        """Whether all threads are done."""
        return all(worker.has_ended for worker in self.workers)

    def close(self) -> None:
        """Give back what they shared."""
        self.plan.close()

    @property
    def refusal(self) -> BounceprocError | None:
        """The first refusal, once nobody is left who works."""
        if not all(worker.state is State.REFUSED for worker in self.workers):
            return None
        return next((worker.error for worker in self.workers if worker.error is not None), None)

    def status(self) -> str:
        """One line for people: how many there are, what they are at, and what is wrong."""
        counts = Counter(worker.state for worker in self.workers)
        parts = [f"{counts[state]} {state.value}" for state in State if counts[state]]
        wrong = [f"{worker.log.place}: {worker.error.what}" for worker in self.workers if worker.error is not None]
        return "; ".join([f"{len(self.workers)} {self.plan.many}: {', '.join(parts)}", *wrong])


def supervise(build: Callable[[], Plan], notifier: Notifier) -> int:
    """Work until a signal ends it; returns the exit code. `build` reads the configuration, at the start and at each SIGHUP.

    Raises:
        BounceprocError: the first configuration cannot serve, or the database refuses it.

    """
    with listening(reload=True) as inbox:
        return _Supervisor(build, notifier, inbox).run()


class _Supervisor:
    def __init__(self, build: Callable[[], Plan], notifier: Notifier, inbox: Inbox) -> None:
        self._build = build
        self._notifier = notifier
        self._inbox = inbox
        self._next: Plan | None = None
        self._alive_at = 0.0
        self._was_stuck = False

    def run(self) -> int:
        plan = self._first_plan()
        if plan is None:
            return 0
        self._crew = self._begin(plan)
        ending, code = False, 0
        while not (ending and self._crew.has_ended):
            number = self._inbox.next(min(TICK, self._notifier.watchdog or TICK))
            if number is SIGHUP and not ending:
                self._reload()
            elif self._inbox.is_ending and not ending:
                ending = self._end("asked to end: after the current batch")
            elif not ending and self._next is None and (refusal := self._crew.refusal) is not None:
                tell(logging.CRITICAL, f"no {self._crew.plan.one} is left to watch")
                code = refusal.exit_code
                ending = self._end("ending")
            self._take_over()
            self._report()
        self._crew.close()
        tell(logging.INFO, "ended")
        return code

    def _first_plan(self) -> Plan | None:
        """The plan to begin with; a database that is away may come back, None when we are to end before that."""
        backoff = Backoff()
        while not self._inbox.is_ending:
            try:
                return self._build()
            except BounceprocError as error:
                if not error.retry:
                    raise
                pause = backoff.next()
                tell(logging.WARNING, f"not started yet: {error.what}", retry_seconds=round(pause, 1))
                self._notifier.status(f"not started yet: {error.what}")
            self._pause(pause)
        return None

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._inbox.is_ending and (left := deadline - time.monotonic()) > 0:
            self._inbox.next(min(left, TICK))
            self._notifier.alive()

    def _begin(self, plan: Plan) -> Crew:
        crew = Crew(plan, self._inbox.wake)
        crew.start()
        counted: dict[str, Any] = {plan.many: len(plan.jobs)}
        tell(logging.INFO, "watching", **counted)
        self._notifier.status(crew.status())
        self._notifier.ready()
        return crew

    def _end(self, why: str) -> bool:
        tell(logging.INFO, why)
        self._notifier.stopping()
        self._crew.stop()
        if self._next is not None:
            self._next.close()
            self._next = None
        return True

    def _reload(self) -> None:
        """All or nothing: what runs goes on until everything that is new was found to be right."""
        self._notifier.reloading()
        try:
            plan = self._build()
        except BounceprocError as error:
            problems = error.problems if isinstance(error, ConfigError) else ()
            tell(logging.ERROR, f"not reloaded, the old configuration stays: {error.what}", advice=error.advice or None)
            for problem in problems:
                tell(logging.ERROR, f"not reloaded: {problem}")
            self._notifier.ready()
            return
        if self._next is not None:
            self._next.close()
        self._next = plan
        tell(logging.INFO, "configuration read again; taking over after the current batches")
        self._crew.stop()

    def _take_over(self) -> None:
        if self._next is not None and self._crew.has_ended:
            self._crew.close()
            self._crew, self._next = self._begin(self._next), None

    def _report(self) -> None:
        self._notifier.status(self._crew.status())
        now = time.monotonic()
        stuck = [worker for worker in self._crew.workers if worker.is_stuck(now)]
        if bool(stuck) is not self._was_stuck:
            self._was_stuck = bool(stuck)
            for worker in stuck:
                worker.log.tell(logging.CRITICAL, "no sign of life")
        if not stuck and self._notifier.watchdog and now - self._alive_at >= min(TICK, self._notifier.watchdog):
            self._alive_at = now
            self._notifier.alive()
