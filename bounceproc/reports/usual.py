"""The short way through a notification that is built as nearly all are: the answer of the long way for half of the work.

Whatever is not quite usual (another order of parts, an encoding, a cut, a sender that needs a second look) is None here and
left to the readers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bounceproc.reports import dsn
from bounceproc.reports.mail import RETURNED_TYPES, USUAL_DAEMON, Mail
from bounceproc.reports.mime import MAX_HEADER, Part, has_stray_line
from bounceproc.reports.original import Original

if TYPE_CHECKING:
    from bounceproc.reports.report import Report

_TYPE: Final = b"message/delivery-status"
_REPORT: Final = re.compile(
    rb"\s*multipart/report\s*;(?=[^\x00]*\bdelivery-status\b)[^\x00]*?\bboundary=(?:\"([^\"\n]+)\"|([^\s;\"]+))\s*(?:;|$)",
    re.IGNORECASE,
)
_PLAIN: Final = frozenset(("", "7bit", "8bit"))


def read(data: bytes) -> Report | None:
    """A notification of RFC 3464 whose line ends are normalised and that has text, fields and returned mail in this order."""
    top = data.find(b"\n\n")
    at = data.find(_TYPE, top)
    if at < 0 or not 0 < top < MAX_HEADER or data[:1] in b"\n>F":
        return None
    block = b"\n%b\n" % data[:top]
    if has_stray_line(block):
        return None
    mail = Mail.of(data, block)
    report = _REPORT.match(mail.headers.raw(b"content-type"))
    if report is None or not USUAL_DAEMON.fullmatch(mail.sender):
        return None
    delimiter = b"\n--%b" % (report[1] or report[2])
    first = data.find(delimiter, top, at)
    second = data.find(delimiter, first + len(delimiter), at) if first >= 0 else -1
    status = _part(data, second, delimiter)
    if status is None or status.type != "message/delivery-status" or status.encoding not in _PLAIN:
        return None
    returned = _part(data, status.end, delimiter)
    text = data[status.body : status.end]
    if returned is None or returned.type not in RETURNED_TYPES or not text.isascii() or b"\x1b" in text:
        return None
    mail.give("original", Original.in_part(returned))
    found = dsn.report(mail, text[: dsn.MAX_REPORT].decode("ascii"), "rfc3464")
    return found if found.events else None


def _part(data: bytes, at: int, delimiter: bytes) -> Part | None:
    """The part behind a delimiter line, if another delimiter line ends it."""
    begin = at + len(delimiter)
    if at < 0 or not data.startswith(b"\n", begin):
        return None
    end = data.find(delimiter, begin)
    if end < 0 or not data.startswith((b"\n", b"--"), end + len(delimiter)):
        return None
    return Part(data, begin + 1, end, 1, report=True)
