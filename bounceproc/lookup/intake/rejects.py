"""Rows that were not taken, in a file that can be mended and read again."""

from __future__ import annotations

import csv
import io
import json
from contextlib import ExitStack
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
        self._held = ExitStack()
        self._file: BinaryIO | None = None

    def add(self, row: BadRow) -> None:
        """Write one row, as it stood there, and what is wrong with it."""
        if self._file is None:
            self._file = self._held.enter_context(writing(self.path))
            if self._listing.form != "jsonl":
                self._write(f"{self._listing.head.strip()}{self._cells(COLUMNS)}")
        self.count += 1
        more = (str(row.line), row.why)
        if self._listing.form == "jsonl":
            self._write(_object(row, more))
            return
        whole = _quoted(row.raw) if self._listing.form == "txt" else row.raw
        self._write(f"{whole}{self._cells(more)}")

    def _cells(self, cells: tuple[str, ...]) -> str:
        """What stands behind a row."""
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=self._listing.delimiter, lineterminator="\n").writerow(("", *cells))
        return out.getvalue()

    def _write(self, line: str) -> None:
        assert self._file is not None, "it was opened before"
        self._file.write(line.encode(errors="surrogateescape"))

    def __enter__(self) -> Self:
        self._held.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._held.__exit__(*exception)  # type: ignore[arg-type]  # as the interpreter gave them


def _quoted(line: str) -> str:
    """A line of a plain list as the one cell that it is."""
    return '"' + line.replace('"', '""') + '"' if {",", '"'} & set(line) else line


def _object(row: BadRow, more: tuple[str, ...]) -> str:
    try:
        value = json.loads(row.raw)
    except (ValueError, RecursionError):
        value = None
    shown = value if isinstance(value, dict) else {"row": row.raw}
    return json.dumps(shown | dict(zip(COLUMNS, more, strict=True)), ensure_ascii=True) + "\n"
