"""A folder read to its end by two hands: the server reads one batch and moves another while a third is recorded."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self, TypeGuard

from bounceproc.errors import BounceprocError, FullError
from bounceproc.ports import READ_AHEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from bounceproc.pipeline import BatchResult, Pipeline
    from bounceproc.ports import FolderSource, Ledger, MessageBatch, Settlement, Source


def is_folder(source: Source) -> TypeGuard[FolderSource]:
    """Whether a source keeps its mail on a server."""
    return hasattr(source, "look")


STRIDE: Final = 4
"""Batches that are settled together: many a server writes its account of the whole folder anew with each command that moves mail."""


class Overlapped:
    """One run over one folder.

    All that the source does is done by a thread of its own, in the order asked for, and it reads ahead of what is recorded.
    Batches are settled after their commit, several together and the last ones at the end, and that they were is recorded with
    a later one. What is being read is announced before it is asked for, with the record of the batch before, so that a run
    that ends without a word leaves behind what it was at.
    """

    def __init__(self, source: FolderSource, ledger: Ledger, pipeline: Pipeline) -> None:
        self._source = source
        self._ledger = ledger
        self._pipeline = pipeline
        self._hands = ThreadPoolExecutor(1, thread_name_prefix=f"mailbox {source.name}")
        self._due: list[Settlement] = []
        self._batches_due = 0
        self._recorded = 0
        self._settling: deque[tuple[Future[None], list[str]]] = deque()
        self._announced = False
        self._full: FullError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Let the source finish what it is at, or break it off where somebody wants to be gone at once."""
        if kind is not None and not issubclass(kind, Exception):
            self._source.interrupt()
        self._hands.shutdown(cancel_futures=kind is not None)
        if self._announced:  # alive to say so: none of these messages is to blame
            with suppress(*([BounceprocError] if kind is not None else [])):  # the first error is the one to tell
                self._ledger.landed(self._source.name, self._source.within)

    def resume(self) -> int:
        """Settle what an earlier run recorded and did not settle, and count what it left in the middle; returns how many."""
        name, within = self._source.name, self._source.within
        self._ledger.stranded(name, within)
        pending = self._ledger.unsettled(name, within)
        if pending:
            moved = self._hands.submit(self._source.settle, pending)
            if not self._is_settled(moved):
                return 0
            self._ledger.settled(name, [settlement.ref for settlement in pending])
        return len(pending)

    def read(self, done: Callable[[BatchResult, int | None], bool]) -> None:
        """Read the folder to its end, or until `done` says that this is enough."""
        name, within = self._source.name, self._source.within
        checkpoint = self._ledger.checkpoint(name, self._source.folder)
        attempts = self._ledger.attempts(name, within)
        flight = self._hands.submit(self._source.look, checkpoint, attempts).result()
        if flight:
            self._ledger.announce(name, flight)
            self._announced = True
            batches = self._source.batches()
            reading = deque([self._hands.submit(self._next, batches)])
            while (batch := self._taken(reading.popleft())) is not None:
                while not batch.alone and len(reading) < READ_AHEAD:
                    reading.append(self._hands.submit(self._next, batches))
                if done(self._record(batch), batch.total):
                    break
                if not reading:
                    reading.append(self._hands.submit(self._next, batches))
            for unwanted in reading:
                unwanted.cancel()
        self._finish()

    def _next(self, batches: Iterator[MessageBatch]) -> MessageBatch | None:
        """The next batch, made ready as far as that goes here: the recorder's thread has more to do than this one."""
        batch = next(batches, None)
        return self._pipeline.prepared(batch) if batch is not None else None

    def _taken(self, reading: Future[MessageBatch | None]) -> MessageBatch | None:
        """The next batch. What was being read when the server broke off, or the reader itself, had its attempt."""
        try:
            return reading.result()
        except Exception as error:
            flight = self._source.reading
            if flight is not None:
                self._failed(flight.refs, error)
            raise

    def _record(self, batch: MessageBatch) -> BatchResult:
        settled = self._settled()
        try:
            result = self._pipeline.process(self._source.name, batch, settled)
        except BounceprocError:
            raise  # the database is away: no message's fault
        except Exception as error:
            self._failed([message.ref for message in batch.messages], error)
            raise
        self._due += result.settlements
        self._batches_due += 1
        self._recorded += len(batch.messages)
        # The last batch is recorded while those before it are settled, and waits for nobody but itself.
        is_last_but_one = batch.total is not None and batch.total - self._recorded <= len(batch.messages)
        if self._batches_due >= STRIDE or batch.alone or is_last_but_one:
            self._settle()
        self._announced = bool(batch.ahead)
        return result

    def _failed(self, refs: Sequence[str], error: Exception) -> None:
        reason = error.what if isinstance(error, BounceprocError) else f"{type(error).__name__}: {error}"
        self._ledger.failed(self._source.name, self._source.within, refs, reason)
        self._announced = False

    def _settle(self) -> None:
        """Have what was recorded settled, unless there is no room for it."""
        due, self._due, self._batches_due = self._due, [], 0
        if due and self._full is None:
            moved = self._hands.submit(self._source.settle, due)
            self._settling.append((moved, [settlement.ref for settlement in due]))

    def _settled(self) -> list[str]:
        """What was settled meanwhile and not recorded yet."""
        refs: list[str] = []
        while self._settling and self._settling[0][0].done():
            moved, more = self._settling.popleft()
            refs += more if self._is_settled(moved) else []
        return refs

    def _is_settled(self, moved: Future[None]) -> bool:
        """Whether it worked. Where there is no room, reports are recorded all the same, and the end tells of it."""
        try:
            moved.result()
        except FullError as error:
            self._full = self._full or error
            return False
        return True

    def _finish(self) -> None:
        """Settle what is left, wait for it, and record it."""
        self._settle()
        refs = [ref for moved, more in self._settling if self._is_settled(moved) for ref in more]
        self._settling.clear()
        self._ledger.settled(self._source.name, refs)
        if self._full is not None:
            raise self._full
