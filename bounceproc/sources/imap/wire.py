"""Answers about many messages, read off the socket itself: a general parser of answers costs more than the mail in them.

IMAPClient and this reader take turns on one connection, each with tags of its own, and each reads an answer to its end
before the other asks. A server may also speak unasked, in whole lines; should the pieces of one ever be torn apart between
the two, what follows begins like no line of IMAP, and that ends the conversation: the next one goes on where the record ends.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Final

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError
from imapclient.imap_utf7 import encode as utf7

from bounceproc import sequence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imapclient import IMAPClient

RECEIVED: Final = 256 * 1024
"""Octets that are taken from the socket at once."""
MAX_LINE: Final = 64 * 1024
"""Octets of a line without its literals: no answer asked for here comes near it."""
MAX_PIECES: Final = 1000
"""Pieces of one FETCH response: a dozen is usual, and flags may be many."""
MAX_ANSWER: Final = 128 * 1024 * 1024
"""Octets of content kept of one answer, whatever sizes the server named before."""

_STATUS: Final = re.compile(rb"(OK|NO|BAD|BYE|PREAUTH)(?: |$)", re.IGNORECASE)
_FETCH: Final = re.compile(rb"\d{1,10} FETCH ", re.IGNORECASE)
_LITERAL: Final = re.compile(rb"\{(\d{1,10})\}$")
_PIECE: Final = re.compile(
    rb' *(?:([()])|"((?:[^"\\]|\\.)*)"|([^\s()"\[\]{}]+(?:\[[^\]]*\](?:<\d+>)?)?)|(\{\d{1,10}\})$)'
)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
# What nearly all of them look like.
_CONTENT: Final = re.compile(
    rb'\d{1,10} FETCH \(UID (\d{1,10}) (?:INTERNALDATE "([^"\\]*)" )?(BODY\[\](?:<0>)?) \{(\d{1,10})\}$'
)
_LISTED: Final = re.compile(rb'\d{1,10} FETCH \(UID (\d{1,10}) RFC822\.SIZE (\d{1,20}) INTERNALDATE "([^"\\]*)"\)$')


class Wire:
    """The short way over one connection, for commands about many messages."""

    def __init__(self, client: IMAPClient, max_literal: int) -> None:
        self._socket = client.socket()
        self._max_literal = max_literal
        self._data = b""
        self._at = 0
        self._number = 0

    def fetch(self, uids: Sequence[int], items: str) -> dict[int, dict[bytes, bytes | None]]:
        """`UID FETCH`: what is said of each message that was asked for, by item; None stands for NIL, lists are left out.

        Raises:
            IMAPClientError: the server refuses.
            IMAPClientAbortError: it ended the conversation, or does not speak IMAP.

        """
        wanted = set(uids)
        found: dict[int, dict[bytes, bytes | None]] = {}
        octets = 0
        for line in self._answer(f"UID FETCH {sequence.dump(uids)} ({items})"):
            uid, said = self._fetched(line)
            if uid in wanted:
                octets += sum(map(len, filter(None, said.values())))
                if octets > MAX_ANSWER:
                    raise _broken(f"more than {MAX_ANSWER} octets in one answer")
                found.setdefault(uid, said).update(said)
        return found

    def do(self, command: str) -> None:
        """A command of which nothing matters but whether it was done.

        Raises:
            IMAPClientError, IMAPClientAbortError: see `fetch`.

        """
        for line in self._answer(command):
            self._fetched(line)  # flags that were changed, by us or by others

    # ---- one answer --------------------------------------------------------------------------------------------------

    def _answer(self, command: str) -> Iterator[bytes]:
        """The FETCH responses in an answer, each without its `* `. Whoever takes one takes its literals, too."""
        self._number += 1
        tag = b"W%d " % self._number
        self._socket.sendall(tag + command.encode("ascii") + b"\r\n")
        while True:
            line = self._line()
            if line[:2] == b"* ":
                line = line[2:]
                if _FETCH.match(line):
                    yield line
                else:
                    self._other(line)
            elif line.startswith(tag):
                break
            else:
                raise _broken(line)
        while self._at < len(self._data):  # said unasked behind the end: IMAPClient would miss its beginning
            unasked = self._line()
            if unasked[:2] != b"* ":
                raise _broken(unasked)
            if _FETCH.match(unasked, 2):
                self._fetched(unasked[2:])
            else:
                self._other(unasked[2:])
        status = line[len(tag) :]
        if status[:3].upper() not in {b"OK ", b"OK"}:
            raise IMAPClientError(_text(status.partition(b" ")[2]))

    def _other(self, line: bytes) -> None:
        """What is said in passing: messages that came or went, words for people, the end."""
        status = _STATUS.match(line)
        if status is not None:
            if status[1].upper() == b"BYE":
                raise IMAPClientAbortError(_text(line[4:]))
            return
        # Words for people may end like a literal; data that does has one.
        for _ in range(MAX_PIECES):
            literal = _LITERAL.search(line)
            if literal is None:
                return
            self._literal(int(literal[1]))
            line = self._line()
        raise _broken(line)

    def _fetched(self, line: bytes) -> tuple[int, dict[bytes, bytes | None]]:
        """The UID of a FETCH response (0 where it has none) and what it says."""
        content = _CONTENT.match(line)
        if content is not None:
            uid, date, name, octets = content.groups()
            said: dict[bytes, bytes | None] = {name: self._literal(int(octets))}
            if date is not None:
                said[b"INTERNALDATE"] = date
            line = self._line()
            if line == b")":
                return int(uid), said
            return self._rest(line, {b"UID": uid, **said})
        listed = _LISTED.match(line)
        if listed is not None:
            return int(listed[1]), {b"RFC822.SIZE": listed[2], b"INTERNALDATE": listed[3]}
        start = line.find(b"(")
        if line[:start].count(b" ") != 2:
            raise _broken(line)
        return self._rest(line[start + 1 :], {})

    def _rest(self, line: bytes, said: dict[bytes, bytes | None]) -> tuple[int, dict[bytes, bytes | None]]:
        """A FETCH response of any order and with any items, from a point between two of its items on."""
        name: bytes | None = None
        for depth, border, value in self._pieces(line):
            if border is not None:
                name = None if depth == 1 else name  # a list is left out, with the name of its item
            elif depth == 1 and name is None:
                name = (value or b"").upper()
            elif depth == 1 and name is not None:
                said[name] = value
                name = None
        uid = said.pop(b"UID", None) or b"0"
        if name is not None or not uid.isdigit():
            raise _broken(line)
        return int(uid), said

    def _pieces(self, line: bytes) -> Iterator[tuple[int, bytes | None, bytes | None]]:
        """How deep, and the brackets and the values of a response, up to its end; a value is None for NIL as well."""
        at, depth = 0, 1
        for _ in range(MAX_PIECES):
            piece = _PIECE.match(line, at)
            if piece is None:
                break
            at = piece.end()
            border, quoted, atom, literal = piece.groups()
            depth += {b"(": 1, b")": -1}.get(border, 0)
            if depth == 0:
                if at != len(line):
                    break
                return
            if literal is not None:
                yield depth, None, self._literal(int(literal[1:-1]))
                line, at = self._line(), 0
            elif quoted is not None:
                yield depth, None, _ESCAPED.sub(rb"\1", quoted)
            else:
                yield depth, border, None if atom is None or atom.upper() == b"NIL" else atom
        raise _broken(line[at:])

    # ---- octets ------------------------------------------------------------------------------------------------------

    def _line(self) -> bytes:
        """The next line, without its end."""
        end = self._data.find(b"\r\n", self._at)
        while end < 0:
            seen = len(self._data) - self._at
            if seen > MAX_LINE:
                raise _broken(self._data[self._at : self._at + MAX_LINE])
            self._data = self._data[self._at :] + self._received()
            self._at = 0
            end = self._data.find(b"\r\n", max(seen - 1, 0))
        line = self._data[self._at : end]
        self._at = end + 2
        return line

    def _literal(self, octets: int) -> bytes:
        if octets > self._max_literal:
            raise _broken(f"a literal of {octets} octets")
        end = self._at + octets
        if end <= len(self._data):
            data = self._data[self._at : end]
            self._at = end
            return data
        collected = io.BytesIO()  # gives its content away without a copy, however long it is
        collected.write(self._data[self._at :])
        missing = end - len(self._data)
        while missing > 0:
            self._data = self._received()
            self._at = collected.write(self._data[:missing])
            missing -= self._at
        return collected.getvalue()

    def _received(self) -> bytes:
        received: bytes = self._socket.recv(RECEIVED)
        if not received:
            raise IMAPClientAbortError("the connection ends in the middle of an answer")
        return received


def mailbox_name(folder: str) -> str:
    """A folder's name as it stands in a command: modified UTF-7 (RFC 3501 section 5.1.3), quoted."""
    encoded: str = utf7(folder).decode("ascii")
    return '"' + encoded.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _broken(said: bytes | str) -> IMAPClientAbortError:
    return IMAPClientAbortError(f"it says what is no IMAP: {said if isinstance(said, str) else _text(said[:80])}")


def _text(said: bytes) -> str:
    return said.decode(errors="replace")
