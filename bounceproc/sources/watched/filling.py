"""A place that keeps filling, as a source that knows how to wait."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bounceproc.sources.watched.changes import Changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bounceproc.ports import MessageBatch, Settlement
    from bounceproc.sources.watched.opening import WatchedSource

SOON: Final = 1.0
"""Seconds until a place is looked at again that has something unfinished."""


class Filling:
    """One such place. It is read to its end again and again."""

    def __init__(self, source: WatchedSource, changes: Changes) -> None:
        self._source = source
        self._changes = changes

    @property
    def name(self) -> str:
        """The source's name in the ledger."""
        return self._source.name

    def batches(self) -> Iterator[MessageBatch]:
        """What is there and was not read before."""
        return self._source.batches()

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Move what is to be moved."""
        self._source.settle(settlements)

    def wait(self, timeout: float, stopped: Callable[[], bool]) -> None:
        """Return when something changed there, soon where something is unfinished, and after `timeout` seconds."""
        self._changes.wait(min(SOON, timeout) if self._source.is_waiting else timeout, stopped)

    def facts(self) -> dict[str, int | str]:
        """Nothing: what lies there is counted by whoever reads it."""
        return {}


@contextmanager
def filling(source: WatchedSource) -> Iterator[Filling]:
    """The source with its place under watch, as long as the block lasts."""
    changes = Changes(source.folders, lambda path: path.startswith(source.path))
    try:
        yield Filling(source, changes)
    finally:
        changes.close()
