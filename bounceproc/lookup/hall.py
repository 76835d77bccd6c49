"""Everybody who is connected to one listener: how many there may be, and who is put out when."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

GUESTS: Final = 4096
"""Connections of one listener at once; one more, and those that were silent longest have to go."""
SWEEP: Final = 1.0
"""Seconds between two looks round."""
SLOW: Final = 10.0
"""Seconds to finish a request that was begun, or to take answers that are waiting. Postfix's own limit for an answer is 100."""
IDLE: Final = 300.0
"""Seconds without a request: Postfix closes after ten."""
ROOM: Final = 1 << 18
"""Octets that are taken from a connection at once."""
EVICTED: Final = 64
"""Connections that go at once when the hall is full: looking for them costs a look at all."""


class Guest(Protocol):
    """One connection."""

    active_at: float
    """When something came from it last (monotonic)."""
    begun_at: float | None
    """Since when a request is unfinished, or answers are not taken; None for neither."""

    def put_out(self) -> None:
        """End the connection, now."""


class Received(asyncio.BufferedProtocol):
    """A guest that reads into the hall's one piece of memory.

    asyncio's other way asks the system for 256 KB for each few octets that come, and gives most of them back.
    """

    _hall: Hall

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        return self._hall.room

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(self._hall.room[:nbytes].tobytes())

    def data_received(self, data: bytes) -> None:
        """Something came; it is taken out of the memory before anybody else reads into that."""
        raise NotImplementedError


class Hall:
    """The guests of one listener."""

    def __init__(self, limit: int = GUESTS, *, slow: float = SLOW, idle: float = IDLE) -> None:
        self.guests: set[Guest] = set()
        self.put_out = 0
        """How many were put out, for metrics."""
        self.room: Final = memoryview(bytearray(ROOM))
        """What is read, for as long as it takes to hand it on."""
        self._limit = limit
        self._slow = slow
        self._idle = idle

    def enter(self, guest: Guest) -> None:
        """Take one more in."""
        if len(self.guests) >= self._limit:
            for other in sorted(self.guests, key=lambda one: one.active_at)[:EVICTED]:
                self._out(other)
        self.guests.add(guest)

    def leave(self, guest: Guest) -> None:
        """It is gone."""
        self.guests.discard(guest)

    def sweep(self, now: float) -> None:
        """Put out who is slow or idle."""
        for guest in tuple(self.guests):
            slow = guest.begun_at is not None and now - guest.begun_at > self._slow
            if slow or now - guest.active_at > self._idle:
                self._out(guest)

    def _out(self, guest: Guest) -> None:
        self.guests.discard(guest)
        self.put_out += 1
        guest.put_out()


@contextlib.contextmanager
def swept(*halls: Hall) -> Iterator[None]:
    """Look round in the halls as long as the block lasts."""

    async def look() -> None:
        while True:
            await asyncio.sleep(SWEEP)
            now = time.monotonic()
            for hall in halls:
                hall.sweep(now)

    task = asyncio.ensure_future(look())
    try:
        yield
    finally:
        task.cancel()


def raise_file_limit() -> None:
    """As many open files as the system lets us have: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1 << 16) if hard > 0 else 1 << 16, hard))
