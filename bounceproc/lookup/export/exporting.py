"""One export, from the list to a file that is there in full or not at all, with a stamp that says of which version it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from bounceproc.errors import UsageError
from bounceproc.event import iso
from bounceproc.lookup.export import text
from bounceproc.lookup.export.formats import Format
from bounceproc.lookup.export.selection import Selection
from bounceproc.lookup.files import writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from bounceproc.lookup.export.listed import Listed
    from bounceproc.ports import SuppressionReader

PROGRESS_EVERY: Final = 1_000
"""Entries between two calls of the progress callback: often enough to watch, too seldom to cost."""
BUFFER_CHARACTERS: Final = 64 * 1024
"""Characters that are gathered before they are written: with millions of lines, fewer calls of the system."""

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What was written, and what was not."""

    written: int
    """Entries; where each address stands there once, addresses."""
    without_address: int
    """Entries that could not be listed, because their plaintext was forgotten or never stored."""
    version: int
    """The version of the feed that the list is sure to hold: what the next `--since` begins with."""
    unwritable: int = 0
    """Entries left out because the format cannot hold their address: a line end that no reader makes, a space in a table of words."""
    domains: int = 0
    """Whole domains that the format does not know."""
    others: int = 0
    """Entries that belong into another list of the same service."""
    lifted: int = 0
    """Addresses that were lifted since the version asked for, which a list of additions cannot say."""
    overruled: int = 0
    """Addresses that a person goes on sending to, and that are in no listed entry but that of their domain: the format cannot say so."""


def export(
    reader: SuppressionReader,
    format_: str,
    out: Path | BinaryIO | None,
    *,
    now: datetime,
    since: int | None = None,
    stream: str | None = None,
    delimiter: str | None = None,
    progress: Progress = lambda _done, _total: None,
) -> ExportSummary:
    """Write the list in force at `now` or, with `since`, what changed behind that version of the feed.

    `format_` is a name of `FORMATS`. With a stream, entries for it and for every stream count; without one, any scope. A path
    `delimiter`: what an extension begins with, where user+tag@ is answered for by user@. A path
    is written all or nothing and gets `PATH.stamp` beside it, which says the version and the time; None is standard output. The
    list is never held in memory. `progress` hears how many entries are written so far, and at the end how many there are.

    Raises:
        UsageError: the format is unknown or needs a path, the version lies ahead of the feed, the format knows no delta, or the path
            cannot be written.
        ConfigError: the library for the format is not installed.
        TemporaryError: the disk is full.

    """
    # Read before the list: what changes in the meantime is told again by the next delta, never missed.
    chosen = Format.parse(format_)
    selection = Selection(reader, chosen, now, since, reader.version(), stream, delimiter=delimiter)
    written = _Written(selection, progress)
    if isinstance(out, Path):
        with writing(out) as file:
            written.into(file)
        # The stamp comes second: an old stamp beside a new list repeats some changes, a new one beside an old list would lose some.
        with writing(out.with_name(f"{out.name}.stamp")) as file:
            file.write(_stamp(written.summary(), chosen, now))
        return written.summary()
    if chosen.fill is not None:
        raise UsageError(f"{chosen.name} is no text and cannot go down a pipe", "Name a file with -o.")
    written.into(out or sys.stdout.buffer)
    (out or sys.stdout.buffer).flush()
    return written.summary()


def _stamp(summary: ExportSummary, format_: Format, now: datetime) -> bytes:
    stamp = {
        "version": summary.version,
        "at": iso(now),
        "format": format_.name,
        "written": summary.written,
        "without_address": summary.without_address,
    }
    return json.dumps(stamp).encode() + b"\n"


class _Written:
    """One export on its way into a file."""

    def __init__(self, selection: Selection, progress: Progress) -> None:
        self._selection = selection
        self._progress = progress
        self._count = 0
        # Read before the list, and so true of it: the stamp beside the file may say a newer one.
        self._inside = {"version": str(selection.version), "at": iso(selection.now) or ""}

    def summary(self) -> ExportSummary:
        chosen = self._selection
        return ExportSummary(
            self._count,
            chosen.without_address,
            chosen.version,
            chosen.unwritable,
            chosen.domains,
            chosen.others,
            chosen.lifted,
            chosen.overruled,
        )

    def into(self, file: BinaryIO) -> None:
        format_ = self._selection.format
        if format_.fill is not None:
            format_.fill(file, self._counted(self._selection.entries()), self._selection.spared(), self._inside)
        else:
            file.writelines(_chunks(self._lines()))
            file.writelines(_chunks(self._spared()))
        self._progress(self._count, self._count)

    def _lines(self) -> Iterator[str]:
        selection, format_ = self._selection, self._selection.format
        if format_.feed:
            columns = text.ENTRY if selection.since is None else text.CHANGE
            if format_.name == "csv":
                yield ",".join(columns) + "\n"
            for row in selection.rows():
                self._tick()
                yield text.csv_line(columns, row) if format_.name == "csv" else text.json_line(row)
            return
        if format_.comment:
            yield f"{format_.comment}bounceproc: version {self._inside['version']} at {self._inside['at']}\n"
        yield format_.head
        if format_.batch is not None:
            size, body = format_.batch
            entries = iter(self._counted(selection.entries()))
            while batch := list(islice(entries, size)):
                yield body(batch)
            return
        assert format_.line is not None, "a format is a feed, a file of its own, requests, or lines"
        for listed in selection.entries():
            line = format_.line(listed)
            if line is None:
                selection.unwritable += 1
                continue
            self._tick()
            yield line

    def _spared(self) -> Iterator[str]:
        selection, last = self._selection, b""
        for one in selection.spared():
            assert selection.format.spare is not None, "what it cannot hold is counted and left out"
            if one.key == last:  # one address, however many decisions
                continue
            last = one.key
            line = selection.format.spare(one.address or "")
            if line is None:
                selection.overruled += 1
            else:
                yield line

    def _counted(self, entries: Iterable[Listed]) -> Iterator[Listed]:
        for listed in entries:
            self._tick()
            yield listed

    def _tick(self) -> None:
        self._count += 1
        if self._count % PROGRESS_EVERY == 0:
            self._progress(self._count, None)


def _chunks(lines: Iterable[str]) -> Iterator[bytes]:
    held: list[str] = []
    characters = 0
    for line in lines:
        held.append(line)
        characters += len(line)
        if characters >= BUFFER_CHARACTERS:
            yield "".join(held).encode()
            held.clear()
            characters = 0
    yield "".join(held).encode()
