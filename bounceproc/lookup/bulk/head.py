"""What a list is, by its first line: plain addresses, or CSV with a column of them."""

from __future__ import annotations

import codecs
import csv
from typing import TYPE_CHECKING, Final, NamedTuple

from bounceproc.address import Address
from bounceproc.errors import InvalidAddressError, UsageError
from bounceproc.lookup.bulk.layout import Plain, Table

if TYPE_CHECKING:
    from bounceproc.lookup.bulk.layout import Layout

DELIMITERS: Final = (",", ";", "\t", "|")
"""What stands between the cells of CSV; Excel takes the semicolon where the comma is in numbers."""
KNOWN: Final = frozenset(
    {"email", "e-mail", "mail", "address", "email address", "e-mail address", "email_address", "emailaddress"}
    | {"recipient", "subscriber"}
)
"""Columns that are taken for the address where none is named."""
SHOWN: Final = 10
"""Columns that an error names."""

_WIDE: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""The longer marks first: one begins with the other."""


class Head(NamedTuple):
    """The beginning of a list."""

    layout: Layout
    line: bytes
    """The head line, its end included; empty for plain addresses."""


def encoding_of(start: bytes) -> str | None:
    """The encoding that a byte order mark tells; None for UTF-8 and its relatives, which are read as they are."""
    return next((name for mark, name in _WIDE if start.startswith(mark)), None)


def read_head(start: bytes, column: str | None) -> Head:
    """See what the list is. `start` has its whole first line, in UTF-8, without a byte order mark.

    Raises:
        UsageError: there is no such column, or there are several and none is named.

    """
    line = start.splitlines(keepends=True)[0] if start else b""
    text = line.decode(errors="replace").rstrip("\r\n")
    if column is not None:
        delimiter, cells = _split(text, column.strip().lower())
        place = _place(cells, {column.strip().lower()})
        if place is None:
            shown = ", ".join(repr(cell) for cell in cells[:SHOWN]) + (", ..." if len(cells) > SHOWN else "")
            raise UsageError(f"the list has no column {column!r}", f"Its first line names {shown}.")
        return Head(Table(delimiter, place), line)
    if not text.strip() or is_address(text):
        return Head(Plain(), b"")
    for delimiter in DELIMITERS:
        place = _place(cells_of(text, delimiter), KNOWN)
        if place is not None:
            return Head(Table(delimiter, place), line)
    delimiter, cells = _split(text)
    if len(cells) > 1:
        raise UsageError(
            "the list has several columns, and none is known to hold addresses",
            f"Name it with --column: {', '.join(repr(cell) for cell in cells[:SHOWN])}.",
        )
    return Head(Plain(), b"")


def _split(text: str, wanted: str = "") -> tuple[str, list[str]]:
    """The delimiter that makes most of the line: one by which the wanted column is found before any other."""
    found = [(delimiter, cells_of(text, delimiter)) for delimiter in DELIMITERS]
    return max(found, key=lambda one: (_place(one[1], {wanted}) is not None, len(one[1])))


def cells_of(text: str, delimiter: str) -> list[str]:
    """The cells of one line; none, where it is no CSV."""
    try:
        return [cell.strip() for cell in next(csv.reader([text.rstrip("\r\n")], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _place(cells: list[str], names: frozenset[str] | set[str]) -> int | None:
    return next((place for place, cell in enumerate(cells) if cell.lower() in names), None)


def is_address(text: str) -> bool:
    """Whether the line is nothing but an address."""
    try:
        Address.parse(text)
    except InvalidAddressError:
        return False
    return True
