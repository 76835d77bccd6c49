"""Signals as values: the first one that ends is a request, the second one is obeyed at once."""

from __future__ import annotations

import os
import queue
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ENDING: Final = (signal.SIGTERM, signal.SIGINT)


class Inbox:
    """What was asked of the process, in order."""

    def __init__(self) -> None:
        # The one queue that a signal handler may put into while its thread is reading it.
        self._queue: queue.SimpleQueue[signal.Signals | None] = queue.SimpleQueue()
        self.is_ending = False
        """Whether the process was asked to end."""

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """The handler of signals."""
        if number in ENDING:
            if self.is_ending:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            self.is_ending = True
        self._queue.put(signal.Signals(number))

    def wake(self) -> None:
        """Let whoever waits look around."""
        self._queue.put(None)

    def next(self, timeout: float) -> signal.Signals | None:
        """The next signal; None when time is up or somebody called `wake`."""
        try:
            return self._queue.get(timeout=timeout)
        except queue.Empty:
            return None


@contextmanager
def listening(*, reload: bool = False) -> Iterator[Inbox]:
    """Take signals as long as the block lasts: those that end, and SIGHUP where it means to read the configuration again."""
    inbox = Inbox()
    numbers = (*ENDING, signal.SIGHUP) if reload else ENDING
    before = {number: signal.signal(number, inbox.receive) for number in numbers}
    try:
        yield inbox
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
