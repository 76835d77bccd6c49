"""Every door of the server in one loop, open until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bounceproc.lookup.hall import Hall, raise_file_limit, swept
from bounceproc.lookup.policyservice import PolicyService
from bounceproc.lookup.socketmap import Socketmap
from bounceproc.lookup.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bounceproc.lookup.desk import Desk
    from bounceproc.lookup.http.server import HttpServer

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
"""What asks a server to stop."""
TURN: Final = 0.0005
"""Seconds that an index in the making keeps the interpreter while questions wait; Python's own 0.005 are many answers' time."""


@dataclass(slots=True)
class Door:
    """One listener, what it answers in trouble, and what it did."""

    name: str
    opened: socket.socket
    is_open: bool = True
    """Whether mail passes when the list cannot be asked."""
    tally: Tally = field(default_factory=Tally)
    hall: Hall = field(default_factory=Hall)


@dataclass(slots=True, kw_only=True)
class House:
    """All doors of one process."""

    desk: Desk
    socketmap: Door | None = None
    policy: Door | None = None
    http: Door | None = None
    streams: Mapping[str, str] = field(default_factory=dict)
    http_server: Callable[[Door], HttpServer] | None = None

    def run(self, on_ready: Callable[[], None], on_stop: Callable[[], None]) -> None:
        """Answer until SIGTERM or SIGINT."""
        raise_file_limit()
        sys.setswitchinterval(TURN)
        asyncio.run(self._run(on_ready, on_stop))

    async def _run(self, on_ready: Callable[[], None], on_stop: Callable[[], None]) -> None:
        stop = _stopping(on_stop)
        doors = [door for door in (self.socketmap, self.policy, self.http) if door is not None]
        async with contextlib.AsyncExitStack() as held:
            held.enter_context(swept(*(door.hall for door in doors)))
            self.desk.follower.start()
            held.callback(self.desk.follower.stop)
            servers = [await self._socketmap()] if self.socketmap else []
            servers += [await self._policy()] if self.policy else []
            http = self.http_server(self.http) if self.http is not None and self.http_server is not None else None
            serving = asyncio.ensure_future(http.run_on(self.http.opened)) if http and self.http else None
            gc.collect()
            gc.freeze()  # what is here stays to the end: looking through all of it would hold up every question
            on_ready()
            await asyncio.wait(
                {asyncio.ensure_future(stop.wait()), *([serving] if serving else [])},
                return_when=asyncio.FIRST_COMPLETED,
            )
            for server in servers:
                server.close()
            if http is not None and serving is not None:
                http.should_exit = True
                await serving
            for door in doors:
                for guest in tuple(door.hall.guests):
                    guest.put_out()

    async def _socketmap(self) -> asyncio.Server:
        door, desk = self.socketmap, self.desk
        assert door is not None, "asked for"
        return await _listen(door.opened, lambda: Socketmap(door.hall, desk, door.tally, is_open=door.is_open))

    async def _policy(self) -> asyncio.Server:
        door, desk, streams = self.policy, self.desk, self.streams
        assert door is not None, "asked for"
        return await _listen(
            door.opened,
            lambda: PolicyService(door.hall, desk, door.tally, is_open=door.is_open, streams=streams),
        )


async def _listen(opened: socket.socket, protocol: Callable[[], asyncio.BaseProtocol]) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    start = loop.create_unix_server if opened.family == socket.AF_UNIX else loop.create_server
    return await start(protocol, sock=opened, backlog=1024)


def _stopping(on_stop: Callable[[], None]) -> asyncio.Event:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def asked_to_stop() -> None:
        for number in SIGNALS:
            loop.remove_signal_handler(number)  # the next one has the system's own effect
        stop.set()
        with contextlib.suppress(OSError):  # nobody may be left who reads what is said
            on_stop()

    for number in SIGNALS:
        loop.add_signal_handler(number, asked_to_stop)
    return stop
