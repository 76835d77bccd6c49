"""What `bounceproc classify` does, apart from how it is asked."""

from __future__ import annotations

import json
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from bounceproc.cli.collecting import spared_collector
from bounceproc.cli.output import Format, harmless, out, print_json, progress, table, tame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from bounceproc.rawmessage import RawMessage


def print_messages(
    paths: Sequence[str], format_: Format, *, jobs: int = 1, mbox: bool = False, rules: tuple[Path, ...] = ()
) -> None:
    """Say of each message what it means: in a table, or one JSON object a line as soon as it is known."""
    with spared_collector():
        from bounceproc.bootstrap.reading import read_messages

        messages = read_messages(paths, mbox=mbox)
        lines = _parallel(messages, jobs, rules) if jobs > 1 else map(_writer(rules), messages)
    if format_.is_json:
        sys.stdout.writelines(lines)
    else:
        _print_table(json.loads(line) for line in lines)


def print_replies(path: str, format_: Format, rules: tuple[Path, ...] = ()) -> None:
    """Say of each line of a file, an SMTP reply, what it means."""
    rows = _replies(path, rules)
    if format_.is_json:
        for row in rows:
            print_json(row)
        return
    made = table("class", "category", "status", "code", "rule", "reply")
    for row in rows:
        cells = [row[name] for name in ("class", "category", "status", "smtp_code", "rule")]
        made.add_row(*(harmless(cell or "-") for cell in cells), harmless(row["text"], 100))
    out().print(made)


@cache
def _writer(rules: tuple[Path, ...]) -> Callable[[RawMessage], str]:
    """What makes a line of JSON of a message: once in each process."""
    from bounceproc.bootstrap.reading import describer

    describe = describer(rules)
    return lambda message: tame(describe(message)) + "\n"


def _lines(messages: list[RawMessage], rules: tuple[Path, ...]) -> list[str]:
    return [*map(_writer(rules), messages)]


def _parallel(messages: Iterator[RawMessage], jobs: int, rules: tuple[Path, ...]) -> Iterator[str]:
    """Spread chunks over processes, never more than a few ahead of what was printed: memory stays bounded."""
    from collections import deque
    from concurrent.futures import Future, ProcessPoolExecutor

    from bounceproc.bootstrap.reading import in_chunks

    waiting: deque[Future[list[str]]] = deque()
    with ProcessPoolExecutor(jobs) as pool:
        for chunk in in_chunks(messages):
            waiting.append(pool.submit(_lines, chunk, rules))
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


def _replies(path: str, rules: tuple[Path, ...]) -> Iterator[dict[str, Any]]:
    from bounceproc.bootstrap.reading import classifier_with, describe_reply, read_lines

    classifier = classifier_with(rules)
    return (describe_reply(line, classifier) for line in read_lines(path))
