"""What of our own mail a report brings back: the return paths it came by, and fields of the returned copy."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from bounceproc.reports.returnpath import unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bounceproc.reports.mime import Headers
    from bounceproc.reports.report import Report

ENVELOPE: Final = (
    b"delivered-to",
    b"x-original-to",
    b"envelope-to",
    b"x-gm-original-to",
    b"x-delivered-to",
    b"x-envelope-to",
    b"to",
)
"""Where the report's own header says which address it was sent to (Postfix and Gmail, Postfix before it rewrote, Exim, Google's
routing, others, the reporter itself): anybody may write these."""
MOST: Final = 4
"""Fields of one name that are looked at."""
LONGEST: Final = 1000
"""Octets of a value that are looked at."""

_FOR: Final = re.compile(r"\sfor <([^<>\s]{3,400})>", re.IGNORECASE)
"""Whom a server took a message for (RFC 5321 4.4): some (Microsoft) say it nowhere else."""

_MAILTO: Final = re.compile(r"<\s*mailto:([^<>?,\s]{3,400})", re.IGNORECASE)
"""Where a mail says that its reader may leave (RFC 2369 3.2)."""


def values(headers: Headers, name: bytes) -> Iterator[str]:
    """The first few values of a field; a value that is far too long is none."""
    if name in headers:
        yield from (value for value in headers.all(name)[:MOST] if len(value) <= LONGEST)


def copied(report: Report, name: bytes) -> Iterator[str]:
    """The first few values of a field of the returned copy."""
    if report.original is not None:
        yield from values(report.original.headers, name)


def paths(report: Report) -> Iterator[str]:
    """The addresses that the report was sent to, then the return paths of the returned copy and where it may be left, bare.

    Each also as it was before a forwarder (SRS) or its own mail server (BATV) rewrote it, where that is another one.
    """
    if report.headers is not None:
        for name in ENVELOPE:
            for value in values(report.headers, name):
                yield from _bare(value)
        for value in values(report.headers, b"received"):
            if found := _FOR.search(value):
                yield from _bare(found[1])
    for value in copied(report, b"return-path"):
        yield from _bare(value)
    for value in copied(report, b"list-unsubscribe"):
        for found in islice(_MAILTO.finditer(value), MOST):
            yield from _bare(unquote(found[1]))


def _bare(value: str) -> Iterator[str]:
    _, _, bracketed = value.rpartition("<")
    bare = bracketed.partition(">")[0].strip()
    yield from dict.fromkeys((bare, unwrapped(bare)))
