"""Rows that were not taken, in a file that can be mended and read again."""

from __future__ import annotations

import csv
import io
import json
from contextlib import ExitStack
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Self

from bounceproc.lookup.files import writing

if TYPE_CHECKING:
    from pathlib import Path

    from bounceproc.lookup.intake.reading import BadRow, Listing

COLUMNS = ("rejected_line", "rejected_reason")
"""What each row has behind it; whoever reads the file again leaves them out."""


class Rejects:
    """A file that is there, in full, only where there was something to write."""

    def __init__(self, path: Path, listing: Listing) -> None:
        self.path = path
        self.count = 0
        self._listing = listing
        self._empty = ("",) * (len(next(csv.reader([listing.head.strip()], delimiter=listing.delimiter), [])) - 1)
        self._held = ExitStack()
        self._file: BinaryIO | None = None

    def add(self, row: BadRow) -> None:
        """Write one row, as it stood there, and what is wrong with it."""
        if self._file is None:
            self._file = self._held.enter_context(writing(self.path))
            if self._listing.form != "jsonl":
                self._write(f"{self._listing.head.strip()}{self._cells(('',), COLUMNS)}")
        self.count += 1
        more = (str(row.line), row.why)
        if self._listing.form == "jsonl":
            self._write(_object(row, more))
            return
        # A row that others would take for the beginning of a longer one becomes one cell, and so does a line that is no row.
        torn = row.raw.count('"') % 2 or self._listing.form == "txt"
        self._write(self._cells((row.raw, *self._empty), more) if torn else f"{row.raw}{self._cells(('',), more)}")

    def _cells(self, *parts: tuple[str, ...]) -> str:
        """Cells of a row, or what stands behind one."""
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=self._listing.delimiter, lineterminator="\n").writerow(chain(*parts))
        return out.getvalue()

    def _write(self, line: str) -> None:
        assert self._file is not None, "it was opened before"
        self._file.write(line.encode(errors="surrogateescape"))

    def __enter__(self) -> Self:
        self._held.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._held.__exit__(*exception)  # type: ignore[arg-type]  # as the interpreter gave them


def _object(row: BadRow, more: tuple[str, ...]) -> str:
    try:
        value = json.loads(row.raw)
    except (ValueError, RecursionError):
        value = None
    shown = value if isinstance(value, dict) else {"row": row.raw}
    return json.dumps(shown | dict(zip(COLUMNS, more, strict=True)), ensure_ascii=True) + "\n"
