"""A server of LMTP: it listens, converses, and stops without dropping a message that it began to receive."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from bounceproc.sources.lmtp.dialogue import Dialogue, Refusal
from bounceproc.sources.lmtp.gathering import Gathering

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from bounceproc.rawmessage import RawMessage
    from bounceproc.sources.lmtp.hall import Hall

    Record: TypeAlias = Callable[[Sequence[RawMessage]], None]
    Rest: TypeAlias = Callable[[Callable[[], bool]], None]

HEARTBEAT: Final = 0.2
"""Seconds between two questions whether it is time to stop."""


def serve(opened: socket.socket, hall: Hall, record: Record, *, stopped: Callable[[], bool], rest: Rest) -> None:
    """Take clients in until `stopped`, then let everybody finish. The socket stays open: the next server may go on with it.

    `record` returns when its messages are committed, and raises when they are not. `rest` is for times when nobody waits.
    """
    asyncio.run(_until(opened, hall, record, stopped, rest))


async def _until(opened: socket.socket, hall: Hall, record: Record, stopped: Callable[[], bool], rest: Rest) -> None:
    stop = asyncio.Event()
    asking = asyncio.create_task(_ask(stopped, stop))
    try:
        await converse(opened, record, hall, stop, rest=rest)
    finally:
        asking.cancel()


async def _ask(stopped: Callable[[], bool], stop: asyncio.Event) -> None:
    while not stopped():  # noqa: ASYNC110 - another thread says so, which knows nothing of this loop
        await asyncio.sleep(HEARTBEAT)
    stop.set()


async def converse(
    opened: socket.socket,
    record: Record,
    hall: Hall,
    stop: asyncio.Event,
    *,
    on_ready: Callable[[], None] = lambda: None,
    rest: Rest = lambda _is_wanted: None,
) -> None:
    """Take clients in until `stop`, then let everybody finish."""
    gathering = Gathering(record, rest)
    loop = asyncio.get_running_loop()

    def guest() -> Refusal | Dialogue:
        return Refusal() if hall.is_full or hall.closing else Dialogue(hall, gathering)

    # A copy, which the server may close; and not as a Unix server, which newer Pythons let remove its path.
    server = await loop.create_server(guest, sock=opened.dup())
    committing = asyncio.create_task(gathering.run())
    try:
        on_ready()
        await stop.wait()
        server.close()
        await _empty(hall)
    finally:
        committing.cancel()
        with suppress(asyncio.CancelledError):
            await committing
        gathering.close()


async def _empty(hall: Hall) -> None:
    """Let everybody finish, and wait for it."""
    hall.closing = True
    for dialogue in tuple(hall.guests):
        dialogue.leave()
    with suppress(TimeoutError):
        await asyncio.wait_for(hall.emptied(), hall.stop_timeout)
    for dialogue in tuple(hall.guests):
        dialogue.abort()
