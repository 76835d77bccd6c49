"""The mbox format (RFC 4155, and what mail programs made of it): one message at a time out of a stream."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from bounceproc.sources.bounds import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

MAX_LINE: Final = 64 * 1024
"""Octets that are read at once; a longer line is read in pieces, so that a file without line ends needs no memory."""
MAX_FROM_LINE: Final = 1000
"""Octets of a From_ line that are looked at for a date."""

_DATED: Final = re.compile(rb"From .*\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? .*\d{1,2}:\d\d")
_FIELD: Final = re.compile(rb"[!-9;-~]{1,200}:[ \t\r\n]|>From ")
_QUOTED: Final = re.compile(rb">+From ")
_BLANK: Final = frozenset({b"\n", b"\r\n"})


def split_mbox(stream: BinaryIO, max_message: int = MAX_MESSAGE_BYTES) -> Iterator[bytes | None]:
    """The messages of an mbox, without their From_ lines and with `>From ` unquoted; None for one that is too large.

    What stands before the first From_ line is a message too: nothing is dropped.
    """
    return (message for message, _ in spans_mbox(stream.readline, max_message))


def spans_mbox(
    readline: Callable[[int], bytes], max_message: int = MAX_MESSAGE_BYTES
) -> Iterator[tuple[bytes | None, int]]:
    """The same, each with the number of octets up to its end, which is where the next From_ line begins."""
    message = bytearray()
    octets = reached = 0
    begun = False
    for line, starts in _marked_lines(readline):
        reached += len(line)
        if starts:
            if begun:
                yield _finished(message, octets, max_message), reached - len(line)
            message.clear()
            octets = 0
            begun = True
        elif begun or line not in _BLANK:
            begun = True
            octets += len(line)
            if octets <= max_message:
                message += line[1:] if line[:1] == b">" and _QUOTED.match(line) else line
    if begun:
        yield _finished(message, octets, max_message), reached


def _marked_lines(readline: Callable[[int], bytes]) -> Iterator[tuple[bytes, bool]]:
    """Every line, and whether it is a From_ line.

    Few programs quote every body line that begins with `From `, so that alone is no mark: the line before has to be
    blank, and either the line has a date or a header field follows it.
    """
    held: bytes | None = None
    after_blank = line_start = True
    for line in iter(partial(readline, MAX_LINE), b""):
        if held is not None:
            yield held, bool(_DATED.match(held, 0, MAX_FROM_LINE) or _FIELD.match(line))
            held = None
        if after_blank and line[:5] == b"From ":
            held = line
        else:
            yield line, False
        after_blank = line_start and line in _BLANK
        line_start = line[-1:] == b"\n"
    if held is not None:
        yield held, bool(_DATED.match(held, 0, MAX_FROM_LINE))


def _finished(message: bytearray, octets: int, max_message: int) -> bytes | None:
    if octets > max_message:
        return None
    # The blank line before the next From_ line belongs to the mbox, not to the message.
    if message.endswith(b"\r\n\r\n"):
        return bytes(message[:-2])
    return bytes(message[:-1] if message.endswith(b"\n\n") else message)
