"""A server of LMTP, asked by real clients over a real socket; what it records goes into a list."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.errors import UnavailableError
from bounceproc.sources.lmtp import dialogue
from bounceproc.sources.lmtp.bounds import MAX_RECIPIENTS
from bounceproc.sources.lmtp.hall import Hall
from bounceproc.sources.lmtp.server import converse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bounceproc.rawmessage import RawMessage

BOUND = 20.0
"""Seconds after which a test gives up waiting."""
MESSAGE = b"Subject: one\r\n\r\nbody\r\n"
RETURN_PATH = "bounces+user=example.com@sender.example"


@dataclass
class Records:
    """A ledger that can be slow, and can be away."""

    groups: list[list[RawMessage]] = field(default_factory=list)
    error: Exception | None = None
    open: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.open.set()

    def record(self, messages: Sequence[RawMessage]) -> None:
        self.begun.set()
        assert self.open.wait(BOUND)
        if self.error is not None:
            raise self.error
        self.groups.append(list(messages))

    @property
    def data(self) -> list[bytes]:
        return [message.data for group in self.groups for message in group]


@dataclass
class Served:
    """A running server."""

    port: int
    records: Records
    hall: Hall
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event
    thread: threading.Thread

    def client(self) -> smtplib.LMTP:
        return smtplib.LMTP("127.0.0.1", self.port, timeout=BOUND)

    def ask_to_stop(self) -> None:
        self.loop.call_soon_threadsafe(self.stop.set)

    def wait_until(self, condition: Any) -> None:
        pause = threading.Event()
        for _ in range(int(BOUND / 0.01)):
            if condition():
                return
            pause.wait(0.01)
        raise AssertionError("it did not come to that")


@contextmanager
def serving(**bounds: Any) -> Iterator[Served]:
    records, hall, ready = Records(), Hall(**bounds), threading.Event()
    found: list[Any] = []

    async def run(opened: socket.socket) -> None:
        found.extend((asyncio.get_running_loop(), asyncio.Event()))
        await converse(opened, records.record, hall, found[1], on_ready=ready.set)

    with socket.create_server(("127.0.0.1", 0)) as opened:
        thread = threading.Thread(target=lambda: asyncio.run(run(opened)))
        port = opened.getsockname()[1]
        thread.start()
        assert ready.wait(BOUND)
        server = Served(port, records, hall, found[0], found[1], thread)
        try:
            yield server
        finally:
            records.open.set()
            if thread.is_alive():
                server.ask_to_stop()
            thread.join(BOUND)
        assert not thread.is_alive()


@pytest.fixture
def server() -> Iterator[Served]:
    with serving() as served:
        yield served


def begin(client: smtplib.LMTP, *recipients: str) -> None:
    client.ehlo_or_helo_if_needed()
    assert client.docmd("MAIL", "FROM:<>")[0] == 250
    for recipient in recipients or (RETURN_PATH,):
        assert client.docmd("RCPT", f"TO:<{recipient}>")[0] == 250
    assert client.docmd("DATA")[0] == 354


def send(client: smtplib.LMTP, data: bytes = MESSAGE, *recipients: str) -> tuple[int, bytes]:
    """One message, with the end of its data; gives the first answer."""
    begin(client, *recipients)
    client.send(data + b".\r\n")
    return client.getreply()


# ---- the answer ------------------------------------------------------------------------------------------------------


def test_the_answer_comes_behind_the_commit_and_not_before(server: Served) -> None:
    with server.client() as client:
        server.records.open.clear()
        begin(client)
        client.send(MESSAGE + b".\r\n")
        assert server.records.begun.wait(BOUND)
        assert client.sock is not None
        client.sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.sock.recv(1)
        client.sock.settimeout(BOUND)

        server.records.open.set()

        assert client.sock.recv(100).startswith(b"250 2.0.0")
    assert len(server.records.data) == 1


@pytest.mark.parametrize("error", [UnavailableError("the database is away"), RuntimeError("nobody foresaw it")])
def test_what_is_not_recorded_is_kept_by_the_mta_for_each_recipient(server: Served, error: Exception) -> None:
    server.records.error = error
    with server.client() as client:
        assert send(client, MESSAGE, "one@sender.example", "two@sender.example")[0] == 451
        assert client.getreply() == (451, b"4.3.0 not recorded, try again later")

        server.records.error = None

        assert send(client)[0] == 250
    assert len(server.records.data) == 1


def test_each_recipient_has_its_answer_and_the_message_is_recorded_once(server: Served) -> None:
    with server.client() as client:
        assert send(client, MESSAGE, "one@sender.example", "two@sender.example")[0] == 250
        assert client.getreply()[0] == 250
        assert client.noop()[0] == 250
    assert server.records.data == [
        b"Delivered-To: one@sender.example\r\nDelivered-To: two@sender.example\r\n" + MESSAGE
    ]


def test_messages_that_arrive_together_share_a_commit(server: Served) -> None:
    server.records.open.clear()
    clients = [server.client() for _ in range(9)]
    for number, client in enumerate(clients):
        begin(client)
        client.send(b"Subject: %d\r\n\r\n.\r\n" % number)
        if number == 0:
            assert server.records.begun.wait(BOUND)
    # Eight more are in by the time that the first is committed: their octets are in flight.
    size = len(b"Subject: 0\r\n\r\n")
    server.wait_until(lambda: server.hall.octets == 9 * size)

    server.records.open.set()

    assert [client.getreply()[0] for client in clients] == [250] * 9
    for client in clients:
        client.close()
    assert len(server.records.data) == 9
    assert len(server.records.groups) <= 3


# ---- messages --------------------------------------------------------------------------------------------------------


def recorded(server: Served, data: bytes) -> bytes:
    with server.client() as client:
        assert send(client, data)[0] == 250
    (found,) = server.records.data
    return found.removeprefix(b"Delivered-To: %b\r\n" % RETURN_PATH.encode())


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"", b""),
        (b"a: b\r\n\r\n..\r\n..x\r\n", b"a: b\r\n\r\n.\r\n.x\r\n"),
        (b"a: b\r\n\r\n" + b"x" * 300_000 + b"\r\n", b"a: b\r\n\r\n" + b"x" * 300_000 + b"\r\n"),
        (b"a: b\n.\nMAIL FROM:<x@y.example>\n\r\n", b"a: b\n.\nMAIL FROM:<x@y.example>\n\r\n"),
        (b"a: b\r\n\r\n\x00\xff\xfe\r\n", b"a: b\r\n\r\n\x00\xff\xfe\r\n"),
    ],
    ids=["empty", "dots", "a line of 300 kB", "no end by bare LF", "any octets"],
)
def test_a_message_is_recorded_octet_by_octet(server: Served, sent: bytes, kept: bytes) -> None:
    assert recorded(server, sent) == kept


def test_a_line_that_is_read_in_pieces_ends_where_it_ends(server: Served) -> None:
    # The piece ends before `.` and the line goes on behind it: that is no lone dot.
    for length in range(65_530, 65_542):
        server.records.groups.clear()
        line = b"x" * length + b".\r\n"
        assert recorded(server, line + line) == line + line


def test_a_message_over_the_limit_is_read_by_its_head_and_never_refused() -> None:
    with serving(max_message=1000) as server:
        with server.client() as client:
            client.ehlo_or_helo_if_needed()
            assert "size" not in client.esmtp_features
            assert client.docmd("MAIL", "FROM:<> SIZE=99999999")[0] == 250
            client.rset()
            assert send(client, b"Subject: long\r\n\r\n" + b"line\r\n" * 10_000)[0] == 250
            assert send(client)[0] == 250
        long, short = server.records.data
        assert b"Subject: long" in long
        assert len(long) < 1100
        assert short.endswith(MESSAGE)
        assert server.hall.octets == 0


def test_a_message_without_an_end_is_hung_up_on(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialogue, "MAX_DRAINED", 10_000)
    with server.client() as client:
        begin(client)
        client.send(b"line\r\n" * 2_000)
        assert client.getreply()[0] == 552
    server.wait_until(lambda: not server.hall.guests)
    assert server.records.data == []
    assert server.hall.octets == 0


def test_more_than_fits_into_memory_is_told_to_come_back() -> None:
    with serving(max_in_flight=1000) as server:
        with server.client() as client:
            assert send(client, b"line\r\n" * 1000)[0] == 452
            assert server.hall.octets == 0
            assert send(client)[0] == 250
        assert len(server.records.data) == 1


def test_the_return_path_is_written_into_the_header_as_the_envelope_has_it(server: Served) -> None:
    with server.client() as client:
        assert send(client, MESSAGE, RETURN_PATH)[0] == 250
        assert send(client, b"X: y\r\ndelivered-to: who@else.example\r\n\r\n")[0] == 250
        client.docmd("MAIL", "FROM:<> SMTPUTF8 BODY=8BITMIME")
        client.putcmd("RCPT", "TO:<bounces+x@sender.example>")
        assert client.getreply()[0] == 250
        client.send("RCPT TO:<bounces+jörg=example.com@sender.example>\r\n".encode())
        assert client.getreply()[0] == 250
    assert server.records.data == [
        b"Delivered-To: bounces+user=example.com@sender.example\r\n" + MESSAGE,
        b"X: y\r\ndelivered-to: who@else.example\r\n\r\n",
    ]


# ---- clients ---------------------------------------------------------------------------------------------------------


def test_a_client_that_dies_within_a_message_leaves_nothing_behind(server: Served) -> None:
    client = server.client()
    begin(client)
    client.send(b"Subject: half\r\n\r\nand then")
    server.wait_until(lambda: server.hall.octets > 0)
    client.close()

    server.wait_until(lambda: not server.hall.guests)
    server.wait_until(lambda: server.hall.octets == 0)
    with server.client() as other:
        assert send(other)[0] == 250
    assert len(server.records.data) == 1


def test_a_client_that_dies_before_its_answer_has_its_message_recorded_all_the_same(server: Served) -> None:
    server.records.open.clear()
    client = server.client()
    begin(client)
    client.send(MESSAGE + b".\r\n")
    assert server.records.begun.wait(BOUND)
    client.close()
    server.wait_until(lambda: not server.hall.guests)
    server.records.open.set()

    server.wait_until(lambda: len(server.records.data) == 1)
    assert server.hall.octets == 0


def test_hostile_commands_are_answered_and_the_next_message_is_taken(server: Served) -> None:
    with server.client() as client:
        for line, code in (
            (b"DATA", 503),
            (b"LHLO client.example", 250),
            (b"EHLO client.example", 500),
            (b"NONSENSE", 500),
            (b"\xff\xfe\x00", 500),
            (b"NOOP " + b"x" * 3_000, 500),
            (b"NOOP " + b"x" * 200_000, 500),
            (b"RCPT TO:<early@sender.example>", 503),
            (b"MAIL FROM:<>", 250),
            (b"DATA", 503),
            (b"RCPT TO:<<<<", 553),
            (b"RCPT TO:<a\rb@sender.example>", 553),
            (b"RCPT TO:<a\x00b@sender.example>", 553),
            (b"RSET", 250),
        ):
            client.send(line + b"\r\n")
            answer = client.getreply()
            assert answer[0] == code, (line[:40], answer)
        assert send(client)[0] == 250
    assert len(server.records.data) == 1


@pytest.mark.parametrize(
    "recipient", ["no-domain", '"odd local"@sender.example', "a..b.@sender.example", "bounces+a=b=c@sender.example"]
)
def test_odd_return_paths_of_ours_are_taken_as_they_come(server: Served, recipient: str) -> None:
    with server.client() as client:
        assert send(client, MESSAGE, recipient)[0] == 250
    assert server.records.data[0].startswith(b"Delivered-To: %b\r\n" % recipient.encode())


def test_recipients_are_bounded(server: Served) -> None:
    with server.client() as client:
        client.ehlo_or_helo_if_needed()
        client.docmd("MAIL", "FROM:<>")
        client.send(b"RCPT TO:<x@sender.example>\r\n" * (MAX_RECIPIENTS + 1))
        codes = [client.getreply()[0] for _ in range(MAX_RECIPIENTS + 1)]
    assert codes == [250] * MAX_RECIPIENTS + [452]


def test_one_connection_too_many_is_told_to_come_back() -> None:
    with serving(max_connections=1) as server, server.client() as client:
        with pytest.raises(smtplib.SMTPConnectError) as refused:
            server.client()
        assert refused.value.smtp_code == 421
        assert send(client)[0] == 250


def test_who_says_nothing_is_hung_up_on() -> None:
    with serving(talk_timeout=0.2) as server:
        client = server.client()
        begin(client)
        client.send(b"Subject: slow")
        assert client.sock is not None
        assert client.sock.recv(100) == b""
        client.close()
        server.wait_until(lambda: server.hall.octets == 0)
        assert server.records.data == []


# ---- the end ---------------------------------------------------------------------------------------------------------


def test_a_stop_ends_idle_conversations_and_finishes_open_ones(server: Served) -> None:
    idle, busy = server.client(), server.client()
    idle.ehlo_or_helo_if_needed()
    begin(busy)
    busy.send(b"Subject: begun\r\n\r\n")
    server.wait_until(lambda: server.hall.octets > 0)

    server.ask_to_stop()

    assert idle.getreply()[0] == 421
    busy.send(b"and finished\r\n.\r\n")
    assert busy.getreply()[0] == 250
    assert busy.getreply()[0] == 421
    server.thread.join(BOUND)
    assert not server.thread.is_alive()
    assert len(server.records.data) == 1
    idle.close()
    busy.close()
