"""Uvicorn's connections, with an end for those that are slow, idle or without measure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bounceproc.lookup.hall import Received
from bounceproc.lookup.http.problems import ProblemError

if TYPE_CHECKING:
    import asyncio

    from bounceproc.lookup.hall import Hall

HEAD_LIMIT: Final = 65_536
"""Octets of a request line and its headers; the parser itself would take any number."""


class Measured(HttpToolsProtocol, Received):
    """One connection."""

    _hall: Hall
    active_at = 0.0
    begun_at: float | None = None
    _head = 0

    def connection_made(self, transport: Any) -> None:
        self.active_at = time.monotonic()
        self._hall.enter(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._hall.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.active_at = time.monotonic()
        if self.begun_at is None:
            self.begun_at, self._head = self.active_at, 0
        self._head += len(data)
        super().data_received(data)
        if self._head > HEAD_LIMIT:
            self.put_out()

    def on_headers_complete(self) -> None:
        self._head = -(1 << 40)  # what comes now is the body, which the application measures
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.begun_at, self._head = None, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - its words are uvicorn's
        """What is no HTTP is refused as every other problem is: uvicorn would write plain text."""
        body = ProblemError(400, "this is no HTTP request").body()
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        lines = [b"HTTP/1.1 400 Bad Request", *(name + b": " + value for name, value in headers), b"", body]
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()

    def pause_writing(self) -> None:
        self.begun_at = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        self.begun_at = None
        super().resume_writing()

    def put_out(self) -> None:
        self.transport.abort()


def protocol_in(hall: Hall) -> type[asyncio.Protocol]:
    """Uvicorn's protocol, whose connections stand in this hall."""
    return type("MeasuredHere", (Measured,), {"_hall": hall})
