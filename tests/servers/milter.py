"""A mail filter for tests: it writes one field into each mail, at the place that it is told, as filters that verify DKIM do."""

from __future__ import annotations

import socketserver
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from socket import socket

ADD_HEADERS: Final = 0x01
VERSION: Final = 6


@contextmanager
def filter_that_inserts(index: int, name: str, value: str) -> Iterator[int]:
    """The port on which it listens. `index` counts from the top; 0 and 1 are what filters use."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while (packet := _packet(self.request)) is not None:
                command = packet[:1]
                if command == b"O":  # negotiation
                    _send(self.request, b"O" + struct.pack("!III", VERSION, ADD_HEADERS, 0))
                elif command == b"E":  # the end of the mail
                    field = struct.pack("!I", index) + name.encode() + b"\0" + value.encode() + b"\0"
                    _send(self.request, b"i" + field)
                    _send(self.request, b"a")
                elif command == b"Q":
                    return
                elif command not in b"DA":  # macros and the end of a transaction want no answer
                    _send(self.request, b"c")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join(5)


def _packet(connection: socket) -> bytes | None:
    head = _octets(connection, 4)
    return _octets(connection, struct.unpack("!I", head)[0]) if head is not None else None


def _octets(connection: socket, count: int) -> bytes | None:
    got = b""
    while len(got) < count:
        piece = connection.recv(count - len(got))
        if not piece:
            return None
        got += piece
    return got


def _send(connection: socket, packet: bytes) -> None:
    connection.sendall(struct.pack("!I", len(packet)) + packet)
