"""The asynchronous client: the same questions and answers on asyncio."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from bounceproc.client import wire
from bounceproc.client.answer import NoAnswerError, settled, unanswered
from bounceproc.client.blocking import KEPT, READ, TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bounceproc.client.answer import Answer, OnError
    from bounceproc.client.wire import Response

    Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class AsyncClient:
    """Asks one server from one event loop."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8025",
        *,
        on_error: OnError,
        token: str | None = None,
        timeout: float = TIMEOUT,
        snapshot: Path | None = None,
    ) -> None:
        """See `Client`.

        Raises:
            UsageError: the URL is none.

        """
        self._place = wire.Place.parse(url)
        self._on_error = on_error
        self._token = token
        self._timeout = timeout
        self._snapshot = snapshot
        self._idle: deque[Line] = deque()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def check(self, address: str, *, stream: str | None = None) -> Answer:
        """See `Client.check`.

        Raises:
            NoAnswerError: nobody answered, and `on_error` is `raise`.

        """
        request = wire.one_request(self._place, address, stream=stream, token=self._token)
        try:
            found = (await self._exchange(request)).one(address)
        except NoAnswerError as error:
            return (await self._otherwise([address], stream, error))[0]
        return settled([address], found, self._on_error)[0]

    async def check_many(self, addresses: Iterable[str], *, stream: str | None = None) -> list[Answer]:
        """See `Client.check_many`.

        Raises:
            NoAnswerError: nobody answered, and `on_error` is `raise`.

        """
        asked = list(addresses)
        found: list[Answer] = []
        for start in range(0, len(asked), wire.BATCH):
            part = asked[start : start + wire.BATCH]
            request = wire.bulk_request(self._place, part, stream=stream, token=self._token)
            try:
                told = (await self._exchange(request)).many(part)
            except NoAnswerError as error:
                found += await self._otherwise(part, stream, error)
            else:
                found += settled(part, told, self._on_error)
        return found

    async def close(self) -> None:
        """Close the connections that wait. The client can still be used."""
        while self._idle:
            await _end(self._idle.pop()[1])

    async def _otherwise(self, asked: Sequence[str], stream: str | None, error: NoAnswerError) -> list[Answer]:
        if self._snapshot is not None:
            from bounceproc.client import snapshot  # noqa: PLC0415 - sqlite3 costs whoever has no snapshot

            try:
                found = await asyncio.to_thread(snapshot.ask, self._snapshot, asked, stream=stream)
            except NoAnswerError as second:
                error = second
            else:
                return settled(asked, found, self._on_error)
        return unanswered(asked, self._on_error, error)

    async def _exchange(self, request: bytes) -> Response:
        try:
            async with asyncio.timeout(self._timeout):
                while self._idle:
                    with suppress(OSError, NoAnswerError):  # the server closed it meanwhile
                        return await self._over(self._idle.pop(), request)
                return await self._over(await self._connect(), request)
        except OSError as error:  # TimeoutError is one
            raise NoAnswerError(f"the server at {self._place.path or self._place.authority} does not answer") from error

    async def _over(self, line: Line, request: bytes) -> Response:
        reader, writer = line
        response = wire.Response()
        try:
            writer.write(request)
            await writer.drain()
            while not response.feed(await reader.read(READ)):
                pass
        except BaseException:
            writer.transport.abort()
            raise
        if response.keeps and len(self._idle) < KEPT:
            self._idle.append(line)
        else:
            await _end(writer)
        return response

    async def _connect(self) -> Line:
        place = self._place
        if place.path:
            return await asyncio.open_unix_connection(place.path)
        context = ssl.create_default_context() if place.tls else None
        return await asyncio.open_connection(place.host, place.port, ssl=context)


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
