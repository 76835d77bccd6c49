"""The suppression list as a file for those who cannot ask: CSV, JSON lines or plain addresses, all of it or what changed."""

from __future__ import annotations

import contextlib
import csv
import heapq
import io
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from bounceproc.errors import UsageError
from bounceproc.event import iso
from bounceproc.lookup.files import writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from bounceproc.ports import Suppression, SuppressionReader

ENTRY: Final = ("address", "scope", "reason", "category", "class", "since", "until", "origin", "ref")
"""The columns of an entry. A person's note stays in the house: lists travel."""
CHANGE: Final = ("version", "at", "action", *ENTRY)
"""The columns of a line of the feed."""

PROGRESS_EVERY: Final = 1_000
"""Lines between two calls of the progress callback: often enough to watch, too seldom to cost."""
HELD_ENTRIES: Final = 100_000
"""Entries that are sorted in memory at once for plain addresses, some 20 MB; a list of 50 million makes 500 open files of it."""
BUFFER_CHARACTERS: Final = 64 * 1024
"""Characters that are gathered before they are written: with millions of lines, fewer calls of the system."""

_RUNS: Final = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
"""What makes a spreadsheet take a cell for a formula. The last four are the wide forms, which are the same to it where Japanese or Chinese is written."""
_LINE_ENDS: Final = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029\0")

Progress = Callable[[int, int | None], None]
Row = Mapping[str, str | None]


class Format(StrEnum):
    """What others read."""

    CSV = "csv"
    JSONL = "jsonl"
    TXT = "txt"

    @classmethod
    def parse(cls, text: str) -> Format:
        """Read a format's name; `json` is `jsonl`.

        Raises:
            UsageError: there is no such format.

        """
        try:
            return cls.JSONL if text == "json" else cls(text)
        except ValueError as error:
            raise UsageError(f"{text!r} is no format of an export", f"There are {', '.join(cls)}.") from error


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What was written."""

    written: int
    """Lines, the header of CSV not counted."""
    without_address: int
    """Entries that could not be listed, because their plaintext was forgotten or never stored."""
    version: int
    """The version of the feed that the list is sure to hold: what the next `--since` begins with."""
    unwritable: int = 0
    """Entries left out because their address has a line end in it: no reader makes such an address, but a file must not lie."""


def export(
    reader: SuppressionReader,
    format_: str,
    out: Path | BinaryIO | None,
    *,
    now: datetime,
    since: int | None = None,
    progress: Progress = lambda _done, _total: None,
) -> ExportSummary:
    """Write the list in force at `now` or, with `since`, what changed behind that version of the feed.

    `format_` is `csv`, `jsonl` (or `json`) or `txt`. A path is written all or nothing and gets `PATH.stamp` beside it, which
    says the version and the time; None is standard output. The list is never held in memory. `progress` hears how many lines
    are written so far, and at the end how many there are.

    Raises:
        UsageError: the format is unknown, the version lies ahead of the feed, a delta was asked for as `txt`, or the path cannot be written.
        TemporaryError: the disk is full.

    """
    # Read before the list: what changes in the meantime is told again by the next delta, never missed.
    version = reader.version()
    lines = _Lines(reader, Format.parse(format_), now, since, version)
    if not isinstance(out, Path):
        stream = out or sys.stdout.buffer
        for chunk in lines.chunks(progress):
            stream.write(chunk)
        stream.flush()
        return lines.summary()
    with writing(out) as file:
        for chunk in lines.chunks(progress):
            file.write(chunk)
    summary = lines.summary()
    # The stamp comes second: an old stamp beside a new list repeats some changes, a new one beside an old list would lose some.
    with writing(out.with_name(f"{out.name}.stamp")) as file:
        file.write(_stamp(summary, lines.format, now))
    return summary


def _stamp(summary: ExportSummary, format_: Format, now: datetime) -> bytes:
    stamp = {
        "version": summary.version,
        "at": iso(now),
        "format": format_.value,
        "written": summary.written,
        "without_address": summary.without_address,
    }
    return json.dumps(stamp).encode() + b"\n"


class _Lines:
    """The lines of one export, counted as they pass."""

    def __init__(
        self, reader: SuppressionReader, format_: Format, now: datetime, since: int | None, version: int
    ) -> None:
        if since is not None and format_ is Format.TXT:
            raise UsageError("plain addresses cannot say what was added and what was lifted", "Write csv or jsonl.")
        if since is not None and not 0 <= since <= version:
            raise UsageError(
                f"version {since} is none of this list, whose newest is {version}", "Export the whole list again."
            )
        self._reader = reader
        self.format = format_
        self._now = now
        self._since = since
        self._version = version
        self._written = self._without_address = self._unwritable = 0

    def summary(self) -> ExportSummary:
        return ExportSummary(self._written, self._without_address, self._version, self._unwritable)

    def chunks(self, progress: Progress) -> Iterator[bytes]:
        buffer = io.StringIO(newline="")
        write = self._writer(buffer)
        for row in self._rows():
            write(row)
            self._written += 1
            if self._written % PROGRESS_EVERY == 0:
                progress(self._written, None)
            if buffer.tell() >= BUFFER_CHARACTERS:
                yield buffer.getvalue().encode()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue().encode()
        progress(self._written, self._written)

    def _writer(self, buffer: io.StringIO) -> Callable[[Row], object]:
        if self.format is Format.TXT:
            return lambda row: buffer.write(f"{row['address']}\n")
        if self.format is Format.JSONL:
            return lambda row: buffer.write(json.dumps(row, ensure_ascii=False) + "\n")
        columns = ENTRY if self._since is None else CHANGE
        table = csv.writer(buffer, lineterminator="\n")
        table.writerow(columns)
        return lambda row: table.writerow([_cell(column, row[column] or "") for column in columns])

    def _rows(self) -> Iterator[Row]:
        if self._since is None:
            entries = self._listable(self._reader.suppressions(now=self._now))
            if self.format is Format.TXT:
                yield from ({"address": address} for address in _each_once(entries))
            else:
                yield from map(_row, entries)
            return
        for change in self._reader.changes(since=self._since):
            self._version = max(self._version, change.version)
            for entry in self._listable([change.suppression]):
                yield {"version": str(change.version), "at": iso(change.at), "action": change.action, **_row(entry)}

    def _listable(self, entries: Iterable[Suppression]) -> Iterator[Suppression]:
        for entry in entries:
            if entry.address is None:
                self._without_address += 1
            elif not _LINE_ENDS.isdisjoint(entry.address):
                self._unwritable += 1
            else:
                yield entry


def _each_once(entries: Iterable[Suppression]) -> Iterator[str]:
    """Each address once, in order of its key: the list has an entry for each scope and reason, and no order that would help.

    What is not held in memory waits in sorted files without a name, which are gone when the process is.
    """
    lines = (f"{entry.key.hex()} {entry.address}\n" for entry in entries)
    with contextlib.ExitStack() as files:
        runs = []
        while held := sorted(islice(lines, HELD_ENTRIES)):
            run = files.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
            run.writelines(held)
            run.seek(0)
            runs.append(run)
        last = ""
        for line in heapq.merge(*runs):
            key, _, address = line.rstrip("\n").partition(" ")
            if key != last:
                yield address
            last = key


def _row(entry: Suppression) -> Row:
    return {
        "address": entry.address,
        "scope": entry.scope,
        "reason": entry.reason,
        "category": entry.category,
        "class": entry.class_,
        "since": iso(entry.since),
        "until": iso(entry.until),
        "origin": entry.origin,
        "ref": entry.ref,
    }


def _cell(column: str, text: str) -> str:
    """A cell of CSV that no spreadsheet runs, on one line."""
    if text.startswith(_RUNS):
        text = _inert(text) if column == "address" else f"'{text}"
    return text if _LINE_ENDS.isdisjoint(text) else "".join(" " if c in _LINE_ENDS else c for c in text)


def _inert(address: str) -> str:
    """The same address in a form that is no formula.

    The usual apostrophe would do harm here: it may stand in a local part, so that `'=a@example.com` is another person's
    address, and the one who must not be mailed would be. RFC 5321 4.1.2 lets every local part be quoted, and reading
    takes the quotes away again. A whole domain stays as it is: a domain name has no sign that a formula needs.
    """
    local, _, domain = address.rpartition("@")
    return f'"{local}"@{domain}' if local else address
