"""A real IMAP server in memory for the demonstration: pymap on a free loopback port, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from argparse import Namespace
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bounceproc.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT: Final = 20.0
"""Seconds until the server must listen: it needs well under one."""


@dataclass(frozen=True, slots=True)
class DemoServer:
    """Where the server listens, and who may come in."""

    host: str
    port: int
    user: str
    password: str


@contextmanager
def imap_server() -> Iterator[DemoServer]:
    """A server with one user and an empty INBOX, for as long as the block lasts. What is in it dies with it.

    Raises:
        UsageError: pymap is not installed.
        UnavailableError: the server does not start.

    """
    try:
        import pymap.imap  # noqa: F401, PLC0415 - an optional package, asked for here so that its absence has a sentence
    except ImportError as error:
        raise UsageError(
            "the demonstration needs an IMAP server", "Install it: pip install 'bounceproc[demo]'"
        ) from error
    runner = _Runner("demo", secrets.token_urlsafe(16))
    runner.start()
    try:
        yield runner.wait()
    finally:
        runner.stop()


class _Runner(threading.Thread):
    """The server's event loop. A thread, not a process: nothing is left behind whatever happens to the program."""

    def __init__(self, user: str, password: str) -> None:
        super().__init__(name="demo-imap-server", daemon=True)
        self._user = user
        self._password = password
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._port = 0
        self._error: BaseException | None = None

    def run(self) -> None:
        logging.getLogger("pymap").setLevel(logging.CRITICAL)
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - handed over to the thread that waits
            self._error = error
        finally:
            self._ready.set()

    def wait(self) -> DemoServer:
        if not self._ready.wait(START_TIMEOUT) or not self._port:
            raise UnavailableError(
                "the demonstration's IMAP server did not start",
                "Try again; if it lasts, a firewall may block loopback.",
            ) from self._error
        return DemoServer("127.0.0.1", self._port, self._user, self._password)

    def stop(self) -> None:
        if self._loop is not None and self._stopped is not None and self.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
        self.join(START_TIMEOUT)

    async def _serve(self) -> None:
        from proxyprotocol.sock import SocketInfoLocal  # noqa: PLC0415 - comes with pymap, which is optional
        from pymap.backend.dict import DictBackend  # noqa: PLC0415
        from pymap.imap import IMAPServer  # noqa: PLC0415

        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        backend, config = await DictBackend.init(self._settings())
        config.apply_context()
        serve = IMAPServer(backend.login, config)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # Not through pymap's own reader of PROXY headers: it forgets the task of a connection, and the garbage
            # collector of Python 3.13 ends the conversation in the middle.
            await serve(reader, writer, SocketInfoLocal(writer, unique_id=secrets.token_bytes(16)))

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        async with server:
            self._port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._stopped.wait()

    def _settings(self) -> Namespace:
        """What pymap's own command line would have made of --no-tls and the demo user."""
        return Namespace(
            debug=False, host=["127.0.0.1"], port="0", cert=None, key=None, tls=False, proxy_protocol=None,
            inherited_sockets=None, passlib_cfg=None, demo_data=False, demo_user=self._user, demo_password=self._password,
        )  # fmt: skip
