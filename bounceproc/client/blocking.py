"""The blocking client: safe to share between threads, with connections that are used again."""

from __future__ import annotations

import socket
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from bounceproc.client import wire
from bounceproc.client.answer import NoAnswerError, settled, unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from bounceproc.client.answer import Answer, OnError
    from bounceproc.client.wire import Response

TIMEOUT: Final = 0.5
"""Seconds that a request may take, connecting included: a sender waits for each of them."""
KEPT: Final = 8
"""Connections that wait to be used again."""
READ: Final = 256 * 1024
"""Octets of one read."""


class Client:
    """Asks one server. Nothing is asked until the first question."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8025",
        *,
        on_error: OnError,
        token: str | None = None,
        timeout: float = TIMEOUT,
        snapshot: Path | None = None,
    ) -> None:
        """`on_error` says what holds when neither the server nor the snapshot answers; `timeout` is for each request, in seconds.

        Raises:
            UsageError: the URL is none.

        """
        self._place = wire.Place.parse(url)
        self._on_error = on_error
        self._token = token
        self._timeout = timeout
        self._snapshot = snapshot
        self._idle: deque[socket.socket] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def check(self, address: str, *, stream: str | None = None) -> Answer:
        """Whether one address may be mailed; for one stream, or for any scope without one.

        Raises:
            NoAnswerError: nobody answered, and `on_error` is `raise`.

        """
        request = wire.one_request(self._place, address, stream=stream, token=self._token)
        return self._answers([address], stream, lambda: self._exchange(request).one(address))[0]

    def check_many(self, addresses: Iterable[str], *, stream: str | None = None) -> list[Answer]:
        """The same for many addresses, in their order, with one request for each ten thousand.

        Raises:
            NoAnswerError: nobody answered, and `on_error` is `raise`.

        """
        asked = list(addresses)
        found: list[Answer] = []
        for start in range(0, len(asked), wire.BATCH):
            part = asked[start : start + wire.BATCH]
            found += self._answers(part, stream, lambda part=part: self._ask(part, stream))  # type: ignore[misc]
        return found

    def close(self) -> None:
        """Close the connections that wait. The client can still be used."""
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().close()

    def _ask(self, part: Sequence[str], stream: str | None) -> list[Answer | None]:
        return self._exchange(wire.bulk_request(self._place, part, stream=stream, token=self._token)).many(part)

    def _answers(
        self, asked: Sequence[str], stream: str | None, ask: Callable[[], list[Answer | None]]
    ) -> list[Answer]:
        try:
            found = ask()
        except NoAnswerError as error:
            return self._otherwise(asked, stream, error)
        return settled(asked, found, self._on_error)

    def _otherwise(self, asked: Sequence[str], stream: str | None, error: NoAnswerError) -> list[Answer]:
        if self._snapshot is not None:
            from bounceproc.client import snapshot  # noqa: PLC0415 - sqlite3 costs whoever has no snapshot

            try:
                found = snapshot.ask(self._snapshot, asked, stream=stream)
            except NoAnswerError as second:
                error = second
            else:
                return settled(asked, found, self._on_error)
        return unanswered(asked, self._on_error, error)

    def _exchange(self, request: bytes) -> Response:
        deadline = time.monotonic() + self._timeout
        while self._idle:
            with suppress(
                IndexError, OSError, NoAnswerError
            ):  # another thread took it, or the server closed it meanwhile
                return self._over(self._idle.pop(), request, deadline)
            if time.monotonic() >= deadline:
                break
        try:
            return self._over(self._connect(deadline), request, deadline)
        except OSError as error:
            raise NoAnswerError(f"the server at {self._place.path or self._place.authority} does not answer") from error

    def _over(self, connection: socket.socket, request: bytes, deadline: float) -> Response:
        response = wire.Response()
        try:
            connection.settimeout(_left(deadline))
            connection.sendall(request)
            while True:
                connection.settimeout(_left(deadline))
                if response.feed(connection.recv(READ)):
                    break
        except BaseException:
            connection.close()
            raise
        if response.keeps and len(self._idle) < KEPT:
            self._idle.append(connection)
        else:
            connection.close()
        return response

    def _connect(self, deadline: float) -> socket.socket:
        if self._place.path:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.settimeout(_left(deadline))
                connection.connect(self._place.path)
            except BaseException:
                connection.close()
                raise
            return connection
        connection = socket.create_connection((self._place.host, self._place.port), _left(deadline))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._place.tls:
            return connection
        import ssl  # noqa: PLC0415 - it costs whoever speaks to the next machine 10 ms

        connection.settimeout(_left(deadline))
        return ssl.create_default_context().wrap_socket(connection, server_hostname=self._place.host)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is over")
    return left
