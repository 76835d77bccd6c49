"""One list of any make, read to its end in memory that does not grow: what its rows ask for, and which of them cannot be taken."""

from __future__ import annotations

import codecs
import io
import json
import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

from bounceproc.errors import UsageError
from bounceproc.lookup.bulk.head import DELIMITERS, cells_of, encoding_of, is_address
from bounceproc.lookup.intake.lines import PLAIN, Lines, read_row
from bounceproc.lookup.intake.makes import Defaults, Make, make_named, make_of
from bounceproc.lookup.intake.values import read_values
from bounceproc.lookup.intake.words import RowError, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bounceproc.ports import Wish

OURS: Final = "rejected_"
"""What columns begin with that were put behind a row when it was not taken: mended, it is read again without them."""
SHOWN: Final = 10
"""Columns that an error names."""
PEEK: Final = 64 * 1024
"""Octets that tell what a list is."""

_JSON: Final = re.compile(rb"\s*[{\[]\s*[\"{}\[\]]")
"""How JSON begins. A brace alone may begin an address, too."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that asks for nothing that could be done."""

    line: int
    raw: str
    why: str


@dataclass(frozen=True, slots=True)
class Listing:
    """An open list."""

    make: str
    """Whose it was taken for: see `makes`."""
    form: str
    """`csv`, `jsonl` or `txt`."""
    head: str
    """Its head line, or the one that it would have; nothing for JSON."""
    delimiter: str
    rows: Iterator[list[Wish] | BadRow]


def open_listing(
    source: io.BufferedReader, given: Defaults, *, make: str | None = None, encoding: str | None = None
) -> Listing:
    """See what a list is, and read it row by row. `make` says whose it is, where that cannot be seen.

    Raises:
        UsageError: there is no such make or encoding, or nothing in it can hold addresses.

    """
    wanted = make_named(make) if make else None
    start = source.peek(PEEK)[:PEEK]
    text = _decoded(source, start, encoding)
    lines = Lines(text)
    if _JSON.match(start.removeprefix(codecs.BOM_UTF8)) and encoding_of(start) is None:
        first, rows = _peeked(_objects(text))
        found = wanted or (make_of(first) if first is not None else None) or make_named("jsonl")
        return Listing(found.name, "jsonl", "", ",", _judged_values(rows, found, given))
    return _table(lines, wanted, given)


def _decoded(source: io.BufferedReader, start: bytes, encoding: str | None) -> IO[str]:
    """Octets that are no text make one row wrong, not the list."""
    name = encoding or encoding_of(start) or "utf-8-sig"
    try:
        return io.TextIOWrapper(source, encoding=name, errors="surrogateescape", newline="")
    except LookupError as error:
        raise UsageError(f"{encoding!r} is no encoding", "Write utf-8, latin-1, cp1252, utf-16, ...") from error


# ---- tables and plain lists --------------------------------------------------------------------------------------------


def _table(lines: Lines, wanted: Make | None, given: Defaults) -> Listing:
    head = next(lines, "")
    while head and not head.strip():
        lines.start()
        head = next(lines, "")
    for delimiter in DELIMITERS:
        names = [plain(cell) for cell in cells_of(head, delimiter)]
        own = frozenset(name for name in names if name and not name.startswith(plain(OURS)))
        found = wanted if wanted and make_named("csv").fits(own) else make_of(own)
        if found is not None:
            return Listing(found.name, "csv", head, delimiter, _rows(lines, delimiter, names, found, given))
    if not head:
        return Listing("txt", "txt", "address", ",", iter(()))
    lines.give_back([head])
    delimiter, cells = max(((each, cells_of(head, each)) for each in DELIMITERS), key=lambda one: len(one[1]))
    if len(cells) == 1 and (wanted is None or wanted.name == "csv"):
        return Listing("txt", "txt", "address", ",", _rows(lines, PLAIN, ["address"], make_named("csv"), given))
    ses = make_named("ses")
    if wanted is ses or (len(cells) == 2 and cells[1].strip().upper() in {"BOUNCE", "COMPLAINT"}):  # no head line
        return Listing(
            "ses", "csv", "EmailAddress,Reason", ",", _rows(lines, ",", ["emailaddress", "reason"], ses, given)
        )
    if wanted is not None and len(cells) == 1 and is_address(cells[0]):
        return Listing(wanted.name, "csv", "email", ",", _rows(lines, ",", ["email"], wanted, given))
    shown = ", ".join(repr(cell[:40]) for cell in cells[:SHOWN])
    raise UsageError(
        f"the list has no column that is known to hold addresses: {shown}",
        "Its first line has to name one: email (and reason, scope, until, stream where there).",
    )


def _rows(lines: Lines, delimiter: str, names: list[str], make: Make, given: Defaults) -> Iterator[list[Wish] | BadRow]:
    while True:
        try:
            cells = read_row(lines, delimiter)
            if cells is None:
                return
            if not any(cell.strip() for cell in cells) or (delimiter == PLAIN and cells[0].startswith("# ")):
                continue  # the stamp of an export, or nothing
            yield make.read(dict(zip(names, cells, strict=False)), given)
        except (ValueError, RowError) as error:
            # A row of several lines may be one with a lone quotation mark, and others that it swallowed.
            lines.give_back(lines.taken[1:])
            yield BadRow(lines.number, lines.taken[0].rstrip("\r\n"), str(error))


# ---- JSON --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Object:
    line: int
    raw: str
    cells: Mapping[str, str]
    wrong: str | None


def _objects(text: IO[str]) -> Iterator[_Object]:
    for one in read_values(text):
        value = {"email": one.value} if isinstance(one.value, str) else one.value
        wrong = one.wrong or (None if isinstance(value, dict) else "it is no object")
        cells = {plain(str(name)): _cell(cell) for name, cell in value.items()} if isinstance(value, dict) else {}
        own = {name: cell for name, cell in cells.items() if not name.startswith(plain(OURS))}
        yield _Object(one.line, one.raw, own, wrong)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)


def _peeked(rows: Iterator[_Object]) -> tuple[frozenset[str] | None, Iterator[_Object]]:
    """The columns of the first object that can be read, and all of them again."""
    held: list[_Object] = []
    for one in rows:
        held.append(one)
        if one.wrong is None or len(held) == SHOWN:
            break

    def again() -> Iterator[_Object]:
        yield from held
        yield from rows

    columns = frozenset(held[-1].cells) if held and held[-1].wrong is None else None
    return columns, again()


def _judged_values(rows: Iterator[_Object], make: Make, given: Defaults) -> Iterator[list[Wish] | BadRow]:
    for one in rows:
        if one.wrong is not None:
            yield BadRow(one.line, one.raw, one.wrong)
            continue
        try:
            yield make.read(one.cells, given)
        except RowError as error:
            yield BadRow(one.line, one.raw, str(error))
