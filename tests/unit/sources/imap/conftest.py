"""An IMAP server that says what a test tells it to: for refusals and breakages that no real server gives on request."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pytest

from bounceproc.sources.mailbox import Disposal, Mailbox, Security

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import BufferedRWPair

HANG_UP: Final = "hang up"
"""An answer: close the connection without a word."""

NORMAL: Final = {
    "CAPABILITY": ["* CAPABILITY IMAP4rev1 AUTH=PLAIN MOVE UIDPLUS", "{tag} OK done"],
    "AUTHENTICATE PLAIN": ["{tag} OK welcome"],
    "LOGIN": ["{tag} OK welcome"],
    "LOGOUT": ["* BYE see you", "{tag} OK done"],
    "NOOP": ["{tag} OK done"],
    "SELECT": [
        "* FLAGS (\\Seen \\Deleted)",
        "* 3 EXISTS",
        "* 0 RECENT",
        "* OK [UIDVALIDITY 7] valid",
        "* OK [UIDNEXT 4] next",
        "{tag} OK [READ-WRITE] done",
    ],
    "UID SEARCH": ["* SEARCH 1 2 3", "{tag} OK done"],
    "UID FETCH 1:3 (INTERNALDATE BODY.PEEK[]<0.16384>)": [
        '* 1 FETCH (UID 1 INTERNALDATE "24-Nov-2026 02:00:00 +0100" BODY[]<0> {{5}}\r\none\r\n)',
        '* 2 FETCH (BODY[]<0> {{5}}\r\ntwo\r\n INTERNALDATE " 4-Nov-2026 02:00:00 -0100" UID 2)',
        '* 3 FETCH (UID 3 INTERNALDATE "31-Dec-9999 23:00:00 -1200" BODY[]<0> {{5}}\r\nthr\r\n)',
        "{tag} OK done",
    ],
    "UID FETCH 1:3 (RFC822.SIZE INTERNALDATE)": [
        '* 1 FETCH (UID 1 RFC822.SIZE 5 INTERNALDATE "24-Nov-2026 02:00:00 +0100")',
        '* 2 FETCH (UID 2 RFC822.SIZE 5 INTERNALDATE " 4-Nov-2026 02:00:00 -0100")',
        '* 3 FETCH (UID 3 RFC822.SIZE 5 INTERNALDATE "31-Dec-9999 23:00:00 -1200")',
        "{tag} OK done",
    ],
    "UID FETCH 1:3 (BODY.PEEK[])": [
        "* 1 FETCH (UID 1 BODY[] {{5}}\r\none\r\n)",
        "* 2 FETCH (UID 2 BODY[] {{5}}\r\ntwo\r\n)",
        "* 3 FETCH (UID 3 BODY[] {{5}}\r\nthr\r\n)",
        "{tag} OK done",
    ],
}
"""What a server says when all is well: three messages in INBOX. The longest key that a command begins with answers."""

AT_ONCE: Final = "UID FETCH 1:3 (INTERNALDATE BODY.PEEK[]<0.16384>)"
"""The first question about messages."""
STUMBLES: Final = {AT_ONCE: ["{tag} NO corrupt message"]}
"""What has sizes asked for first."""


class ScriptedServer:
    """One listening socket; every command is answered from `answers`, and kept in `commands`."""

    def __init__(self) -> None:
        self.answers: dict[str, list[str]] = dict(NORMAL)
        self.greeting = "* OK ready"
        self.commands: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def mailbox(self, **changes: Any) -> Mailbox:
        """Settings that reach this server."""
        settings: dict[str, Any] = {
            "name": "returns",
            "host": "127.0.0.1",
            "port": self._listener.getsockname()[1],
            "security": Security.NONE,
            "user": "bounces",
            "password": "Sesame",
            "on_report": Disposal.parse("seen"),
        }
        return Mailbox(**settings | changes)

    def say(self, answers: Mapping[str, list[str]]) -> None:
        """Answer some commands otherwise than usual."""
        self.answers |= answers

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream, suppress(OSError):
                self._converse(stream)

    def _converse(self, stream: BufferedRWPair) -> None:
        stream.write(self.greeting.encode() + b"\r\n")
        stream.flush()
        for line in stream:
            tag, _, command = line.decode().strip().partition(" ")
            self.commands.append(command)
            if command.startswith("AUTHENTICATE"):
                stream.write(b"+ \r\n")
                stream.flush()
                stream.readline()
            for answer in self.answers[max(filter(command.startswith, self.answers), key=len)]:
                if answer == HANG_UP:
                    return
                stream.write(answer.format(tag=tag).encode() + b"\r\n")
            stream.flush()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    yield scripted
    scripted.close()
