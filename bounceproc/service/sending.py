"""A file of sent mails goes into the send ledger: the good rows, some at a time, and the bad ones with reasons to another file."""

from __future__ import annotations

import csv
import os
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, Self

from bounceproc.errors import AccessError, BadDataError
from bounceproc.sentmail import SentMail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from bounceproc.sources.rows import Row

PART: Final = 1000
"""Mails that are held at a time."""


@dataclass(slots=True)
class Remembered:
    """What became of the rows."""

    new: int = 0
    known: int = 0
    bad: int = 0
    rejects: Path | None = None
    """Where the bad ones are, if there were any."""

    def to_dict(self) -> dict[str, int | str | None]:
        """For scripts."""
        rejects = str(self.rejects) if self.rejects else None
        return {"new": self.new, "known": self.known, "bad": self.bad, "rejects": rejects}


def remember(
    rows: Iterable[Row],
    add: Callable[[Sequence[SentMail]], int],
    *,
    rejects: Path,
    now: datetime,
    on_progress: Callable[[int], None],
) -> Remembered:
    """Remember every row that can be; the others are in `rejects` then, which is not touched where there are none.

    Raises:
        AccessError: `rejects` cannot be written.
        BounceprocError: what `rows` and `add` raise; what was added before stays.

    """
    done = Remembered()
    held: list[SentMail] = []
    with _Rejects(rejects) as bad:
        for row in rows:
            try:
                if row.fault is not None:
                    raise BadDataError(row.fault)  # noqa: TRY301 - both sorts of bad rows go one way
                held.append(SentMail.of(row.cells, now))
            except BadDataError as error:
                bad.write(row, error.what)
                done.bad += 1
            if len(held) >= PART:
                _flush(held, add, done)
                on_progress(row.octets)
        _flush(held, add, done)
    done.rejects = rejects if done.bad else None
    return done


def _flush(held: list[SentMail], add: Callable[[Sequence[SentMail]], int], done: Remembered) -> None:
    new = add(held)
    done.new += new
    done.known += len(held) - new
    held.clear()


class _Rejects:
    """The file of bad rows, for its owner alone: there are addresses in it. It is made with the first of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held = ExitStack()
        self._file: IO[str] | None = None

    def write(self, row: Row, why: str) -> None:
        try:
            if self._file is None:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
                self._file = self._held.enter_context(os.fdopen(descriptor, "w", newline="", encoding="utf-8"))
                csv.writer(self._file).writerow(("line", "reason", "row"))
            csv.writer(self._file).writerow((row.number, why, row.text))
        except OSError as error:
            raise AccessError(
                f"{self._path} cannot be written: {error.strerror}", "Name another place with --rejects."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()
