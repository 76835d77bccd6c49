"""A server of LMTP: it listens, converses, and stops without dropping a message that it began to receive."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final

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

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
"""What asks a server to stop."""


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
        place = str(door.endpoint) if door.endpoint.path is not None else "{}:{}".format(*opened.getsockname()[:2])
        asyncio.run(_until_a_signal(opened, record, lambda: on_ready(place), on_stop))


async def _until_a_signal(
    opened: socket.socket,
    record: Callable[[Sequence[RawMessage]], None],
    on_ready: Callable[[], None],
    on_stop: Callable[[], None],
) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def asked_to_stop() -> None:
        for number in SIGNALS:
            loop.remove_signal_handler(number)  # the next one has the system's own effect
        stop.set()
        with suppress(OSError):  # nobody may be left who reads what is said
            on_stop()

    for number in SIGNALS:
        loop.add_signal_handler(number, asked_to_stop)
    await converse(opened, record, Hall(), stop, on_ready)


async def converse(
    opened: socket.socket,
    record: Callable[[Sequence[RawMessage]], None],
    hall: Hall,
    stop: asyncio.Event,
    on_ready: Callable[[], None],
) -> None:
    """Take clients in until `stop`, then let everybody finish."""
    gathering = Gathering(record)
    loop = asyncio.get_running_loop()

    def guest() -> Refusal | Dialogue:
        return Refusal() if hall.is_full or hall.closing else Dialogue(hall, gathering)

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
