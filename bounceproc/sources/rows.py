"""The rows of a file of data, CSV with a head line or one JSON object a line, read one by one; a row that is none says why."""

from __future__ import annotations

import csv
import json
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from bounceproc.errors import BadDataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

MAX_LINE: Final = 65_536
"""Octets of one row: a longer one is another sort of file."""
DELIMITERS: Final = ",;\t"
"""What stands between cells, by country and program."""

_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file."""

    number: int
    """Its line, from 1."""
    text: str
    """As it stands."""
    cells: Mapping[str, object]
    """By name, in lower case; empty for a row that is none."""
    fault: str | None = None
    """Why it is none."""
    octets: int = 0
    """How far into the file it ends."""


def read_rows(path: str, *, needed: Sequence[str]) -> Iterator[Row]:
    """The rows of a file, or of standard input for `-`, as they are read: no more than one is held.

    Raises:
        UsageError: it cannot be read.
        BadDataError: it begins neither with a head line that names the `needed` columns nor with a JSON object.

    """
    try:
        with nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb") as file:
            yield from _rows(file, needed)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "Name a file, or - for standard input.") from error


def size(path: str) -> int | None:
    """Octets of the file; None where nobody knows."""
    try:
        return None if path == "-" else Path(path).stat().st_size
    except OSError:
        return None


def _rows(file: BinaryIO, needed: Sequence[str]) -> Iterator[Row]:
    read: Callable[[str], Mapping[str, object]] | None = None
    octets = 0
    for number, line in enumerate(_lines(file), 1):
        octets += len(line)
        text = line.removeprefix(_BOM if number == 1 else b"").decode(errors="replace").rstrip("\r\n")
        if not text.strip():
            continue
        if len(line) > MAX_LINE:
            yield Row(number, text[:200], {}, f"longer than {MAX_LINE} octets", octets)
            continue
        if read is None:
            is_json = text.lstrip().startswith("{")
            read = _object if is_json else _Head(text, needed).cells
            if not is_json:
                continue
        try:
            yield Row(number, text, read(text), None, octets)
        except BadDataError as error:
            yield Row(number, text, {}, error.what, octets)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines; of one that is too long its beginning, one octet more than it may have."""
    while line := file.readline(MAX_LINE + 1):
        rest = line
        while not rest.endswith(b"\n") and len(rest) == MAX_LINE + 1:
            rest = file.readline(MAX_LINE + 1)
        yield line


def _object(text: str) -> Mapping[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadDataError("no JSON") from error
    if not isinstance(found, dict):
        raise BadDataError("no JSON object")
    return {str(name).lower(): value for name, value in found.items()}


class _Head:
    """The head line of a CSV file."""

    def __init__(self, text: str, needed: Sequence[str]) -> None:
        self._delimiter = max(DELIMITERS, key=text.count)
        self._names = [name.strip().lower() for name in self._split(text)]
        missing = [name for name in needed if name not in self._names]
        if missing:
            raise BadDataError(
                f"the head line names no column {missing[0]}",
                f"Begin the file with the names of its columns ({', '.join(needed)}, ...), or write one JSON object a line.",
            )

    def cells(self, text: str) -> Mapping[str, object]:
        found = self._split(text)
        if len(found) != len(self._names):
            raise BadDataError(f"{len(found)} cells, and the head line has {len(self._names)}")
        return dict(zip(self._names, found, strict=True))

    def _split(self, text: str) -> list[str]:
        try:
            (cells,) = csv.reader([text], delimiter=self._delimiter, strict=True)
        except (csv.Error, ValueError) as error:
            raise BadDataError("no CSV: a quote is not closed, or stands in the middle of a cell") from error
        return cells
