"""One connection of a mail server: requests in, answers out in their order, whoever is on the other end."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from bounceproc.lookup.hall import Received

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from bounceproc.lookup.hall import Hall

WAITING: Final = 256
"""Answers of one connection that wait for the database before no more is read from it."""


class Conversation(Received):
    """What the protocols share. A subclass finds requests in `_buffer` and calls `_say`, `_ask_for` or `_end`.

    Nearly always one whole request comes, and its answer is in memory: `_at_once` is the short way of these.
    """

    def __init__(self, hall: Hall) -> None:
        self.active_at = time.monotonic()
        self.begun_at: float | None = None
        self._hall = hall
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._queue: deque[asyncio.Task[bytes]] = deque()
        self._out: list[bytes] = []
        self._reading = True
        self._blocked = False
        self._ending = False

    # ---- what asyncio calls --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "a stream"
        self._transport = transport
        self._hall.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._hall.leave(self)
        self._transport = None
        for task in self._queue:
            task.cancel()
        self._queue.clear()

    def data_received(self, data: bytes) -> None:
        self.active_at = time.monotonic()
        if self._buffer or self._queue or self._blocked or self._ending:
            self._buffer += data
        elif (answer := self._at_once(data)) is not None:
            if answer and self._transport is not None:
                self._transport.write(answer)
            return
        else:
            self._buffer = data
        self._go_on()

    def pause_writing(self) -> None:
        self._blocked = True
        self.begun_at = time.monotonic()
        self._settle_reading()

    def resume_writing(self) -> None:
        self._blocked = False
        self._settle_reading()
        self._go_on()

    # ---- what a subclass has to do, and has for it -----------------------------------------------------------------------

    def _at_once(self, data: bytes) -> bytes | None:  # noqa: ARG002 - a subclass looks at it
        """The answer, where this is just one whole request; empty if it has to be waited for, None if it is none such."""
        return None

    def _requests(self) -> None:
        """Take whole requests from the buffer while `_takes_more`, and answer each."""
        raise NotImplementedError

    @property
    def _takes_more(self) -> bool:
        return not self._ending and not self._blocked and len(self._queue) < WAITING

    def _say(self, answer: bytes) -> None:
        """An answer that is known."""
        if self._queue:
            self._ask_for(_known(answer))
        else:
            self._out.append(answer)

    def _ask_for(self, answer: Coroutine[None, None, bytes]) -> None:
        """An answer that has to be waited for; those behind it wait, too."""
        task = asyncio.ensure_future(answer)
        self._queue.append(task)
        task.add_done_callback(self._answered)

    def _end(self) -> None:
        """Close behind what was said: nothing that comes from here can be understood any more."""
        self._ending = True
        self._buffer = b""

    def put_out(self) -> None:
        """End the connection, now."""
        if self._transport is not None:
            self._transport.abort()

    # ---- inside --------------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        if self._buffer and self._takes_more:
            self._requests()
        self._flush()
        if not self._blocked:
            waits = bool(self._buffer) and self._takes_more
            self.begun_at = (self.begun_at or self.active_at) if waits else None
        self._settle_reading()

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        if self._out:
            out = self._out
            self._out = []
            transport.write(out[0] if len(out) == 1 else b"".join(out))
        if self._ending and not self._queue:
            transport.close()

    def _answered(self, _task: asyncio.Task[bytes]) -> None:
        while self._queue and self._queue[0].done():
            task = self._queue.popleft()
            if task.cancelled() or task.exception() is not None:  # a mistake of ours: no answer is the honest one
                self.put_out()
                return
            self._out.append(task.result())
        self._go_on()

    def _settle_reading(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        wanted = self._takes_more
        if wanted != self._reading:
            self._reading = wanted
            if wanted:
                transport.resume_reading()
            else:
                transport.pause_reading()


async def _known(answer: bytes) -> bytes:
    return answer
