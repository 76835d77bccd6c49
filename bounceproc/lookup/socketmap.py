"""Postfix's and Sendmail's socketmap (socketmap_table(5)): netstrings in, netstrings out."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final

from bounceproc.address import Address
from bounceproc.errors import BounceprocError, InvalidAddressError
from bounceproc.lookup.conversation import Conversation
from bounceproc.lookup.replies import refusal

if TYPE_CHECKING:
    from bounceproc.lookup.desk import Desk, Question
    from bounceproc.lookup.hall import Hall
    from bounceproc.lookup.tally import Tally

QUERY_LIMIT: Final = 10_000
"""Octets of a request, as Postfix has it (socketmap_max_query_size)."""
COMMA: Final = 44
"""What ends a netstring."""
_LENGTH: Final = re.compile(rb"(0|[1-9][0-9]{0,4}):")
_MAP: Final = re.compile(r"suppressed(?::([\w.@ -]{1,200}))?")
"""`suppressed` for mail of any stream, `suppressed:NAME` for one."""


def netstring(data: bytes) -> bytes:
    """Frame an answer."""
    return b"%d:%b," % (len(data), data)


NOTFOUND: Final = netstring(b"NOTFOUND ")
TROUBLE: Final = netstring(b"TEMP the suppression list cannot be asked")
UNKNOWN_MAP: Final = netstring(b"PERM there is no such map: ask for suppressed, or suppressed:STREAM")
MALFORMED: Final = netstring(b"PERM no netstring")


class Socketmap(Conversation):
    """One connection."""

    def __init__(self, hall: Hall, desk: Desk, tally: Tally, *, is_open: bool) -> None:
        """`is_open`: whether mail passes when the list cannot be asked."""
        super().__init__(hall)
        self._desk = desk
        self._tally = tally
        self._trouble = NOTFOUND if is_open else TROUBLE

    def _at_once(self, data: bytes) -> bytes | None:
        head, _, rest = data.partition(b":")
        length = len(rest) - 1
        if length <= QUERY_LIMIT and head == b"%d" % length and rest[length] == COMMA:
            return self._request(rest[:length])
        return None

    def _requests(self) -> None:
        buffer, at = self._buffer, 0
        while self._takes_more and at < len(buffer):
            head = _LENGTH.match(buffer, at, at + 6)
            if head is None:
                if len(buffer) - at < 6 and buffer[at:].isdigit() and not buffer.startswith(b"00", at):
                    break
                self._refuse()
                return
            length, begin = int(head[1]), head.end()
            if length > QUERY_LIMIT:
                self._refuse()
                return
            end = begin + length
            if len(buffer) <= end:
                break
            if buffer[end] != COMMA:
                self._refuse()
                return
            if answer := self._request(buffer[begin:end]):
                self._say(answer)
            at = end + 1
        self._buffer = buffer[at:]

    def _refuse(self) -> None:
        self._tally.malformed += 1
        self._say(MALFORMED)
        self._end()

    def _request(self, data: bytes) -> bytes:
        """The answer; empty if it has to be waited for."""
        tally = self._tally
        tally.questions += 1
        name, _, key = data.partition(b" ")
        stream: str | None = None
        if name != b"suppressed":
            found = _MAP.fullmatch(name.decode(errors="replace"))
            if found is None:
                return UNKNOWN_MAP
            stream = found[1]
        try:
            question = self._desk.of(Address.parse(key.decode()))
        except (InvalidAddressError, UnicodeDecodeError):
            # Postfix asks for partial keys where it is told to; none of them is an address of the list.
            return NOTFOUND
        except BounceprocError:
            tally.troubles += 1
            return self._trouble
        if not question.keys:
            return NOTFOUND
        known, entry = self._desk.at_hand(question, stream)
        if not known:
            self._ask_for(self._answer(question, stream))
            return b""
        tally.suppressed += entry is not None
        return NOTFOUND if entry is None else netstring(b"OK " + refusal(entry).encode())

    async def _answer(self, question: Question, stream: str | None) -> bytes:
        try:
            entry = await self._desk.answer(question, stream)
        except BounceprocError as error:
            self._tally.troubles += 1
            logging.getLogger(__name__).warning("a hit cannot be confirmed: %s", error.what)
            return self._trouble
        self._tally.suppressed += entry is not None
        return NOTFOUND if entry is None else netstring(b"OK " + refusal(entry).encode())
