"""A small server that speaks the contract, and misbehaves on demand."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUPPRESSED = {"bad@example.com", "ü@example.com", "a/b?c#d%@example.com"}


@dataclass
class Server:
    """Where it is, and what it was asked."""

    url: str
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    connections: int = 0
    raw: bytes | None = None
    """Sent in place of an answer, and then the connection is closed."""
    silent: bool = False
    chunked: bool = False
    closes: bool = False
    """Says nothing of it and closes after each answer."""

    def answer(self, target: str, body: bytes) -> tuple[int, Any]:
        parts = urlsplit(target)
        stream = parse_qs(parts.query).get("stream", [None])[0]
        if parts.path.startswith("/v1/addresses/"):
            address = unquote(parts.path.removeprefix("/v1/addresses/"))
            return (200, self.told(address, stream)) if "@" in address else (400, {"title": "no address"})
        asked = json.loads(body)
        return 200, {"results": [self.told(each, asked.get("stream")) for each in asked["addresses"]]}

    @staticmethod
    def told(address: str, stream: str | None) -> dict[str, Any]:
        if "@" not in address:
            return {"address": address, "error": "no address"}
        if address in SUPPRESSED or (address == "news@example.com" and stream in {None, "news"}):
            return {
                "address": address,
                "suppressed": True,
                "reason": "bounce",
                "scope": "*",
                "category": "bad-mailbox",
                "until": None,
            }
        return {"address": address, "suppressed": False}

    def serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            while first := lines.readline():
                fields = {}
                while line := lines.readline().strip():
                    name, _, value = line.decode().partition(":")
                    fields[name.lower()] = value.strip()
                body = lines.read(int(fields.get("content-length", 0)))
                self.requests.append((first.decode().strip(), fields, body))
                if self.silent:
                    continue
                if self.raw is not None:
                    connection.sendall(self.raw)
                    return
                status, value = self.answer(first.decode().split()[1], body)
                self.send(connection, status, json.dumps(value).encode())
                if self.closes:
                    return

    def send(self, connection: socket.socket, status: int, data: bytes) -> None:
        head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\n"
        if not self.chunked:
            connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
            return
        chunks = [data[start : start + 7] for start in range(0, len(data), 7)]
        framed = b"".join(b"%x;x=y\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
        for octet in head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n":
            connection.sendall(bytes([octet]))


@contextmanager
def serving(path: Path | None = None, **options: Any) -> Iterator[Server]:
    """A server on a free port of loopback, or on a Unix socket, until the block ends."""
    if path is not None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        server = Server(f"unix:{path}", **options)
    else:
        listener = socket.create_server(("127.0.0.1", 0))
        server = Server(f"http://127.0.0.1:{listener.getsockname()[1]}", **options)
    threads = []
    opened: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            server.connections += 1
            opened.append(connection)
            threads.append(threading.Thread(target=_quietly, args=(server, connection)))
            threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for connection in opened:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in threads:
            thread.join()


def _quietly(server: Server, connection: socket.socket) -> None:
    try:
        server.serve(connection)
    except OSError:
        return
