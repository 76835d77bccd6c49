"""A list of any length onto our own, some thousand rows at a time: the good rows in, the others into a file with the reason."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bounceproc.errors import UsageError
from bounceproc.lookup.intake import BadRow, open_listing
from bounceproc.lookup.intake.rejects import Rejects
from bounceproc.ports import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from bounceproc.lookup.intake import Listing
    from bounceproc.lookup.intake.makes import Defaults
    from bounceproc.ports import Wish

BATCH: Final = 1000
"""Entries in one transaction: each waits for the disk, and holds up other writers."""
SHOWN: Final = 5
"""Bad rows that are told at once, for people who look no further."""
STDIN: Final = "-"


@dataclass(slots=True)
class Imported:
    """What became of a list."""

    make: str
    """Whose it was taken for."""
    rows: int = 0
    bad: int = 0
    loaded: Loaded = field(default_factory=Loaded)
    rejects: Path | None = None
    """Where the bad rows are; None where there are none, or nothing was to be written."""
    first: list[BadRow] = field(default_factory=list)
    """Some of them."""


def import_file(
    path: Path,
    given: Defaults,
    load: Callable[[list[Wish]], Loaded],
    *,
    make: str | None = None,
    encoding: str | None = None,
    rejects: Path | None = None,
    write_rejects: bool = True,
    on_progress: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> Imported:
    """Read one list (`-` is standard input) and hand it to `load`, which commits each part. `on_progress` hears octets.

    What was loaded stays, whatever happens behind it: the same list again goes on where it ended, by changing nothing before.

    Raises:
        UsageError: the file cannot be read, or is no list.

    """
    with ExitStack() as held:
        stdin = str(path) == STDIN
        source = _stdin() if stdin else held.enter_context(_opened(path))
        total = None if stdin else path.stat().st_size
        listing = open_listing(source, given, make=make, encoding=encoding)
        where = rejects or _beside(path, listing)
        if not stdin and where.resolve() == path.resolve():
            raise UsageError(f"{where} is the list itself", "Name another file with --rejects.")
        bad = held.enter_context(Rejects(where, listing))
        done = Imported(listing.make)
        waiting: list[Wish] = []
        for row in listing.rows:
            done.rows += 1
            if isinstance(row, BadRow):
                _refuse(done, row, bad if write_rejects else None)
            else:
                waiting += row
            if len(waiting) >= BATCH:
                done.loaded += load(waiting)
                waiting = []
                on_progress(source.tell() if total else 0, total)
        if waiting:
            done.loaded += load(waiting)
        done.rejects = where if bad.count else None
    return done


def _refuse(done: Imported, row: BadRow, bad: Rejects | None) -> None:
    done.bad += 1
    if len(done.first) < SHOWN:
        done.first.append(row)
    if bad is not None:
        bad.add(row)


def _beside(path: Path, listing: Listing) -> Path:
    ending = "jsonl" if listing.form == "jsonl" else "csv"
    return Path(f"import.rejects.{ending}") if str(path) == STDIN else path.with_name(f"{path.stem}.rejects.{ending}")


def _stdin() -> BufferedReader:
    """Standard input as octets."""
    assert isinstance(sys.stdin.buffer, BufferedReader), "it is one wherever Python opens it"
    return sys.stdin.buffer


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "Name a file, or - for standard input.") from error
