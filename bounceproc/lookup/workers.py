"""Several processes that answer side by side on the same sockets, with one mapped snapshot between them."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def spread(count: int, work: Callable[[int], None]) -> None:
    """Do the work in so many processes, this one included as number 0; it begins before any thread is there.

    The others end with this one.
    """
    children = [child for number in range(1, count) if (child := _fork(work, number))]
    try:
        work(0)
    finally:
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        for child in children:
            with suppress(ChildProcessError):
                os.waitpid(child, 0)


def _fork(work: Callable[[int], None], number: int) -> int:
    child = os.fork()
    if child:
        return child
    try:
        work(number)
    except BaseException:  # noqa: BLE001 - a child must never come back into its parent's code
        traceback.print_exc(file=sys.stderr)
        os._exit(1)
    os._exit(0)
