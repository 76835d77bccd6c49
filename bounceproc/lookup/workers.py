"""Several processes that answer side by side on the same sockets, with one mapped snapshot between them; one that dies is replaced."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_PAUSE: Final = 0.5
"""Seconds until a worker that ended is started again; twice as many each time that it did not last."""
LONGEST_PAUSE: Final = 60.0
"""At most; and who lasted that long starts with the first pause again."""

log: Final = logging.getLogger(__name__)


def spread(count: int, work: Callable[[int], None]) -> None:
    """Do the work in so many processes until SIGTERM or SIGINT; it begins before any thread is there.

    One is this process itself. Of several, all are children of this one, which only looks after them.
    """
    if count == 1:
        work(0)
        return
    _Foreman(work).run(count)


class _Foreman:
    def __init__(self, work: Callable[[int], None]) -> None:
        self._work = work
        self._stop = threading.Event()
        self._numbers: dict[int, int] = {}
        """The workers that live, by process."""
        self._since: dict[int, float] = {}
        """When each worker was started last."""
        self._pauses: dict[int, float] = {}

    def run(self, count: int) -> None:
        before = {one: signal.signal(one, self._asked_to_stop) for one in (signal.SIGTERM, signal.SIGINT)}
        try:
            for number in range(count):
                self._start(number)
            while not self._stop.is_set():
                self._replace(*os.wait())
        finally:
            self._asked_to_stop()
            for child in self._numbers:
                with suppress(ChildProcessError):
                    os.waitpid(child, 0)
            for one, handler in before.items():
                signal.signal(one, handler)

    def _asked_to_stop(self, *_: object) -> None:
        self._stop.set()
        for child in self._numbers:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)

    def _start(self, number: int) -> None:
        self._since[number] = time.monotonic()
        child = os.fork()
        if not child:
            _be_worker(self._work, number)
        self._numbers[child] = number
        if self._stop.is_set():  # the signal came before this one was known
            os.kill(child, signal.SIGTERM)

    def _replace(self, child: int, status: int) -> None:
        number = self._numbers.pop(child, None)
        if number is None or self._stop.is_set():
            return
        lasted = time.monotonic() - self._since[number]
        pause = FIRST_PAUSE if lasted > LONGEST_PAUSE else self._pauses.get(number, FIRST_PAUSE)
        self._pauses[number] = min(pause * 2, LONGEST_PAUSE)
        code = os.waitstatus_to_exitcode(status)
        how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
        log.error("worker %d %s after %.0f s; it is started again in %.1f s", number, how, lasted, pause)
        if not self._stop.wait(pause):
            self._start(number)


def _be_worker(work: Callable[[int], None], number: int) -> None:
    """A child must never come back into its parent's code."""
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, signal.SIG_DFL)  # until its own loop takes them
    try:
        work(number)
    except BaseException:  # noqa: BLE001 - see above
        traceback.print_exc(file=sys.stderr)
        os._exit(1)
    os._exit(0)
