"""Messages that are handed over: recorded and committed when they come, with nobody to settle them with but who brought them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from bounceproc.errors import BounceprocError
from bounceproc.ports import MessageBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bounceproc.pipeline import BatchResult, Pipeline
    from bounceproc.ports import Ledger
    from bounceproc.rawmessage import RawMessage
    from bounceproc.service.run import Summary

SETTLED_AT_ONCE: Final = 1000
"""Messages that are marked as settled in one transaction of its own: it is a second wait for the disk, and nobody waits for it."""


class Receiver:
    """Records messages for a source whose answer is their settling. One thread at a time."""

    def __init__(
        self,
        name: str,
        ledger: Ledger,
        pipeline: Pipeline,
        summary: Summary,
        on_batch: Callable[[BatchResult], None] = lambda _result: None,
    ) -> None:
        self._name = name
        self._ledger = ledger
        self._pipeline = pipeline
        self._summary = summary
        self._on_batch = on_batch
        self._answered: list[str] = []

    def begin(self) -> None:
        """What an earlier run committed and did not mark: it was answered, or will be brought again and change nothing."""
        self._answered += [settlement.ref for settlement in self._ledger.unsettled(self._name)]

    def record(self, messages: Sequence[RawMessage]) -> None:
        """Record, decide and commit.

        Raises:
            BounceprocError: the messages are not recorded.

        """
        result = self._pipeline.process(self._name, MessageBatch(tuple(messages)))
        self._answered += [message.ref for message in messages]
        self._summary.add(result)
        self._on_batch(result)
        if len(self._answered) >= SETTLED_AT_ONCE:
            with suppress(BounceprocError):  # these messages are committed, whatever becomes of the mark
                self.settle()

    def settle(self) -> None:
        """Mark as settled what was answered."""
        self._ledger.settled(self._name, self._answered)
        self._answered.clear()
