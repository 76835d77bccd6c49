"""Messages that arrive together are committed together: one wait for the disk answers all of them."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from bounceproc.sources.bounds import MAX_BATCH_BYTES, MAX_BATCH_MESSAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bounceproc.rawmessage import RawMessage

QUIET: Final = 5.0
"""Seconds without a message after which there is time for something else."""


def _nothing(_is_wanted: Callable[[], bool]) -> None:
    """Nobody has anything else to do."""


class Gathering:
    """A queue before a function that records messages and returns when they are committed.

    While one group is being committed the next one gathers, so that nobody waits for company: one client alone is answered
    as soon as its message is on the disk, and many share a commit.
    """

    def __init__(
        self,
        record: Callable[[Sequence[RawMessage]], None],
        rest: Callable[[Callable[[], bool]], None] = _nothing,
    ) -> None:
        """`rest` is called by the same thread while nobody waits, and is told whether somebody does by now. It raises nothing."""
        self._record = record
        self._rest = rest
        self._waiting: list[tuple[RawMessage, asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lmtp-commit")

    async def commit(self, message: RawMessage) -> None:
        """Wait until the message is committed.

        Raises:
            Exception: whatever stopped its recording; it is not committed.

        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((message, done))
        self._arrived.set()
        await done

    async def run(self) -> None:
        """Commit what arrives, group by group, until cancelled."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), QUIET)
            self._arrived.clear()
            while group := self._next():
                await self._commit(group)
            await asyncio.get_running_loop().run_in_executor(self._thread, self._rest, lambda: bool(self._waiting))

    def close(self) -> None:
        """Wait for the group that is being committed, and take no more."""
        self._thread.shutdown(wait=True)

    def _next(self) -> list[tuple[RawMessage, asyncio.Future[None]]]:
        """The oldest messages, as many as one batch may hold. Whose client is gone is recorded too: it was ours to keep."""
        octets = 0
        for count, (message, _) in enumerate(self._waiting):
            octets += len(message.data)
            if count and (count >= MAX_BATCH_MESSAGES or octets > MAX_BATCH_BYTES):
                break
        else:
            count = len(self._waiting)
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    async def _commit(self, group: list[tuple[RawMessage, asyncio.Future[None]]]) -> None:
        messages = [message for message, _ in group]
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._record, messages)
        except Exception as error:  # noqa: BLE001 - the clients are told, whatever it was; the next group is tried
            for _, done in group:
                if not done.done():
                    done.set_exception(error)
        else:
            for _, done in group:
                if not done.done():
                    done.set_result(None)
