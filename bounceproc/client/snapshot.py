"""A snapshot of the list in an SQLite file, asked where the server does not answer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

from bounceproc.address import Address
from bounceproc.client.answer import Answer, NoAnswerError
from bounceproc.errors import InvalidAddressError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

QUESTION = """
SELECT scope, reason, category, since, until, ref FROM v_suppressed WHERE address IN (?, ?) AND (? IS NULL OR scope IN ('*', ?)){}
ORDER BY scope <> '*', origin NOT IN ('manual', 'api'), until IS NOT NULL, until DESC LIMIT 1
"""
"""The strongest entry of an address or of its domain; what has ended is not in the view."""
SPARED = " AND NOT (is_domain AND EXISTS (SELECT 1 FROM v_allowed AS a WHERE a.address = ?))"
"""A person may have decided to go on sending, whatever is said of the domain."""


def ask(path: Path, addresses: Sequence[str], *, stream: str | None) -> list[Answer | None]:
    """Answer from the file as it is now: an export replaces it by a rename. None for what is no address.

    Raises:
        NoAnswerError: it is not there, or no snapshot.

    """
    try:
        # Read-only and immutable: nothing is written beside it, whatever rights this account has.
        name = f"file:{quote(str(path))}?mode=ro&immutable=1"
        with closing(sqlite3.connect(name, uri=True)) as database:
            spares = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'v_allowed'").fetchone() is not None
            return [_answer(database, address, stream, spares=spares) for address in addresses]
    except sqlite3.Error as error:
        raise NoAnswerError(f"the snapshot {path} cannot be asked: {error}", "Export it again.") from error


def _answer(database: sqlite3.Connection, asked: str, stream: str | None, *, spares: bool) -> Answer | None:
    """One answer. `spares`: whether the snapshot has decisions to go on sending; those of earlier versions have none."""
    try:
        address = Address.parse(asked)
    except InvalidAddressError:
        return None
    scope = None if stream is None else f"stream:{stream}"
    values = [address.normal, f"@{address.domain}", scope, scope, *([address.normal] if spares else [])]
    row = database.execute(QUESTION.format(SPARED if spares else ""), values).fetchone()
    return Answer(asked, False) if row is None else Answer(asked, True, *row)
