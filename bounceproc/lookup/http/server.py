"""Uvicorn inside a loop of ours."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from bounceproc.lookup.http.app import Application
from bounceproc.lookup.http.hot import Questions
from bounceproc.lookup.http.list import Backroom, routes
from bounceproc.lookup.http.protocol import protocol_in

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from bounceproc.lookup.hall import Hall
    from bounceproc.lookup.tally import Tally

STOP_TIMEOUT: Final = 5
"""Seconds that an answer may take that is under way when the server is asked to stop."""

__all__ = ["Backroom", "HttpServer"]


class HttpServer(uvicorn.Server):
    """Serves one socket until `should_exit`; signals are somebody else's."""

    def __init__(self, room: Backroom, tally: Tally, hall: Hall, *, is_open: bool = False) -> None:
        """`is_open`: whether mail passes when the list cannot be asked."""
        app: Any = Application(Questions(room.desk, room.gate, tally, is_open=is_open), routes(room))
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol_in(hall),
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",  # its warnings are of what strangers send, a line for each
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=STOP_TIMEOUT,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield

    async def run_on(self, opened: socket.socket) -> None:
        """Answer until `should_exit`."""
        await self.serve(sockets=[opened])
