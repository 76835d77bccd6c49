"""A server of LMTP: it listens, converses, and stops without dropping a message that it began to receive."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from bounceproc.sources.lmtp.bounds import STOP_TIMEOUT
from bounceproc.sources.lmtp.dialogue import Dialogue, Refusal
from bounceproc.sources.lmtp.gathering import Gathering
from bounceproc.sources.lmtp.hall import Hall
from bounceproc.sources.lmtp.listening import listening

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from bounceproc.ports import RawMessage
    from bounceproc.sources.lmtp.listening import Door


def serve(
    door: Door,
    record: Callable[[Sequence[RawMessage]], None],
    *,
    on_ready: Callable[[str], None],
    on_stop: Callable[[], None],
) -> None:
    """Listen until SIGTERM or SIGINT. `record` returns when its messages are committed, and raises when they are not.

    The first signal ends the server behind the messages that are being received; a second one ends it at once.

    Raises:
        ConfigError, TemporaryError, AccessError: see `listening`.

    """
    with listening(door) as opened:
        asyncio.run(_serve(opened, record, lambda: on_ready(_where(door, opened)), on_stop))


def _where(door: Door, opened: socket.socket) -> str:
    return str(door.endpoint) if door.endpoint.path is not None else "{}:{}".format(*opened.getsockname()[:2])


async def _serve(
    opened: socket.socket,
    record: Callable[[Sequence[RawMessage]], None],
    on_ready: Callable[[], None],
    on_stop: Callable[[], None],
) -> None:
    hall, gathering, stop = Hall(), Gathering(record), asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked_to_stop() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)  # the next one has the system's own effect
        on_stop()
        stop.set()

    def guest() -> asyncio.Protocol | Dialogue:
        return Refusal() if hall.is_full or hall.closing else Dialogue(hall, gathering)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop)
    start = loop.create_unix_server if opened.family == opened.family.AF_UNIX else loop.create_server
    server = await start(guest, sock=opened)
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
        await asyncio.wait_for(hall.emptied(), STOP_TIMEOUT)
    for dialogue in tuple(hall.guests):
        dialogue.abort()
