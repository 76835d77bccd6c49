"""A table read from end to end in pages, and the rows in it that have to change: no long read, no long transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from bounceproc.store.statements import among, chunks, retrying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bounceproc.store.engine import Database

PAGE: Final = 1000
"""Rows in one short read, and at most in one transaction."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Which rows of a table are read, and what is to become of each."""

    name: str
    """What is counted."""
    table: sa.Table
    columns: tuple[str, ...]
    """Those that are read, beside the primary key."""
    change: Callable[[Mapping[str, Any]], dict[str, Any]]
    """The new values of a row, by column; empty where it stays. Pure: it may be asked twice."""
    where: sa.ColumnElement[bool] | None = None
    page: int = PAGE

    @property
    def rows(self) -> sa.ColumnElement[bool]:
        """Which rows are read."""
        return sa.true() if self.where is None else self.where


def count(database: Database, sweep: Sweep) -> int:
    """How many rows it reads."""
    with database.reading() as connection:
        statement = sa.select(sa.func.count()).select_from(sweep.table).where(sweep.rows)
        return connection.scalar(statement) or 0


def find(database: Database, sweep: Sweep) -> Iterator[tuple[int, list[tuple[Any, ...]]]]:
    """For each page: how many rows it has, and the primary keys of those that have to change."""
    keys = list(sweep.table.primary_key)
    statement = sa.select(*_columns(sweep)).where(sweep.rows).order_by(*keys).limit(sweep.page)
    last: tuple[Any, ...] | None = None
    while True:
        behind = sa.true() if last is None else _behind(keys, last)
        with database.reading() as connection:
            rows = connection.execute(statement.where(behind)).mappings().all()
        if rows:
            last = _key(sweep, rows[-1])
            yield len(rows), [_key(sweep, row) for row in rows if sweep.change({**row})]
        if len(rows) < sweep.page:
            return


def apply(database: Database, sweep: Sweep, found: Sequence[tuple[Any, ...]]) -> int:
    """Change these rows, in one transaction and as they are by then; returns how many changed."""
    with database.writing() as connection:
        return retrying(connection, lambda: _apply(connection, sweep, found))


def _apply(connection: sa.Connection, sweep: Sweep, found: Sequence[tuple[Any, ...]]) -> int:
    keys = list(sweep.table.primary_key)
    changed = 0
    for part in chunks(found):
        here = (
            among(connection, keys[0], [key for (key,) in part]) if len(keys) == 1 else sa.tuple_(*keys).in_(list(part))
        )
        rows = connection.execute(sa.select(*_columns(sweep)).where(here, sweep.rows).order_by(*keys).with_for_update())
        for row in rows.mappings().all():
            values = sweep.change({**row})
            if values:
                this = sa.and_(*(key == row[key.name] for key in keys))
                connection.execute(sa.update(sweep.table).where(this).values(values))
                changed += 1
    return changed


def _columns(sweep: Sweep) -> list[sa.Column[Any]]:
    columns = (*sweep.table.primary_key, *(sweep.table.c[name] for name in sweep.columns))
    return list(dict.fromkeys(columns))


def _behind(keys: Sequence[sa.Column[Any]], last: tuple[Any, ...]) -> sa.ColumnElement[bool]:
    if len(keys) == 1:
        behind: sa.ColumnElement[bool] = keys[0] > last[0]
        return behind
    return sa.tuple_(*keys) > sa.tuple_(*(sa.literal(value) for value in last))


def _key(sweep: Sweep, row: sa.RowMapping) -> tuple[Any, ...]:
    return tuple(row[key.name] for key in sweep.table.primary_key)
