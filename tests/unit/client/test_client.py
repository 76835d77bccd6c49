"""Both clients ask as the contract says, and say what was declared when nobody answers."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.client import Answer, AsyncClient, Client, NoAnswerError
from bounceproc.client import wire as room
from bounceproc.errors import UsageError
from bounceproc.lookup.export import export
from tests.servers.postfix import free_port
from tests.unit.client.server import serving
from tests.unit.lookup.test_export import List, entry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Ask = Callable[..., list[Answer]]

NOBODY = "http://127.0.0.1:1"


def blocking(
    url: str, addresses: Sequence[str], *, stream: str | None = None, bulk: bool = False, **options: Any
) -> list[Answer]:
    client = Client(url, **{"on_error": "raise", "timeout": 5, **options})
    try:
        if bulk:
            return client.check_many(addresses, stream=stream)
        return [client.check(address, stream=stream) for address in addresses]
    finally:
        client.close()


def asynchronous(
    url: str, addresses: Sequence[str], *, stream: str | None = None, bulk: bool = False, **options: Any
) -> list[Answer]:
    async def ask() -> list[Answer]:
        client = AsyncClient(url, **{"on_error": "raise", "timeout": 5, **options})
        try:
            if bulk:
                return await client.check_many(addresses, stream=stream)
            return [await client.check(address, stream=stream) for address in addresses]
        finally:
            await client.close()

    return asyncio.run(ask())


@pytest.fixture(params=[blocking, asynchronous])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_answer_says_whether_and_why(ask: Ask, bulk: bool, chunked: bool) -> None:
    addresses = ["good@example.com", "bad@example.com", "ü@example.com", "a/b?c#d%@example.com"]
    with serving(chunked=chunked) as server:
        answers = ask(server.url, addresses, bulk=bulk)

    assert [answer.address for answer in answers] == addresses
    assert [answer.suppressed for answer in answers] == [False, True, True, True]
    assert answers[1] == Answer("bad@example.com", True, scope="*", reason="bounce", category="bad-mailbox")
    assert server.connections == 1, "a connection is used again"
    assert server.requests[0][0].split()[0] == ("POST" if bulk else "GET")


@pytest.mark.parametrize("bulk", [False, True])
def test_one_stream_is_asked_for_with_a_token(ask: Ask, bulk: bool) -> None:
    with serving() as server:
        (for_news,) = ask(server.url, ["news@example.com"], stream="news", bulk=bulk, token="secret")
        (for_other,) = ask(server.url, ["news@example.com"], stream="a&b=c", bulk=bulk)

    assert (for_news.suppressed, for_other.suppressed) == (True, False)
    assert server.requests[0][1]["authorization"] == "Bearer secret"
    assert "authorization" not in server.requests[1][1]


def test_many_addresses_are_asked_for_in_parts(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "BATCH", 3)
    addresses = [f"{number}@example.com" for number in range(7)] + ["bad@example.com"]
    with serving() as server:
        answers = ask(server.url, addresses, bulk=True)

    assert [answer.address for answer in answers] == addresses
    assert [answer.suppressed for answer in answers] == [False] * 7 + [True]
    assert len(server.requests) == 3


def test_a_unix_socket_serves_as_well(ask: Ask, tmp_path: Path) -> None:
    with serving(tmp_path / "socket") as server:
        assert ask(server.url, ["bad@example.com"])[0].suppressed


def test_a_connection_that_the_server_closed_meanwhile_is_made_anew(ask: Ask) -> None:
    with serving(closes=True) as server:
        answers = ask(server.url, ["bad@example.com", "good@example.com", "bad@example.com"])

    assert [answer.suppressed for answer in answers] == [True, False, True]
    assert server.connections == 3


@pytest.mark.parametrize("bulk", [False, True])
def test_what_is_no_address_spoils_no_other(ask: Ask, bulk: bool) -> None:
    with serving() as server:
        answers = ask(server.url, ["bad@example.com", "nobody", "good@example.com"], bulk=bulk, on_error="closed")
        with pytest.raises(NoAnswerError, match="'nobody'"):
            ask(server.url, ["bad@example.com", "nobody"], bulk=bulk)

    assert [(answer.suppressed, answer.known) for answer in answers] == [(True, True), (True, False), (False, True)]


@pytest.mark.parametrize("bulk", [False, True])
def test_when_nobody_answers_what_was_declared_holds(ask: Ask, bulk: bool) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    assert ask(url, ["a@example.com"], bulk=bulk, on_error="open") == [Answer("a@example.com", False, known=False)]
    assert ask(url, ["a@example.com"], bulk=bulk, on_error="closed") == [Answer("a@example.com", True, known=False)]
    with pytest.raises(NoAnswerError, match="does not answer"):
        ask(url, ["a@example.com"], bulk=bulk)


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_that(ask: Ask) -> None:
    with serving(silent=True) as server:
        start = time.monotonic()
        (answer,) = ask(server.url, ["bad@example.com"], on_error="open", timeout=0.05)

    assert not answer.known
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"220 mx.example.com ESMTP\r\n\r\n",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 307 There\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"results":[]}',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
        b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200_000,
        b"HTTP/1.1 200 OK\r\n" + b"x" * 100_000,
    ],
)
def test_whatever_answers_there_it_is_an_answer_or_what_was_declared(ask: Ask, raw: bytes) -> None:
    with serving(raw=raw) as server:
        for bulk in (False, True):
            assert ask(server.url, ["bad@example.com"], bulk=bulk, on_error="open") == [
                Answer("bad@example.com", False, known=False)
            ]


def test_an_answer_may_end_with_the_connection(ask: Ask) -> None:
    with serving(raw=b'HTTP/1.0 200 OK\r\n\r\n{"suppressed": true}') as server:
        assert ask(server.url, ["bad@example.com"])[0].suppressed


def test_a_server_that_knows_no_such_question_is_none_of_ours_and_the_snapshot_answers(
    ask: Ask, tmp_path: Path
) -> None:
    snapshot = tmp_path / "snapshot.db"
    export(List([entry("bad@example.com")]), "sqlite", snapshot, now=datetime(2020, 1, 1, tzinfo=UTC))
    with serving(raw=b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as server:
        assert ask(server.url, ["bad@example.com"], snapshot=snapshot)[0].suppressed
        with pytest.raises(NoAnswerError, match="404"):
            ask(server.url, ["bad@example.com"])


def test_a_snapshot_answers_in_between(ask: Ask, tmp_path: Path) -> None:
    entries = [
        entry("bad@example.com"),
        entry("@gone.example", reason="manual", origin="manual"),
        entry("news@example.com", scope="stream:news"),
        entry("over@example.com", until=datetime(2021, 1, 1, tzinfo=UTC)),
        entry("ü@xn--bcher-kva.example"),
    ]
    snapshot = tmp_path / "snap shot?.db"
    export(List(entries), "sqlite", snapshot, now=datetime(2020, 1, 1, tzinfo=UTC))
    addresses = [
        "BAD@example.com",
        "x@gone.example",
        "over@example.com",
        "Ü@bücher.example",
        "news@example.com",
        "nobody",
    ]

    answers = ask(NOBODY, addresses, snapshot=snapshot, bulk=True, on_error="open")
    (other,) = ask(NOBODY, ["news@example.com"], snapshot=snapshot, stream="other")

    assert [answer.suppressed for answer in answers] == [True, True, False, True, True, False]
    assert [answer.known for answer in answers] == [True] * 5 + [False]
    assert (answers[0].reason, answers[0].ref, answers[0].since) == ("bounce", "00ff", "2026-11-01T08:30:00Z")
    assert not other.suppressed
    assert not ask(NOBODY, ["bad@example.com"], snapshot=tmp_path / "none", on_error="open")[0].known
    with pytest.raises(NoAnswerError, match="Export it again"):
        ask(NOBODY, ["bad@example.com"], snapshot=tmp_path / "none")


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "http://", "http://u:p@host", "http://host:99999", "unix:", "localhost:8025"]
)
def test_what_is_no_address_of_a_server_is_told_at_once(url: str) -> None:
    with pytest.raises(UsageError, match="unix:PATH"):
        Client(url, on_error="open")


@pytest.mark.parametrize(
    ("url", "authority"),
    [("http://[::1]:8025", "[::1]:8025"), ("https://lists.example/x/", "lists.example"), ("http://a", "a")],
)
def test_the_host_field_says_who_was_asked(url: str, authority: str) -> None:
    assert room.Place.parse(url).authority == authority
