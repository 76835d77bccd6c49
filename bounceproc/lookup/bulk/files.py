"""A list and its two results as files, or as standard input and output."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, BinaryIO, Final

from bounceproc.errors import UsageError
from bounceproc.lookup.bulk.sift import sift
from bounceproc.lookup.files import writing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bounceproc.lookup.bulk.judge import Judge
    from bounceproc.lookup.bulk.sift import Sifted

STDIN: Final = "-"


def size_of(source: Path) -> int | None:
    """Octets of a list, where that is known before it is read."""
    return source.stat().st_size if source.is_file() else None


def filter_files(
    source: Path,
    judge: Judge,
    *,
    out: Path | None,
    rejected: Path | None,
    dry_run: bool = False,
    column: str | None = None,
    encoding: str | None = None,
    jobs: int = 1,
    progress: Callable[[int], None] = lambda _octets: None,
) -> Sifted:
    """Filter one list; see `sift`. `-` is standard input, None for `out` standard output; files appear whole or not at all.

    Raises:
        UsageError: a file cannot be read or written.
        TemporaryError: the disk is full.

    """
    with ExitStack() as held:
        listed = sys.stdin.buffer if str(source) == STDIN else held.enter_context(_opened(source))
        kept: BinaryIO | None = None
        if not dry_run:
            kept = sys.stdout.buffer if out is None else held.enter_context(writing(out))
        refused = held.enter_context(writing(rejected)) if rejected is not None and not dry_run else None
        found = sift(
            listed,  # type: ignore[arg-type]  # a BinaryIO of a file or a pipe is a BufferedReader
            judge,
            kept=kept,
            rejected=refused,
            column=column,
            encoding=encoding,
            jobs=jobs,
            progress=progress,
        )
        if kept is not None:
            kept.flush()
    return found


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "Name a file, or - for standard input.") from error
