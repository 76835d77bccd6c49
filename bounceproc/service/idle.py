"""Work for times when no mail comes: done by whichever watcher is idle, by one at a time, and not too often."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from bounceproc.service.logs import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PAUSE: Final = 60.0
"""Seconds between two looks at what is due."""


class Idle:
    """Something to do now and then. `work` counts what it did."""

    def __init__(self, work: Callable[[Callable[[], bool]], Mapping[str, int]], *, pause: float = PAUSE) -> None:
        self._work = work
        self._pause = pause
        self._next = 0.0
        self._guard = threading.Lock()

    def work(self, stop: Callable[[], bool]) -> None:
        """Do it, unless somebody does it just now or did it a moment ago; `stop` ends it after the part at hand.

        Raises:
            BounceprocError: the database cannot be used.

        """
        if stop() or time.monotonic() < self._next or not self._guard.acquire(blocking=False):
            return
        try:
            self._next = time.monotonic() + self._pause
            counts = [f"{count} {name}" for name, count in self._work(stop).items() if count]
        finally:
            self._guard.release()
        if counts:
            tell(logging.INFO, f"did what was due: {', '.join(counts)}")
