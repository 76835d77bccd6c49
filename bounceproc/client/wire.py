"""HTTP/1.1 as octets, without a socket: the requests of the lookup interface, and responses as they come in (RFC 9112)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from bounceproc.client.answer import Answer, NoAnswerError
from bounceproc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH: Final = 10_000
"""Addresses in one request: the server takes no more."""
HEAD_LIMIT: Final = 64 * 1024
"""Octets of a response's head; a server of ours needs some hundred."""
BODY_LIMIT: Final = 64 * 1024 * 1024
"""Octets of a response's body: ten thousand answers have some three million."""
PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is."""

    host: str
    port: int
    tls: bool = False
    path: str = ""
    """The path of a Unix socket; host and port are for the Host field alone then."""
    prefix: str = ""
    """What stands before `/v1`, behind a proxy."""

    @classmethod
    def parse(cls, url: str) -> Place:
        """Read `http://HOST:PORT`, `https://HOST` or `unix:PATH`.

        Raises:
            UsageError: it is none of them.

        """
        if url.startswith("unix:") and len(url) > len("unix:"):
            return cls("localhost", 80, path=url.removeprefix("unix:"))
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in PORTS or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise UsageError(
                f"{url!r} is no address of a server", "Write http://127.0.0.1:8025, https://HOST or unix:PATH."
            )
        tls = parts.scheme == "https"
        return cls(parts.hostname, port or PORTS[parts.scheme], tls, prefix=parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """What the Host field says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS["https" if self.tls else "http"] else f"{host}:{self.port}"


def one_request(place: Place, address: str, *, stream: str | None, token: str | None) -> bytes:
    """Ask for one address."""
    query = f"?stream={quote(stream, safe='')}" if stream is not None else ""
    target = f"{place.prefix}/v1/addresses/{quote(address, safe='@')}{query}"
    return _head(place, f"GET {target}", token) + b"\r\n"


def bulk_request(place: Place, addresses: Sequence[str], *, stream: str | None, token: str | None) -> bytes:
    """Ask for up to `BATCH` addresses."""
    value = {"addresses": list(addresses), **({"stream": stream} if stream is not None else {})}
    body = json.dumps(value).encode()
    head = _head(place, f"POST {place.prefix}/v1/check", token)
    return head + f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _head(place: Place, line: str, token: str | None) -> bytes:
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"{line} HTTP/1.1\r\nHost: {place.authority}\r\nAccept: application/json\r\n{bearer}".encode("latin-1")


@dataclass(slots=True)
class Response:
    """A response, fed with what the socket gives."""

    status: int = 0
    keeps: bool = False
    """Whether the connection can be used again."""
    _data: bytearray = field(default_factory=bytearray)
    _body: bytearray = field(default_factory=bytearray)
    _left: int | None = None
    """Octets of the body, or of a chunk, that are still to come; None before the head has been read, -1 for up to the end."""
    _chunked: bool = False

    def feed(self, data: bytes) -> bool:
        """Take octets; whether the response is complete. Nothing at all is the end of the connection.

        Raises:
            NoAnswerError: it is no response, it breaks off, or it is too long.

        """
        self._data += data
        if self._left is None and not self._read_head():
            if not data:
                raise NoAnswerError("the server hung up")
            return False
        if self._left == -1:  # up to the end of the connection
            self._body += self._data
            self._data.clear()
            done = not data
        else:
            done = self._read_chunks() if self._chunked else self._read_sized()
            if not done and not data:
                raise NoAnswerError("the server hung up in the middle of its answer")
        if len(self._body) > BODY_LIMIT:
            raise NoAnswerError("the answer is too long")
        return done

    def one(self, asked: str) -> list[Answer | None]:
        """What it says of one address.

        Raises:
            NoAnswerError: the server could not say anything.

        """
        if self.status == 400:  # to the server it is no address; 404 is another server, or a wrong path
            return [None]
        return [_read(asked, self._value())]

    def many(self, asked: Sequence[str]) -> list[Answer | None]:
        """What it says of many addresses, in their order.

        Raises:
            NoAnswerError: the server could not say anything, or not of each of them.

        """
        value = self._value()
        results = value.get("results") if isinstance(value, dict) else None
        if not isinstance(results, list) or len(results) != len(asked):
            raise NoAnswerError("the server did not answer for each address")
        return [_read(address, told) for address, told in zip(asked, results, strict=True)]

    def _value(self) -> Any:
        if self.status != 200:
            raise NoAnswerError(f"the server answered with {self.status}")
        try:
            return json.loads(self._body)
        except (ValueError, RecursionError) as error:
            raise NoAnswerError("the server did not answer with JSON") from error

    def _read_head(self) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            if len(self._data) > HEAD_LIMIT:
                raise NoAnswerError("the answer has no end of its head")
            return False
        first, *lines = bytes(self._data[:end]).decode("latin-1").split("\r\n")
        del self._data[: end + 4]
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
            raise NoAnswerError("what answers there speaks no HTTP")
        self.status = int(rest[:3])
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self._chunked = fields.get("transfer-encoding", "").lower() == "chunked"
        length = fields.get("content-length", "")
        self._left = 0 if self._chunked else int(length) if length.isdecimal() and len(length) < 12 else -1
        self.keeps = version == "HTTP/1.1" and self._left >= 0 and fields.get("connection", "").lower() != "close"
        if self._left > BODY_LIMIT:
            raise NoAnswerError("the answer is too long")
        return True

    def _read_sized(self) -> bool:
        assert self._left is not None, "the head was read"
        part = self._data[: self._left]
        self._body += part
        self._left -= len(part)
        del self._data[: len(part)]
        return self._left == 0

    def _read_chunks(self) -> bool:
        """RFC 9112 7.1. Trailers are read and thrown away."""
        while True:
            if self._left and not self._read_sized():
                return False
            end = self._data.find(b"\r\n")
            if end < 0 or (end == 0 and len(self._data) < 3):
                if len(self._data) > HEAD_LIMIT:
                    raise NoAnswerError("the answer is broken")
                return False
            if end == 0 and self._body:  # behind a chunk
                del self._data[:2]
                continue
            size = bytes(self._data[:end]).partition(b";")[0].strip()
            try:
                length = int(size, 16) if len(size) < 9 else BODY_LIMIT + 1
            except ValueError as error:
                raise NoAnswerError("the answer is broken") from error
            if length == 0:
                return self._data.find(b"\r\n\r\n", end) >= 0
            if length > BODY_LIMIT - len(self._body):
                raise NoAnswerError("the answer is too long")
            del self._data[: end + 2]
            self._left = length


def _read(asked: str, told: Any) -> Answer | None:
    if (
        isinstance(told, dict) and told.get("known") is False
    ):  # what the server declared for trouble is not for us: see `OnError`
        raise NoAnswerError("the server cannot ask its database")
    return Answer.read(asked, told)
