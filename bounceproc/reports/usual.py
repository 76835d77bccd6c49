"""The short way through a notification that is built as nearly all are: the answer of the long way for half of the work.

Whatever is not quite usual (another order of parts, an encoding, a cut, a sender that needs a second look) is None here and
left to the readers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bounceproc.reports import dsn
from bounceproc.reports.mail import RETURNED_TYPES, USUAL_DAEMON, Mail
from bounceproc.reports.mime import MAX_HEADER, Head, Headers, has_stray_line, split
from bounceproc.reports.original import Original

if TYPE_CHECKING:
    from bounceproc.reports.report import Report

_TYPE: Final = b"message/delivery-status"
_REPORTS: Final = b"delivery-status"
_MULTIPART: Final = "multipart/report;"
_STATUS: Final = ("report-type=delivery-status", 'report-type="delivery-status"')
_BOUNDARY: Final = "boundary="
_VALUE: Final = re.compile(r"([^\s;\"]+)\s*(?:;|$)", re.ASCII)
_SPACE: Final = " \t\n\r\f\v"
_BEFORE_NAME: Final = frozenset(" \t\n;")
_ENDS: Final = frozenset(("", ";"))
_ESC: Final = 0x1B
_LF: Final = ord("\n")
_MBOX_LINE: Final = b"From "
"""How the line begins that a mailbox of old puts before a header."""
_BEFORE: Final = frozenset(b"\n>")
"""With what else a message begins that has something before its header."""
_PLAIN: Final = frozenset(("", "7bit", "8bit"))


def read(data: bytes) -> Report | None:
    """A notification of RFC 3464 whose line ends are normalised and that has text, fields and returned mail in this order.

    Raises:
        MalformedReportError: neither its fields nor its text name anybody.

    """
    start = data.find(b"\n") + 1 if data[:5] == _MBOX_LINE else 0
    top = data.find(b"\n\n", start)
    at = data.find(_TYPE, top)
    if at < 0 or not start < top < start + MAX_HEADER or data[start] in _BEFORE or data.find(_REPORTS, start, top) < 0:
        return None
    block = b"\n%b\n" % data[start:top]
    if has_stray_line(block):
        return None
    headers = Headers(block)
    boundary = _boundary(headers.raw(b"content-type"))
    if not boundary:
        return None
    mail = Mail(data, headers)
    subject = mail.subject_line
    if (subject is None or ":" in subject) and (
        (mail.is_answer and not USUAL_DAEMON.fullmatch(mail.sender)) or mail.is_copy_for_postmaster
    ):
        return None  # somebody forwards a report
    delimiter = b"\n--%b" % boundary
    first = data.find(delimiter, top, at)
    second = data.find(delimiter, first + len(delimiter), at) if first >= 0 else -1
    status = _entity(data, second, delimiter)
    if status is None:
        return None
    head, body, end = status
    if head.type != "message/delivery-status" or head.encoding not in _PLAIN:
        return None
    if data.find(b"ecipient", second, body) >= 0:
        return None  # the blank line before the fields is missing
    returned = _entity(data, end, delimiter, is_last=True)
    text = data[body:end]
    if returned is None or returned[0].type not in RETURNED_TYPES or not text.isascii() or _ESC in text:
        return None
    begin = first + len(delimiter)
    if data[begin] == _LF:
        mail.text_at = (begin + 1, second)
    mail.give_original(Original.in_body(data, returned[0].encoding, returned[1], returned[2]))
    return dsn.told(mail, text[: dsn.MAX_REPORT].decode("ascii"), "rfc3464")


def _boundary(content_type: str) -> bytes:
    """What stands between the parts of a report of delivery; empty where its Content-Type is not written as usual."""
    lowered = content_type.lower()
    if not lowered.lstrip().startswith(_MULTIPART) or not (_STATUS[0] in lowered or _STATUS[1] in lowered):
        return b""
    at = lowered.find(_BOUNDARY)
    if at <= 0 or lowered[at - 1] not in _BEFORE_NAME:
        return b""
    at += len(_BOUNDARY)
    if content_type[at : at + 1] != '"':
        found = _VALUE.match(content_type, at)
        return found[1].encode("latin-1") if found else b""
    end = content_type.find('"', at + 1)
    value = content_type[at + 1 : end] if end > 0 else ""
    if "\n" in value or content_type[end + 1 :].lstrip(_SPACE)[:1] not in _ENDS:
        return b""
    return value.encode("latin-1")


def _entity(data: bytes, at: int, delimiter: bytes, *, is_last: bool = False) -> tuple[Head, int, int] | None:
    """The part behind a delimiter line: its header, where its body begins and ends.

    None where no other delimiter line ends it, unless it is the last one: returned mail is often cut off.
    """
    begin = at + len(delimiter)
    if at < 0 or data[begin : begin + 1] != b"\n":
        return None
    end = data.find(delimiter, begin)
    if end < 0 and is_last:
        end = len(data)
    elif end < 0 or not _is_end(data, end + len(delimiter)):
        return None
    head, body = split(data, begin + 1, end)
    return head, body, end


def _is_end(data: bytes, at: int) -> bool:
    """Whether a delimiter line ends there, or goes on as the last one does."""
    return data[at : at + 1] == b"\n" or data[at : at + 2] == b"--"
