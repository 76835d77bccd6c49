"""Postfix's and Sendmail's socketmap (socketmap_table(5)): netstrings in, netstrings out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bounceproc.lookup.asking import Asking

if TYPE_CHECKING:
    from bounceproc.lookup.desk import Desk
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


class Socketmap(Asking):
    """One connection."""

    def __init__(self, hall: Hall, desk: Desk, tally: Tally, *, is_open: bool) -> None:
        """`is_open`: whether mail passes when the list cannot be asked."""
        super().__init__(hall, desk, tally, unknown=NOTFOUND, trouble=NOTFOUND if is_open else TROUBLE)

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
        name, _, key = data.partition(b" ")
        if name == b"suppressed":
            return self._about(key, None)
        if (found := _MAP.fullmatch(name.decode(errors="replace"))) is None:
            self._tally.questions += 1
            return UNKNOWN_MAP
        return self._about(key, found[1])

    def _suppressed(self, text: bytes) -> bytes:
        return netstring(b"OK " + text)
