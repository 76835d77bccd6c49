"""Waiting until something changes in a folder: told by the system, or by looking again after a while."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from threading import Event

TICK: Final = 500
"""Milliseconds after which the system's watcher lets us look at the clock and at whether to stop."""

_log = logging.getLogger(__name__)


class Changes:
    """Watches from its making on, so that nothing is missed that comes while the last changes are worked on."""

    def __init__(self, folders: Iterable[str], is_wanted: Callable[[str], bool], stop: Event) -> None:
        self._stop = stop
        self._ticks: Iterator[object] | None = None
        try:
            self._ticks = _watcher(sorted(set(folders)), is_wanted, stop)
        except (OSError, RuntimeError, StopIteration) as error:
            _log.warning("the system does not tell of new files: %s", error)

    def wait(self, seconds: float) -> None:
        """Return when something changed, when it is time, or when it is asked to stop."""
        deadline = time.monotonic() + seconds
        while self._ticks is not None and time.monotonic() < deadline and not self._stop.is_set():
            try:
                if next(self._ticks):
                    return
            except StopIteration:
                return  # asked to stop
            except (OSError, RuntimeError) as error:
                _log.warning("the system does not tell of new files any more: %s", error)
                self._ticks = None
        self._stop.wait(max(0.0, deadline - time.monotonic()))


def _watcher(folders: list[str], is_wanted: Callable[[str], bool], stop: Event) -> Iterator[object] | None:
    """What tells of changes; None where the library is not there.

    A file system of another machine tells nothing, so whoever waits has an interval in any case.
    """
    try:
        from watchfiles import watch  # noqa: PLC0415 - an extra: without it, an interval serves
    except ModuleNotFoundError:
        return None
    ticks = watch(
        *(folder for folder in folders if Path(folder).is_dir()),
        watch_filter=lambda _change, path: is_wanted(path),
        stop_event=stop,
        rust_timeout=TICK,
        yield_on_timeout=True,
        raise_interrupt=False,
        recursive=False,  # an mbox may lie in somebody's home
    )
    next(ticks)  # only now does it watch; whatever it saw is looked for anyway
    return ticks
