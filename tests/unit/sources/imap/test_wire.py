"""Answers read off the socket: all that a server may say, at whatever points the network cuts it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from bounceproc.sources.imap import wire as wire_module
from bounceproc.sources.imap.wire import Wire, mailbox_name

if TYPE_CHECKING:
    from collections.abc import Iterable

BODY = b"BODY[]"


class Client:
    """What a wire needs of an IMAPClient."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def socket(self) -> socket.socket:
        return self._end


def asked(*answers: bytes, pieces: Iterable[int] = (), uids: tuple[int, ...] = (1, 2, 3)) -> list[Any]:
    """What a wire makes of each answer (or the error it raises), sent in pieces of these sizes; W1 is the first tag."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)

    def serve() -> None:
        with theirs, suppress(OSError):  # a wire that gave up has hung up
            for answer in answers:
                theirs.recv(1 << 16)
                rest = answer
                for size in pieces:
                    theirs.sendall(rest[:size])
                    rest = rest[size:]
                theirs.sendall(rest)

    thread = threading.Thread(target=serve)
    thread.start()
    found: list[Any] = []
    with ours:
        wire = Wire(Client(ours), 1000)
        for _ in answers:
            try:
                found.append(wire.fetch(uids, "BODY.PEEK[]"))
            except IMAPClientError as error:
                found.append(error)
    thread.join(10)
    return found


def content(uid: int, data: bytes) -> bytes:
    return b"* %d FETCH (UID %d BODY[] {%d}\r\n%b)\r\n" % (uid, uid, len(data), data)


DONE = b"W1 OK done\r\n"


@given(
    st.dictionaries(st.integers(1, 3), st.binary(max_size=200), max_size=3),
    st.lists(st.integers(1, 60), max_size=20),
)
def test_any_content_comes_through_in_any_pieces(messages: dict[int, bytes], pieces: list[int]) -> None:
    said = b"".join(content(uid, data) for uid, data in messages.items())
    (found,) = asked(said + DONE, pieces=pieces)
    assert found == {uid: {BODY: data} for uid, data in messages.items()}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (b"* 1 FETCH (BODY[] {3}\r\none UID 1)\r\n", {1: {BODY: b"one"}}),
        (b"* 1 FETCH (UID 1 BODY[] {3}\r\none FLAGS (\\Seen $x))\r\n", {1: {BODY: b"one"}}),
        (b"* 1 FETCH (FLAGS (\\Seen) UID 1 MODSEQ (12) BODY[] {3}\r\none)\r\n", {1: {BODY: b"one"}}),
        (b'* 1 fetch (uid 1 body[] "o\\"e")\r\n', {1: {BODY: b'o"e'}}),
        (b'* 1 FETCH (UID 1 BODY[] "")\r\n', {1: {BODY: b""}}),
        (b"* 1 FETCH (UID 1 BODY[] NIL)\r\n", {1: {BODY: None}}),
        (b"* 1 FETCH (UID 1 BODY[]<0> {3}\r\none)\r\n", {1: {b"BODY[]<0>": b"one"}}),
        (b'* 1 FETCH (X-LABELS ("a b" {2}\r\n)( c) UID 1 BODY[] {3}\r\none)\r\n', {1: {BODY: b"one"}}),
        (b"* 9 FETCH (UID 9 BODY[] {3}\r\nabc)\r\n", {}),
        (b"* 1 FETCH (FLAGS (\\Seen))\r\n", {}),
        (b"* 4 EXISTS\r\n* 2 EXPUNGE\r\n* VANISHED 1:5\r\n* OK all is {5}\r\n* NO slow {x}\r\n", {}),
        (b"* LIST () {1}\r\n. {3}\r\na b\r\n* CAPABILITY IMAP4rev1\r\n", {}),
        (b"* 1 FETCH (UID 1 FLAGS ())\r\n", {1: {}}),
    ],
)
def test_a_server_may_say_it_its_own_way(said: bytes, meant: dict[int, Any]) -> None:
    (found,) = asked(said + DONE)
    assert found == meant
    (found,) = asked(said + DONE, pieces=[1] * len(said))
    assert found == meant


@pytest.mark.parametrize(
    "said",
    [
        b"W9 OK of somebody else\r\n",
        b"+ go on\r\n",
        b"HTTP/1.1 400 Bad\r\n",
        b"ISTS\r\n",
        b"* 1 FETCH (UID 1 BODY[] {3}\r\none\r\n",
        b"* 1 FETCH (UID 1 BODY[] {3}\r\none) more\r\n",
        b"* 1 FETCH (UID 1 BODY[] {2000}\r\n",
        b"* 1 FETCH (UID x BODY[] {3}\r\none)\r\n",
        b"* 1 FETCH (UID 1 BODY[])\r\n",
        b"* 1 FETCH (UID 1 }{)\r\n",
        b"* 1 FETCH of nothing\r\n",
        b"* LIST {99999}\r\n",
        b"* " + b"x" * 200_000,
        b"* 1 FETCH (" + b"(" * 5000 + b"\r\n",
        b"* LIST {0}\r\n" + b"{0}\r\n" * 2000,
        DONE + b"what is this\r\n",
    ],
)
def test_what_is_no_imap_ends_the_conversation(said: bytes) -> None:
    (error,) = asked(said + b"W1 OK done\r\n")
    assert isinstance(error, IMAPClientAbortError)
    assert len(str(error)) < 300


@pytest.mark.parametrize("length", range(1, len(content(1, b"one")) + 3))
def test_an_answer_that_is_cut_off_anywhere_ends_the_conversation(length: int) -> None:
    (error,) = asked((content(1, b"one") + DONE)[:length])
    assert isinstance(error, IMAPClientAbortError)


@pytest.mark.parametrize("said", [b"* BYE shutting down\r\n", content(1, b"one") + b"* bye shutting down\r\n"])
def test_a_goodbye_ends_the_conversation_in_the_servers_words(said: bytes) -> None:
    (error,) = asked(said)
    assert isinstance(error, IMAPClientAbortError)
    assert str(error) == "shutting down"


def test_a_refusal_is_told_and_the_conversation_goes_on() -> None:
    refused, found = asked(b"W1 NO [SERVERBUG] corrupt\r\n", content(2, b"two") + b"W2 OK done\r\n")
    assert isinstance(refused, IMAPClientError)
    assert not isinstance(refused, IMAPClientAbortError)
    assert str(refused) == "[SERVERBUG] corrupt"
    assert found == {2: {BODY: b"two"}}


def test_what_is_said_behind_the_end_is_read_to_its_own_end() -> None:
    unasked = b"* 5 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen))\r\n"
    first, second = asked(
        content(1, b"one") + DONE + unasked, content(2, b"two") + b"W2 OK\r\n", pieces=[len(content(1, b"one")), 20, 9]
    )
    assert (first, second) == ({1: {BODY: b"one"}}, {2: {BODY: b"two"}})


def test_one_answer_is_bounded_whatever_the_server_said_of_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "MAX_ANSWER", 1500)
    (error,) = asked(content(1, b"x" * 900) + content(2, b"x" * 900) + DONE)
    assert isinstance(error, IMAPClientAbortError)
    assert "more than 1500 octets" in str(error)


@pytest.mark.parametrize(
    ("name", "written"),
    [("Processed", '"Processed"'), ('a "b"\\c', '"a \\"b\\"\\\\c"'), ("Rückläufer", '"R&APw-ckl&AOQ-ufer"')],
)
def test_a_folders_name_is_encoded_and_quoted(name: str, written: str) -> None:
    assert mailbox_name(name) == written
