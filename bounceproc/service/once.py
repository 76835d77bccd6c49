"""Every folder once, side by side: each in its thread, with its own connection, and none of them stops another."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from bounceproc.errors import BounceprocError
from bounceproc.service.batchlog import BatchLog, why_nothing
from bounceproc.service.run import Summary, run_once

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from bounceproc.pipeline import BatchResult, Pipeline
    from bounceproc.ports import Ledger, WatchedSource

    Opened: TypeAlias = Callable[[], AbstractContextManager[WatchedSource]]

MAX_FOLDERS_AT_ONCE: Final = 32
"""Folders read at the same time; the others wait for their turn."""


@dataclass(slots=True)
class Result:
    """What became of one folder."""

    folder: str
    summary: Summary
    error: BounceprocError | None = None
    why: str | None = None
    """Why nothing was new; None where something was."""


@dataclass(slots=True)
class Progress:
    """How far all folders together are."""

    tell: Callable[[BatchResult, int, int | None], None]
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _done: dict[tuple[str, str], int] = field(default_factory=dict)
    _totals: dict[tuple[str, str], int | None] = field(default_factory=dict)

    def add(self, key: tuple[str, str], result: BatchResult, done: int, total: int | None) -> None:
        """One batch of one folder was done; the total is known once every folder that began knows its own."""
        with self._guard:
            self._done[key], self._totals[key] = done, total
            known = [each for each in self._totals.values() if each is not None]
            self.tell(result, sum(self._done.values()), sum(known) if len(known) == len(self._totals) else None)


class Once:
    """One run over many folders."""

    def __init__(
        self,
        pipeline: Pipeline,
        ledger: Ledger,
        *,
        dry_run: bool,
        on_batch: Callable[[BatchResult, int, int | None], None],
        stop: Callable[[], bool],
    ) -> None:
        self._pipeline = pipeline
        self._ledger = ledger
        self._dry_run = dry_run
        self._progress = Progress(on_batch)
        self._stop = stop

    def run(self, opened: Mapping[tuple[str, str], Opened]) -> dict[tuple[str, str], Result]:
        """Read each folder, by its mailbox's name and its own; the results have the order of the folders.

        An error that nobody foresaw is raised when all others are done.
        """
        with ThreadPoolExecutor(min(len(opened), MAX_FOLDERS_AT_ONCE), thread_name_prefix="folder") as pool:
            running = {key: pool.submit(self._read, *key, open_) for key, open_ in opened.items()}
        return {key: future.result() for key, future in running.items()}

    def _read(self, mailbox: str, folder: str, open_: Opened) -> Result:
        result = Result(folder, Summary(mailbox))
        log = BatchLog(mailbox, folder)

        def on_batch(batch: BatchResult, done: int, total: int | None) -> None:
            if not self._dry_run:
                log.batch(batch)
            self._progress.add((mailbox, folder), batch, done, total)

        try:
            if not self._stop():
                with open_() as source:
                    log.begin()
                    run_once(
                        source,
                        self._ledger,
                        self._pipeline,
                        result.summary,
                        dry_run=self._dry_run,
                        on_batch=on_batch,
                        stop=self._stop,
                    )
                    if not result.summary.messages:
                        result.why = why_nothing(source.facts())
                        log.nothing(source.facts())
        except BounceprocError as error:
            result.error = error
            log.tell(logging.INFO, f"failed: {error.what}", outcome=type(error).__name__)
        return result


def merged(name: str, summaries: Sequence[Summary]) -> Summary:
    """The folders of one mailbox counted together."""
    total = Summary(name)
    for one in summaries:
        total.include(one)
    return total
