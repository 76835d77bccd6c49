"""What a server says is a stranger's word: goodbyes, refusals and nonsense end in an error of our own, whatever was asked."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import pytest

from bounceproc.errors import AccessError, UnavailableError
from bounceproc.sources.imap import ImapSource
from bounceproc.sources.mailbox import Disposal, Mailbox, Security

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD: Final = "Sesame-0815"
GREETING: Final = b"* OK ready\r\n"
BODY: Final = b"Subject: one\r\n\r\nbody\r\n"
SENSE: Final = {
    b"CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN MOVE UIDPLUS\r\n",
    b"SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 2] ok\r\n",
    b"SEARCH": b"* SEARCH 1\r\n",
    b"FETCH": b'* 1 FETCH (UID 1 RFC822.SIZE 22 INTERNALDATE "02-Nov-2026 10:00:00 +0000" BODY[]<0> {22}\r\n'
    + BODY
    + b" BODY[] {22}\r\n"
    + BODY
    + b")\r\n",
    b"LIST": b'* LIST () "/" INBOX\r\n',
}
"""What a server says before it says that a command is done, by command; nothing to all others."""


@contextmanager
def server(greeting: bytes = GREETING, **answers: bytes) -> Iterator[int]:
    """A server that says what it is told to, by command; an answer with `TAG` in it is the whole one. After BYE it hangs up."""
    said = SENSE | {verb.encode(): answer for verb, answer in answers.items()}

    def converse(connection: socket.socket) -> None:
        with connection, suppress(OSError), connection.makefile("rb") as lines:
            answer = greeting
            connection.sendall(greeting)
            while b"BYE" not in answer and len(words := lines.readline().upper().split()) > 1:
                verb = words[2] if words[1] == b"UID" else words[1]
                answer = said.get(verb, b"")
                if b"TAG" not in answer:
                    answer += b"TAG OK done\r\n"
                connection.sendall(answer.replace(b"TAG", words[0]))

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=converse, args=(listener.accept()[0],), daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def read(port: int) -> list[bytes]:
    mailbox = Mailbox(
        name="returns",
        host="127.0.0.1",
        port=port,
        security=Security.NONE,
        user="u",
        password=PASSWORD,
        on_report=Disposal.parse("seen"),
    )
    with ImapSource(mailbox) as source:
        return [raw.data for batch in source.batches() for raw in batch.messages]


def test_a_server_that_makes_sense_is_read() -> None:
    with server() as port:
        assert read(port) == [BODY]


@pytest.mark.parametrize("verb", ["greeting", "CAPABILITY", "AUTHENTICATE", "LOGIN", "SELECT", "SEARCH", "FETCH"])
def test_a_goodbye_at_any_time_is_an_unavailable_server_and_no_wrong_password(verb: str) -> None:
    said = {verb: b"* BYE TAG Going down\r\n"}
    if verb == "LOGIN":
        said["CAPABILITY"] = b"* CAPABILITY IMAP4rev1\r\n"
    with server(**said) as port, pytest.raises(UnavailableError) as failed:
        read(port)
    assert failed.value.retry
    assert failed.value.advice
    assert PASSWORD not in str(failed.value)


@pytest.mark.parametrize("refusal", [b"TAG NO [SERVERBUG] Internal error\r\n", b"TAG NO no\r\n", b"TAG BAD what?\r\n"])
@pytest.mark.parametrize("verb", ["SELECT", "SEARCH", "FETCH"])
def test_a_refusal_is_tried_again_and_never_taken_for_an_empty_folder(verb: str, refusal: bytes) -> None:
    with server(**{verb: refusal}) as port, pytest.raises(UnavailableError) as failed:
        read(port)
    assert failed.value.retry
    assert failed.value.advice


def test_a_user_database_that_is_away_is_no_wrong_password() -> None:
    with server(AUTHENTICATE=b"TAG NO [UNAVAILABLE] Try later\r\n") as port, pytest.raises(UnavailableError):
        read(port)
    with server(AUTHENTICATE=b"TAG NO [AUTHENTICATIONFAILED] No\r\n") as port, pytest.raises(AccessError):
        read(port)


@pytest.mark.parametrize(
    ("verb", "nonsense"),
    [
        ("greeting", b"220 mail.example.com ESMTP\r\n"),
        ("greeting", b"+OK POP3 ready\r\n"),
        ("greeting", b"\xff" * 2000 + b"\r\n"),
        ("CAPABILITY", b"TAG OK done\r\n"),
        ("CAPABILITY", b"* CAPABILITY\r\n"),
        ("CAPABILITY", b"* CAPABILITY IMAP9\r\n"),
        ("AUTHENTICATE", b"+ not=base64\r\n"),
        ("SELECT", b"TAG OK done\r\n"),
        ("SELECT", b"* many EXISTS\r\n"),
        ("SELECT", b"* 1 EXISTS\r\n* OK [UIDVALIDITY none] ok\r\n"),
        ("SEARCH", b"* SEARCH one two\r\n"),
        ("SEARCH", b"TAG OK done\r\n"),
        ("FETCH", b"* 1 FETCH (UID one)\r\n"),
        ("FETCH", b"* 1 FETCH (UID 1 RFC822.SIZE many)\r\n"),
        ("FETCH", b"* 1 FETCH (UID 1 BODY[] {99999999999}\r\n"),
        ("FETCH", b"* 1 FETCH (UID 1 BODY[]<0> {99999999999}\r\n"),
        ("FETCH", b"* 1 FETCH (UID 1 BODY[] {22}\r\n" + BODY + b"\r\n"),
        ("FETCH", b"* 1 FETCH (UID 1 BODY[]<0> {22}\r\n" + BODY + b"\r\n"),
        ("FETCH", b"* 1 FETCH ((((((((((((\r\n"),
        ("FETCH", b"* 1 FETCH (UID 1 FLAGS " + b"(" * 5000 + b"\r\n"),
        ("FETCH", b'* 1 FETCH (UID 1 RFC822.SIZE 22 INTERNALDATE "yesterday")\r\n'),
        ("FETCH", b"* x" * 400_000 + b"\r\n"),
        ("FETCH", b"nonsense\r\n"),
    ],
    ids=lambda value: value[:30].decode("latin-1").strip() if isinstance(value, bytes) else value,
)
def test_nonsense_ends_in_an_error_of_our_own(verb: str, nonsense: bytes) -> None:
    """Or in no message at all; never in a traceback, and never in a wait without end."""
    with server(**{verb: nonsense}) as port, suppress(UnavailableError, AccessError):
        assert read(port) in ([], [BODY])
