"""The proxy does what its plan says, at the octet that it names."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tests.servers.proxy import Call, Cut, Ending, Plan, Point, Proxy, Stall, Way

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER = b"".join(b"line %03d\r\n" % number for number in range(1000))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server that answers each octet with the whole ANSWER."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while asked := connection.recv(1024):
                connection.sendall(ANSWER * len(asked))

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield int(listener.getsockname()[1])
    listener.close()


@contextmanager
def connected(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        yield client


def read(client: socket.socket, count: int = len(ANSWER)) -> bytes:
    """Up to so many octets; fewer where the conversation ends."""
    found = b""
    while len(found) < count and (data := client.recv(count - len(found))):
        found += data
    return found


def test_without_a_plan_everything_passes_and_is_counted(port: int) -> None:
    with Proxy(port) as proxy, connected(proxy) as client:
        client.sendall(b"ab")
        assert read(client, 2 * len(ANSWER)) == ANSWER * 2
        assert (proxy.passed(Way.UP), proxy.passed(Way.DOWN)) == (2, 2 * len(ANSWER))


@pytest.mark.parametrize("after", [0, 1, 4097, len(ANSWER) - 1])
def test_an_answer_is_cut_behind_the_octet_that_was_named(port: int, after: int) -> None:
    with Proxy(port, Plan((Cut(Point(Way.DOWN, after), Ending.CLOSE),))) as proxy, connected(proxy) as client:
        client.sendall(b"a")
        assert read(client) == ANSWER[:after]
        assert proxy.passed(Way.DOWN) == after


def test_a_reset_is_an_error_and_not_an_end(port: int) -> None:
    with Proxy(port, Plan((Cut(Point(Way.DOWN, 5)),))) as proxy, connected(proxy) as client:
        client.sendall(b"a")
        with pytest.raises(ConnectionResetError):
            read(client)


def test_a_question_is_cut_and_the_server_sees_only_what_came_before(port: int) -> None:
    with Proxy(port, Plan((Cut(Point(Way.UP, 3), Ending.CLOSE),))) as proxy, connected(proxy) as client:
        client.sendall(b"abcdef")
        read(client, 6 * len(ANSWER))
        assert proxy.passed(Way.UP) == 3


def test_a_point_is_found_by_what_stands_before_it(port: int) -> None:
    plan = Plan((Cut(Point(Way.DOWN, 2, b"line 007", nth=2), Ending.CLOSE),), piece=100)
    with Proxy(port, plan) as proxy, connected(proxy) as client:
        client.sendall(b"aa")
        assert read(client, 2 * len(ANSWER)) == ANSWER + ANSWER[:80]


def test_a_stall_holds_back_what_comes_behind_it(port: int) -> None:
    with Proxy(port, Plan((Stall(Point(Way.DOWN, 10), 0.3),))) as proxy, connected(proxy) as client:
        client.sendall(b"a")
        assert read(client, 10) == ANSWER[:10]
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(5)
        assert read(client, len(ANSWER) - 10) == ANSWER[10:]


def test_a_slow_line_gives_a_piece_at_a_time(port: int) -> None:
    with Proxy(port, Plan(piece=len(ANSWER) // 10, pause=0.02)) as proxy, connected(proxy) as client:
        start = time.monotonic()
        client.sendall(b"a")
        assert read(client) == ANSWER
        assert time.monotonic() - start > 0.15


def test_something_is_done_when_a_point_is_reached_and_before_more_passes(port: int) -> None:
    at = Point(Way.UP, -1, b"stop")
    seen = []
    with Proxy(port) as proxy:
        proxy.plan = Plan((Call(at, lambda: seen.append(proxy.passed(Way.UP))), Cut(at)))
        with connected(proxy) as client, suppress(OSError):
            client.sendall(b"go, stop")
            read(client, 8 * len(ANSWER))
    assert seen == [7]
    assert proxy.passed(Way.UP) == 7


def test_nobody_listens_for_a_while(port: int) -> None:
    with Proxy(port) as proxy:
        with proxy.refusing(), pytest.raises(ConnectionRefusedError), connected(proxy):
            pass
        with connected(proxy) as client:
            client.sendall(b"a")
            assert read(client) == ANSWER
