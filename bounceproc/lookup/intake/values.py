"""JSON of any length in bounded memory: one object a line, or one document with a list in it, as command lines of services print."""

from __future__ import annotations

import json
import re
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUE_LIMIT: Final = 4 * 1024 * 1024
"""Characters of one line, or of one object of a document: a request of a thousand recipients has a tenth of it."""
BLOCK: Final = 64 * 1024
"""Characters that are read of a document at a time."""
LISTS: Final = ("SuppressedDestinationSummaries", "Suppressions", "recipients", "results", "items")
"""What SES, Postmark, SparkPost (twice) and Mailgun call the list in their documents."""

_OPENING: Final = re.compile(r'\s*(?:\{\s*"(?:' + "|".join(LISTS) + r')"\s*:\s*)?\[')
_BETWEEN: Final = re.compile(r"[\s,]*")
_DECODER: Final = json.JSONDecoder()


class Value(NamedTuple):
    """One element of a list: whatever it is, or why it cannot be read."""

    line: int
    raw: str
    value: Any
    wrong: str | None = None


def read_values(file: IO[str]) -> Iterator[Value]:
    """The elements, from the first to the last."""
    first = file.readline(BLOCK)
    while first and not first.strip():
        first = file.readline(BLOCK)
    if first.strip() == "{":  # printed for people: the list begins on the next line
        first = first + file.readline(BLOCK) + file.readline(BLOCK)
    if _OPENING.match(first) and not _is_whole(first):
        yield from _document(file, first)
        return
    yield from _lines(file, first)


def _is_whole(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _lines(file: IO[str], first: str) -> Iterator[Value]:
    number, line = 1, first if first.endswith("\n") else first + file.readline(VALUE_LIMIT)
    while line:
        if len(line) >= VALUE_LIMIT and not line.endswith("\n"):
            yield Value(number, line[:200], None, f"it is longer than {VALUE_LIMIT} characters")
            while line and not line.endswith("\n"):
                line = file.readline(VALUE_LIMIT)
        elif line.strip():
            yield from _expanded(number, line)
        number, line = number + 1, file.readline(VALUE_LIMIT)


def _expanded(number: int, line: str) -> Iterator[Value]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        yield Value(number, line.rstrip("\r\n"), None, f"it is no JSON: {error}")
        return
    inner = next((value[name] for name in LISTS if name in value), None) if isinstance(value, dict) else value
    if isinstance(inner, list):
        yield from (Value(number, json.dumps(one, ensure_ascii=False), one) for one in inner)
    else:
        yield Value(number, line.rstrip("\r\n"), value)


def _document(file: IO[str], start: str) -> Iterator[Value]:
    """The elements of one list that need not fit into memory; what stands behind it (cursors, totals) says nothing of addresses."""
    opening = _OPENING.match(start)
    assert opening is not None, "it was seen before"
    number, held, at = 1 + start.count("\n", 0, opening.end()), start, opening.end()
    while True:
        space = _BETWEEN.match(held, at)
        assert space is not None, "it matches nothing, too"
        number, at = number + held.count("\n", at, space.end()), space.end()
        if held.startswith("]", at):
            return
        try:
            value, end = _DECODER.raw_decode(held, at)
        except (ValueError, RecursionError) as error:
            more = file.read(BLOCK) if len(held) - at < VALUE_LIMIT else ""
            if not more:
                yield Value(number, held[at : at + 200], None, f"the list breaks off or is broken here: {error}")
                return
            held, at = held[at:] + more, 0
            continue
        yield Value(number, json.dumps(value, ensure_ascii=False), value)
        number, at = number + held.count("\n", at, end), end
