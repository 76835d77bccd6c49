"""Where the rows of a list begin and end, and which of their cells is the address."""

from __future__ import annotations

import csv
import io
import re
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from bounceproc.errors import BadDataError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROW_LIMIT: Final = 4 * 1024 * 1024
"""Octets that one row may have: a quotation mark that is never closed must not fill the memory."""

_BYTES: Final = "latin-1"
"""Carries octets through the csv module, which takes text, and back unchanged: all that it looks for is ASCII."""
_MARKS: Final = re.compile(rb'[",\r\n]')
_END: Final = "\x1fend"
_QUOTE: Final = ord('"')


class Rows(NamedTuple):
    """The rows of a block."""

    cells: list[bytes | None]
    """The address of each row; None where a row has too few cells, and where it is blank."""
    raw: list[bytes]
    """Each row as it stands there, line end included."""


class Layout(Protocol):
    """How a list is laid out."""

    def measure(self, block: bytes) -> int:
        """How many octets of a block, which goes on behind its end, are whole rows.

        Raises:
            BadDataError: it cannot be read as such a list.

        """

    def take(self, block: bytes) -> Rows:
        """The rows of a block of whole rows. The last one of a list needs no line end.

        Raises:
            BadDataError: it cannot be read as such a list.

        """

    def rejected(self, row: bytes, cells: Sequence[str]) -> bytes:
        """A row that is not let through, or the head line, with more cells behind it."""


class Plain:
    """One address a line."""

    def measure(self, block: bytes) -> int:
        """See `Layout`."""
        return _lines(block)

    def take(self, block: bytes) -> Rows:
        """See `Layout`."""
        return Rows([*block.splitlines()], block.splitlines(keepends=True))

    def rejected(self, row: bytes, cells: Sequence[str]) -> bytes:
        """A line of CSV, whatever the line was."""
        address = row.strip()
        if _MARKS.search(address):
            address = _csv([address.decode(_BYTES)], ",").rstrip(b"\n")
        return address + b"," + _more(tuple(cells), ",")


class Table:
    """CSV in one of its forms."""

    def __init__(self, delimiter: str, column: int) -> None:
        self._delimiter = delimiter
        self._octet = delimiter.encode()
        self._column = column
        field = rb'(?:"[^"]*+(?:""[^"]*+)*+"|[^"%b\r\n]*+)' % re.escape(self._octet)
        self._records = re.compile(rb"(?:%b(?:%b%b)*+(?:\r\n|\n|\r(?!\Z)))*" % (field, re.escape(self._octet), field))
        """Whole records, as far as quotation marks stand only where they belong. Nothing follows, so that it never goes back;
        said to be possessive, it would end in the middle of a record before Python 3.11.5."""
        before = rb"(?:%b%b){%d}+" % (field, re.escape(self._octet), column)
        self._cell = re.compile(
            rb"(?<![^\r\n])%b(%b)(?:%b%b)*+(?:\r\n|\n|\r)" % (before, field, re.escape(self._octet), field)
        )
        """Such a record that begins where a line does, and its address."""

    def measure(self, block: bytes) -> int:
        """See `Layout`."""
        if b'"' not in block:
            return _lines(block)
        found = self._records.match(block)
        if found and found.end():
            return found.end()
        whole = block[: _lines(block)]
        lines = whole.splitlines(keepends=True)
        _, ends = self._read(whole, len(lines))
        return len(whole) if ends is None else sum(map(len, lines[: ends[-1]])) if ends else 0

    def take(self, block: bytes) -> Rows:
        """See `Layout`."""
        raw = block.splitlines(keepends=True)
        column = self._column
        if b'"' not in block:
            fields = [line.split(self._octet, column + 1) for line in block.splitlines()]
            return Rows([row[column] if len(row) > column else None for row in fields], raw)
        cells = self._cell.findall(block)
        if len(cells) == len(raw) and b"" not in cells:  # as each holds a line end, each is one line
            return Rows([_unquoted(cell) if cell[0] == _QUOTE else cell for cell in cells], raw)
        rows, ends = self._read(block, len(raw))
        if ends is not None:  # some rows have several lines
            if ends[-1:] != [len(raw)]:
                begin = raw[ends[-1] if ends else 0]
                raise BadDataError(f"a quotation mark is never closed: {begin[:60]!r}", "Mend that row.")
            raw = [b"".join(raw[begin:end]) for begin, end in pairwise((0, *ends))]
        return Rows([row[column].encode(_BYTES) if len(row) > column else None for row in rows], raw)

    def rejected(self, row: bytes, cells: Sequence[str]) -> bytes:
        """The row, and the cells behind it."""
        return row.rstrip(b"\r\n") + self._octet + _more(tuple(cells), self._delimiter)

    def _read(self, whole: bytes, lines: int) -> tuple[list[list[str]], list[int] | None]:
        """The whole rows, and up to which line each of them goes; None where each is one line.

        A mark behind the last line is a row of its own, unless it is swallowed by a row that goes on behind that line.
        """
        text = whole.decode(_BYTES)
        text = f"{text}{_END}" if text.endswith(("\n", "\r")) else f"{text}\n{_END}"
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter)
        try:
            rows = list(reader)
            if len(rows) == lines + 1:
                return rows[:-1], None
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter)
            ends = [reader.line_num for _ in reader]
        except csv.Error as error:
            raise BadDataError(f"the list is no CSV: {error}", "A quotation mark may be missing.") from error
        return rows[:-1], ends[:-1]


def _unquoted(cell: bytes) -> bytes:
    return cell[1:-1].replace(b'""', b'"')


def _lines(block: bytes) -> int:
    """Octets of whole lines. A CR at the very end may be the first half of a line end."""
    return max(block.rfind(b"\n"), block.rfind(b"\r", 0, len(block) - 1)) + 1


@lru_cache
def _more(cells: tuple[str, ...], delimiter: str) -> bytes:
    """The cells behind a row, which are the same for many of them."""
    return _csv([cell.encode().decode(_BYTES) for cell in cells], delimiter)


def _csv(cells: Sequence[str], delimiter: str) -> bytes:
    written: list[str] = []
    csv.writer(_Lines(written), delimiter=delimiter, lineterminator="\n").writerow(cells)
    return written[0].encode(_BYTES)


class _Lines:
    """What a csv writer writes into."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append
