"""Rows of tables and of plain lists: one quotation mark that is never closed costs one row, not the rest of the list."""

from __future__ import annotations

import csv
from collections import deque
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_LIMIT: Final = 100_000
"""Characters of a line: no address and no reason needs as many, and the csv module takes 131,072 in a cell."""

PLAIN: Final = "\x1f"
"""The delimiter of a list that has none: each line is its one cell."""
ROW_LINES: Final = 20
"""Lines of one row: a note may have several, and a quotation mark that is never closed must not swallow a list."""


class Lines:
    """The lines of a text, some of which can be given back."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._back: deque[str] = deque()
        self.number = 0
        """The number of the line that was taken last."""
        self.taken: list[str] = []
        """The lines that were taken since this was emptied."""
        self.too_long = False
        """Whether one of them was cut."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) == ROW_LINES:
            raise StopIteration
        line = self._back.popleft() if self._back else self._next()
        if not line:
            raise StopIteration
        self.number += 1
        self.taken.append(line)
        return line

    def give_back(self, lines: list[str]) -> None:
        """Have these lines come again."""
        self._back.extendleft(reversed(lines))
        self.number -= len(lines)

    def start(self) -> None:
        """Begin a row."""
        self.taken, self.too_long = [], False

    def _next(self) -> str:
        line = rest = self._file.readline(LINE_LIMIT)
        while len(rest) == LINE_LIMIT and not rest.endswith(("\n", "\r")):
            self.too_long = True
            rest = self._file.readline(LINE_LIMIT)
        # A whole one is not wanted: what is cut may end inside of quotation marks.
        return line[:200].replace('"', "'") + "\n" if self.too_long else line


def read_row(lines: Lines, delimiter: str) -> list[str] | None:
    """The cells of the next row; None at the end.

    Raises:
        ValueError: it cannot be read as one.

    """
    lines.start()
    if delimiter == PLAIN:
        line = next(lines, None)
        return None if line is None else [line.rstrip("\r\n")]
    try:
        cells = next(csv.reader(lines, delimiter=delimiter), None)
    except csv.Error as error:
        raise ValueError(f"it is no row: {error}") from error
    if lines.too_long:
        raise ValueError(f"it is longer than {LINE_LIMIT} characters")
    if sum(line.count('"') for line in lines.taken) % 2:
        raise ValueError("a quotation mark is never closed")
    return cells
