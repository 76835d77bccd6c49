"""Each address once: the list has an entry for each scope and reason, and no order that would help."""

from __future__ import annotations

import contextlib
import heapq
import tempfile
from itertools import groupby, islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HELD_ENTRIES: Final = 100_000
"""Entries that are sorted in memory at once, some 40 MB; a list of 50 million makes 500 open files of it."""


def grouped(lines: Iterable[tuple[bytes, str]]) -> Iterator[list[str]]:
    """The texts of each key, sorted, in the order of the keys. No text has a line end.

    What is not held in memory waits in sorted files without a name, which are gone when the process is.
    """
    written = (f"{key.hex()} {text}\n" for key, text in lines)
    with contextlib.ExitStack() as files:
        runs = []
        while held := sorted(islice(written, HELD_ENTRIES)):
            run = files.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
            run.writelines(held)
            run.seek(0)
            runs.append(run)
            del held
        for _, group in groupby(heapq.merge(*runs), key=lambda line: line.partition(" ")[0]):
            yield [line.rstrip("\n").partition(" ")[2] for line in group]
