"""What is being read at this moment, and what was read in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from bounceproc import sequence
from bounceproc.store import statements
from bounceproc.store.rows import clean, place
from bounceproc.store.statements import among, chunks
from bounceproc.store.tables import attempt, in_flight

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bounceproc.ports import Flight


def announce(connection: sa.Connection, source: str, flight: Flight, now: datetime) -> None:
    """These messages are read from now on, and no others of their folder."""
    if not flight:
        land(connection, source, flight.within)
        return
    row = {"prefix": place(flight.prefix), "numbers": sequence.dump(flight.numbers), "at": now}
    statements.upsert(connection, in_flight, {"source": place(source), "within": place(flight.within), **row})


def land(connection: sa.Connection, source: str, within: str) -> None:
    """Nothing of this folder is being read any more."""
    connection.execute(sa.delete(in_flight).where(_folder(source, within)))


def announced(connection: sa.Connection, source: str, within: str) -> list[str]:
    """The references of what was announced and is neither recorded nor given back."""
    row = connection.execute(sa.select(in_flight).where(_folder(source, within))).one_or_none()
    return [f"{row.prefix}{number}" for number in sequence.load(row.numbers)] if row else []


def count(connection: sa.Connection, source: str, refs: Sequence[str], reason: str, now: datetime) -> None:
    """One attempt more for each of these messages."""
    fields = {"source": place(source), "attempts": 1, "reason": clean(reason), "at": now}
    statements.add(connection, attempt, [{"ref": ref, **fields} for ref in sorted(map(place, refs))], column="attempts")


def forgive(connection: sa.Connection, source: str, refs: Sequence[str]) -> None:
    """No attempts any more."""
    for part in chunks(sorted(map(place, refs))):
        here = sa.and_(attempt.c.source == place(source), among(connection, attempt.c.ref, part))
        connection.execute(sa.delete(attempt).where(here))


def _folder(source: str, within: str) -> sa.ColumnElement[bool]:
    return sa.and_(in_flight.c.source == place(source), in_flight.c.within == place(within))
