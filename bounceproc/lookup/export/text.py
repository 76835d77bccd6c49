"""Lists that people and programs of all kinds read: CSV, JSON lines, plain addresses, hashes."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import TYPE_CHECKING, Final

from bounceproc.lookup.export.listed import COLUMNS, LINE_ENDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bounceproc.lookup.export.listed import Listed

    Row = Mapping[str, str | None]

ENTRY: Final = COLUMNS
"""The columns of an entry."""
CHANGE: Final = ("version", "at", "action", *COLUMNS)
"""The columns of a line of the feed."""

RUNS: Final = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
"""What makes a spreadsheet take a cell for a formula. The last four are the wide forms, which are the same to it where Japanese or Chinese is written."""


def csv_line(columns: Sequence[str], row: Row, delimiter: str = ",") -> str:
    """One line of CSV, its cells disarmed."""
    out = io.StringIO(newline="")
    cells = [cell(column, row[column] or "") for column in columns]
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerow(cells)
    return out.getvalue()


def json_line(row: Mapping[str, object]) -> str:
    """One object on a line."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def address_line(listed: Listed) -> str:
    """The address and nothing else."""
    return f"{listed.address}\n"


def hash_line(algorithm: str) -> Callable[[Listed], str]:
    """The hash of the normal form, in hexadecimal: what lists are compared with where nobody may see the addresses."""

    def line(listed: Listed) -> str:
        return hashlib.new(algorithm, listed.address.encode(), usedforsecurity=False).hexdigest() + "\n"

    return line


def cell(column: str, text: str) -> str:
    """A cell of CSV that no spreadsheet runs, on one line."""
    if text.startswith(RUNS):
        text = inert(text) if column in {"address", "email"} else f"'{text}"
    return text if LINE_ENDS.isdisjoint(text) else "".join(" " if c in LINE_ENDS else c for c in text)


def inert(address: str) -> str:
    """The same address in a form that is no formula.

    The usual apostrophe would do harm here: it may stand in a local part, so that `'=a@example.com` is another person's
    address, and the one who must not be mailed would be. RFC 5321 4.1.2 lets every local part be quoted, and reading
    takes the quotes away again. A whole domain stays as it is: a domain name has no sign that a formula needs.
    """
    local, _, domain = address.rpartition("@")
    return f'"{local}"@{domain}' if local else address
