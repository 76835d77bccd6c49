"""What the envelope says of a message, written where the readers look: into its header."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_PATH: Final = re.compile(r"\s*<((?:[^<>\"\s]|\"(?:[^\"\\]|\\.)*\")*)>(?:\s+(.*))?", re.DOTALL)
_BARE: Final = re.compile(r"\s*([^<>\"\s]+)(?:\s+(.*))?", re.DOTALL)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_DELIVERED_TO: Final = re.compile(rb"^Delivered-To[ \t]*:", re.IGNORECASE | re.MULTILINE)

MAX_HEADER: Final = 256 * 1024
"""Octets that are searched for a Delivered-To."""


def path_of(argument: str) -> tuple[str, str] | None:
    """A forward or reverse path and what stands behind it; None for what is none.

    The null path is `<>`. Local parts are taken as they come: a return path that somebody else would not have made is
    still ours, and to refuse it would lose the report.
    """
    found = _PATH.fullmatch(argument) or _BARE.fullmatch(argument)
    if found is None or _CONTROL.search(found[1]):
        return None
    return found[1] or "<>", found[2] or ""


def delivered_to(message: bytes, recipients: Sequence[str]) -> bytes:
    """The message with a Delivered-To (RFC 9228) for each recipient of the envelope on top, unless it has one already.

    A return path that names the recipient (VERP) is known again from there, even where To says something else.
    """
    blank = _BLANK_LINE.search(message, 0, MAX_HEADER)
    if _DELIVERED_TO.search(message, 0, blank.start() if blank else min(len(message), MAX_HEADER)):
        return message
    lines = (b"Delivered-To: %b\r\n" % recipient.encode(errors="surrogateescape") for recipient in recipients)
    return b"".join((*lines, message))
