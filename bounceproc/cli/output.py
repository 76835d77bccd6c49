"""What commands print: tables for people, one JSON object a line for scripts. Text from mail is made harmless here."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from bounceproc.rare import Rare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.table import Table

_WILD: Final = Rare("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What JSON lets stand as it is, and a terminal or a reader of lines does not."""

PIPE_WIDTH: Final = 1000
"""Columns where there is no terminal: nothing is folded, so that grep finds it."""


class Format(StrEnum):
    """`json` and `jsonl` are the same where either is accepted."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"

    @property
    def is_json(self) -> bool:
        """Whether a script reads it."""
        return self is not Format.TABLE


def harmless(text: object, limit: int = 0) -> str:
    """Mail text for a terminal: no control characters, no direction overrides, no line breaks; cut at `limit` characters."""
    raw = " ".join(str(text).split())
    shown = "".join(c if c.isprintable() else "\ufffd" for c in raw)
    return shown if not limit or len(shown) <= limit else shown[: limit - 1] + "…"


def tame(line: str) -> str:
    """A line of JSON in which nothing breaks lines, turns the direction of writing or commands a terminal."""
    if line.isascii() and "\x7f" not in line:
        return line  # JSON escapes the other control characters itself
    return line if line.isprintable() else _WILD.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def print_json(value: Any) -> None:
    """One object on one line of standard output."""
    sys.stdout.write(tame(json.dumps(value, ensure_ascii=False)) + "\n")


def out() -> Console:
    """Standard output for people: colours and width of the terminal, plain in a pipe."""
    from rich.console import Console

    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def err() -> Console:
    """Standard error for people."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, width=None if sys.stderr.isatty() else PIPE_WIDTH)


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table in the house style: a rule under the head, no box."""
    from rich import box
    from rich.table import Table

    made = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def say(message: str) -> None:
    """A remark for the person at the terminal, on standard error."""
    sys.stderr.write(harmless_lines(message) + "\n")


def harmless_lines(message: str) -> str:
    """Like `harmless`, line by line."""
    return "\n".join("".join(c if c.isprintable() else "\ufffd" for c in line) for line in message.splitlines())


@contextmanager
def progress(
    what: str, total: int | None = None, *, octets: bool = False
) -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar on standard error while a terminal is there; gives a function (done so far, total or None).

    What is counted are things, or octets.
    """
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    count: ProgressColumn = DownloadColumn() if octets else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), count, TimeElapsedColumn())
    with Progress(*columns, console=err(), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done, known: bar.update(task, completed=done, total=known if known is not None else total)
