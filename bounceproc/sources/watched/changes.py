"""Waiting until something changes in a folder: told by the system, or by looking again after a while."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

TICK: Final = 500
"""Milliseconds after which the system's watcher lets us look at the clock and at whether to stop."""

_log = logging.getLogger(__name__)


class Changes:
    """Watches from its making on, so that nothing is missed that comes while the last changes are worked on."""

    def __init__(self, folders: Iterable[str], is_wanted: Callable[[str], bool]) -> None:
        self._ticks: Generator[object] | None = None
        try:
            self._ticks = _watcher(sorted(set(folders)), is_wanted)
        except (OSError, RuntimeError, StopIteration) as error:
            _log.warning("the system does not tell of new files: %s", error)

    def wait(self, seconds: float, stopped: Callable[[], bool]) -> None:
        """Return when something changed, when it is time, or when it is asked to stop."""
        deadline = time.monotonic() + seconds
        while not stopped() and (left := deadline - time.monotonic()) > 0:
            if self._ticks is None:
                time.sleep(min(TICK / 1000, left))
            elif self._has_changed():
                return

    def close(self) -> None:
        """Watch no longer."""
        if self._ticks is not None:
            self._ticks.close()
            self._ticks = None

    def _has_changed(self) -> bool:
        """Whether something changed, within a tick."""
        assert self._ticks is not None, "somebody asks it"
        try:
            return bool(next(self._ticks))
        except (OSError, RuntimeError, StopIteration) as error:
            _log.warning("the system does not tell of new files any more: %s", error)
            self._ticks = None
            return False


def _watcher(folders: list[str], is_wanted: Callable[[str], bool]) -> Generator[object] | None:
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
        rust_timeout=TICK,
        yield_on_timeout=True,
        raise_interrupt=False,
        recursive=False,  # an mbox may lie in somebody's home
    )
    next(ticks)  # only now does it watch; whatever it saw is looked for anyway
    return ticks
