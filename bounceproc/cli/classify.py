"""`bounceproc classify`: what messages or bare SMTP replies say, with no database."""

from __future__ import annotations

import json
import sys
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bounceproc.cli.output import Format, harmless, out, progress, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bounceproc.ports import RawMessage

CHUNK: Final = 64
"""Messages handed to a worker process at a time: enough to hide the cost of handing over, few enough to keep memory small."""


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("classify")(classify)


def classify(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH...", help="Files (.eml, .mbox), Maildirs, folders of them, or - for standard input."
        ),
    ] = None,
    *,
    format_: Annotated[
        Format, typer.Option("--format", help="A table for people, or one JSON object a line.")
    ] = Format.TABLE,
    replies: Annotated[
        str | None,
        typer.Option(
            "--replies",
            metavar="FILE",
            help="Read SMTP replies or Diagnostic-Codes instead, one a line; - for standard input.",
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Processes that read at the same time; the order is kept.")
    ] = 1,
    mbox: Annotated[bool, typer.Option("--mbox", help="Read every file as an mbox.")] = False,
) -> None:
    """Say what each message means: who, what, why, by which rule. Nothing is recorded."""
    if replies is not None:
        rows = _replies(replies)
        _print_replies(rows, format_)
        return
    if not paths:
        raise typer.BadParameter("name at least one file or folder, or - for standard input", param_hint="PATH")
    from bounceproc.bootstrap import read_messages

    messages = read_messages(paths, mbox=mbox)
    lines = _parallel(messages, jobs) if jobs > 1 else map(_line, messages)
    if format_.is_json:
        for line in lines:
            sys.stdout.write(line + "\n")
    else:
        _print_table(json.loads(line) for line in lines)


def _line(message: RawMessage) -> str:
    from bounceproc.bootstrap import describe

    return json.dumps(describe(message), ensure_ascii=False)


def _lines(messages: list[RawMessage]) -> list[str]:
    return [_line(message) for message in messages]


def _parallel(messages: Iterator[RawMessage], jobs: int) -> Iterator[str]:
    """Spread chunks over processes, never more than a few ahead of what was printed: memory stays bounded."""
    from collections import deque
    from concurrent.futures import Future, ProcessPoolExecutor

    chunks = iter(partial(lambda source: list(islice(source, CHUNK)), messages), [])
    waiting: deque[Future[list[str]]] = deque()
    with ProcessPoolExecutor(jobs) as pool:
        for chunk in chunks:
            waiting.append(pool.submit(_lines, chunk))
            if len(waiting) > 2 * jobs:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _print_table(rows: Iterable[dict[str, Any]]) -> None:
    made = table("source", "kind", "recipient", "event", "class", "category", "status", "why")
    with progress("reading") as tick:
        for done, row in enumerate(rows, 1):
            tick(done, None)
            source = harmless(row["source"])[-60:]
            for report in row["reports"] or [{}]:
                cells = [report.get(name) for name in ("recipient", "event", "class", "category", "status")]
                why = report.get("diagnostic") or row.get("error") or ""
                made.add_row(source, row["kind"], *(harmless(cell or "-") for cell in cells), harmless(why, 100))
                source = ""
    out().print(made)


def _replies(path: str) -> Iterator[dict[str, Any]]:
    from bounceproc.bootstrap import describe_reply, read_lines

    return (describe_reply(line) for line in read_lines(path))


def _print_replies(rows: Iterable[dict[str, Any]], format_: Format) -> None:
    if format_.is_json:
        for row in rows:
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
        return
    made = table("class", "category", "status", "code", "rule", "reply")
    for row in rows:
        cells = [row[name] for name in ("class", "category", "status", "smtp_code", "rule")]
        made.add_row(*(harmless(cell or "-") for cell in cells), harmless(row["text"], 100))
    out().print(made)
