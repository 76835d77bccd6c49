"""Statements over many rows: the form that each database takes fastest, with one meaning on both."""

from __future__ import annotations

import random
import time
from functools import lru_cache
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from bounceproc.errors import TemporaryError
from bounceproc.event import second
from bounceproc.store.faults import is_conflict
from bounceproc.store.tables import UtcTime

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.dml import Insert

    Binder: TypeAlias = Callable[[tuple[Any, ...]], tuple[Any, ...]]

CONFLICT_ATTEMPTS: Final = 5
"""How often work is done that PostgreSQL broke off in favour of another transaction."""
CHUNK: Final = 1000
"""Values in one IN list: SQLite takes 32,766 parameters in a statement (since 3.32)."""

T = TypeVar("T")
Rows: TypeAlias = "Sequence[dict[str, Any]]"


def insert(
    connection: sa.Connection, table: sa.Table, rows: Rows, *, ignore_known: bool = False, returning: Sequence[str] = ()
) -> list[Any]:
    """Insert rows, on demand without those that a unique constraint knows already; gives columns of the inserted ones.

    All rows have the same keys. PostgreSQL gets one array for each column (a quarter of the time of one statement for each
    row, and no statement text that grows with the rows) and inserts in the order given. SQLite has one writer, so that what
    stands behind the newest row from before are the inserted ones: RETURNING would take a statement for each row. Where they
    are as many as were given, not even they are read: they are the given ones, numbered in their order.
    """
    if not rows:
        return []
    if connection.dialect.name == "sqlite":
        newest = connection.scalar(_newest(table)) if returning else None
        inserted = _insert_many(connection, table, rows, ignore_known)
        if newest is None:
            return []
        if inserted == len(rows) and connection.scalar(_newest(table)) == newest + inserted:
            columns = [
                [row[name] for row in rows] if name in rows[0] else range(newest + 1, newest + 1 + len(rows))
                for name in returning
            ]
            return list(zip(*columns, strict=True))
        return connection.execute(_behind(table, tuple(returning)), {"newest": newest}).all()  # type: ignore[return-value]
    values, parameters = _unnested(table, rows)
    statement = _insert(connection, table).from_select(list(rows[0]), sa.select(*values.c))
    if ignore_known:
        statement = statement.on_conflict_do_nothing()
    if not returning:
        connection.execute(statement, parameters)
        return []
    statement = statement.returning(*(table.c[name] for name in returning))
    return list(connection.execute(statement, parameters))


def update(connection: sa.Connection, table: sa.Table, rows: Rows, *, by: Sequence[str]) -> None:
    """Update rows, each found by its columns `by`. All rows have the same keys."""
    if not rows:
        return
    others = [name for name in rows[0] if name not in by]
    if connection.dialect.name == "postgresql":
        values, parameters = _unnested(table, rows)
        found = sa.and_(*(table.c[name] == values.c[name] for name in by))
        connection.execute(sa.update(table).where(found).values({name: values.c[name] for name in others}), parameters)
        return
    many(connection, _updating(table, tuple(others), tuple(by)), table, rows)


def upsert(connection: sa.Connection, table: sa.Table, row: dict[str, Any]) -> None:
    """Insert a row, or overwrite the one with the same primary key."""
    if connection.dialect.name == "sqlite":
        many(connection, _overwriting(table, tuple(row)), table, [row])
        return
    connection.execute(_or_overwrite(_insert(connection, table), table), row)


def _or_overwrite(statement: Any, table: sa.Table) -> Any:
    others = {column.name: statement.excluded[column.name] for column in table.c if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=others)


def add(connection: sa.Connection, table: sa.Table, rows: Rows, *, column: str) -> None:
    """Insert rows, or add the value of a column to that of the row with the same primary key."""
    if not rows:
        return
    names = tuple(rows[0])
    if connection.dialect.name == "sqlite":
        many(connection, _adding(table, names, column), table, rows)
        return
    values, parameters = _unnested(table, rows)
    statement = _insert(connection, table).from_select(list(names), sa.select(*values.c))
    connection.execute(_or_raise(statement, table, names, column), parameters)


def _or_raise(statement: Any, table: sa.Table, names: Sequence[str], column: str) -> Any:
    """The insertion, or where there is such a row its value added and the others overwritten."""
    raised = {column: table.c[column] + statement.excluded[column]}
    others = {name: statement.excluded[name] for name in names if name != column and not table.c[name].primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=raised | others)


def among(connection: sa.Connection, column: sa.Column[Any], values: Collection[Any]) -> sa.ColumnElement[bool]:
    """Whether the column has one of these values, of which there are at most `CHUNK`."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import ARRAY  # noqa: PLC0415 - each database loads its own dialect alone

        return column == sa.any_(sa.literal(list(values), ARRAY(column.type)))
    # Given whole, none of them is looked at before it is bound: half of what `in_` takes for a list.
    return column.in_(sa.bindparam("among", list(values), column.type, expanding=True, unique=True))


def chosen(
    connection: sa.Connection,
    statement: sa.Select[Any],
    column: sa.Column[Any],
    values: Collection[Any],
    given: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[tuple[Any, ...]]:
    """What a statement gives of the rows whose `column` has one of these values; `given` are its other parameters.

    The statement is made once for all, and each execution adds nothing to it but the values.
    """
    for part in chunks(sorted(values)):
        if connection.dialect.name == "sqlite":
            columns = _columns(connection.dialect, statement)
            for row in _run_with(connection, statement, column, part, given):
                yield tuple([read(value) for read, value in zip(columns, row, strict=True)]) if columns else tuple(row)
        else:
            for row in connection.execute(statement.where(among(connection, column, part)), dict(given)):
                yield tuple(row)


def change(
    connection: sa.Connection,
    statement: sa.Update | sa.Delete,
    column: sa.Column[Any],
    values: Collection[Any],
    given: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Do to the rows whose `column` has one of these values what the statement says; see `chosen`."""
    for part in chunks(sorted(values)):
        if connection.dialect.name == "sqlite":
            _run_with(connection, statement, column, part, given)
        else:
            connection.execute(statement.where(among(connection, column, part)), dict(given))


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Parts that fit into one statement."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def retrying(connection: sa.Connection, work: Callable[[], T]) -> T:
    """Do a part of a transaction, and again when PostgreSQL broke it off in favour of another transaction.

    The part is rolled back to a savepoint, which frees the locks it took; locks from before it are kept.

    Raises:
        TemporaryError: it was broken off `CONFLICT_ATTEMPTS` times.

    """
    if connection.dialect.name == "sqlite":
        return work()
    for attempt in range(1, CONFLICT_ATTEMPTS + 1):
        try:
            with connection.begin_nested():
                return work()
        except exc.DBAPIError as error:
            if not is_conflict(error):
                raise
            time.sleep(random.uniform(0.01, 0.05) * attempt)  # noqa: S311 - no secret, only not in step with the other
    raise TemporaryError("the database gave way to other writers again and again", "Try again later.")


def _insert(connection: sa.Connection, table: sa.Table) -> Any:
    # The two constructs have the same methods and no common class that declares them.
    construct: Callable[[sa.Table], Insert]
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as construct  # noqa: PLC0415 - see `among`
    else:
        from sqlalchemy.dialects.postgresql import insert as construct  # noqa: PLC0415 - see `among`
    return construct(table)


# ---- SQLite: what SQLAlchemy does for each value of each row takes longer than the row ---------------------------------


def many(connection: sa.Connection, statement: tuple[str, tuple[str, ...]], table: sa.Table, rows: Rows) -> int:
    """Run a prepared statement for each row: its text, and the columns that it takes in this order. Returns the rows changed."""
    text, names = statement
    # Of one name alone `itemgetter` makes no tuples: it gets one too many, which is dropped.
    *columns, _ = zip(*map(itemgetter(*names, names[0]), rows), strict=True)
    for place, bind in _binders(connection.dialect, table, names):
        columns[place] = bind(columns[place])
    return connection.exec_driver_sql(text, list(zip(*columns, strict=True))).rowcount


def _insert_many(connection: sa.Connection, table: sa.Table, rows: Rows, ignore_known: bool) -> int:
    """Insert rows; columns in which they have nothing are left out, and NULL without being bound. Returns the rows inserted."""
    optional = [name for name in rows[0] if table.c[name].nullable]
    empty = {name for name in optional if rows[0][name] is None and all(row[name] is None for row in rows)}
    names = tuple([name for name in rows[0] if name not in empty])
    return many(connection, _insertion(table, names, ignore_known), table, rows)


_VALUES: Final = "(:VALUES:)"


def _run_with(
    connection: sa.Connection, statement: Any, column: sa.Column[Any], values: Sequence[Any], given: Mapping[str, Any]
) -> sa.CursorResult[Any]:
    text, parameters = _asking(connection.dialect, statement, column)
    others = [bind((given.get(name, value),))[0] for name, value, bind in parameters]
    return connection.exec_driver_sql(text.replace(_VALUES, f"({','.join('?' * len(values))})"), (*others, *values))


@lru_cache
def _asking(dialect: Dialect, statement: Any, column: sa.Column[Any]) -> tuple[str, list[tuple[str, Any, Binder]]]:
    """A statement's text with a place for many values of the column, and what it takes before them: name, own value, binder."""
    compiled = statement.where(column.op("IN")(sa.literal_column(_VALUES))).compile(dialect=dialect)
    text = str(compiled)
    assert "?" not in text.partition(_VALUES)[2], "the values are the last that it takes"
    found = [(name, compiled.params[name], compiled.binds[name].type) for name in compiled.positiontup]
    return text, [(name, value, _binder(dialect, type_) or tuple) for name, value, type_ in found]


@lru_cache
def _columns(dialect: Dialect, statement: sa.Select[Any]) -> list[Callable[[Any], Any]]:
    """What makes of the driver's values what they are, a column each; nothing where they are that already."""
    processors = [
        column.type.dialect_impl(dialect).result_processor(dialect, None) for column in statement.selected_columns
    ]
    return [read or _same for read in processors] if any(processors) else []


def _same(value: Any) -> Any:
    return value


@lru_cache
def _binders(dialect: Dialect, table: sa.Table, names: tuple[str, ...]) -> list[tuple[int, Binder]]:
    """How the values of a column become what the driver takes, for those that are not taken as they are."""
    found = [(place, _binder(dialect, table.c[name].type)) for place, name in enumerate(names)]
    return [(place, bind) for place, bind in found if bind is not None]


def _binder(dialect: Dialect, type_: sa.types.TypeEngine[Any]) -> Binder | None:
    if isinstance(type_, UtcTime):
        return _texts
    if isinstance(type_, sa.LargeBinary):
        return None
    bind = type_.dialect_impl(dialect).bind_processor(dialect)
    return (lambda values: tuple(map(bind, values))) if bind is not None else None


def _texts(moments: tuple[datetime | None, ...]) -> tuple[str | None, ...]:
    """A column of moments as SQLAlchemy stores them there, each turned into text once."""
    texts = {moment: _text(moment) if moment is not None else None for moment in set(moments)}
    return tuple([texts[moment] for moment in moments])


def _text(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return f"{second(moment).replace('T', ' ')}.{moment.microsecond:06}"


@lru_cache
def _insertion(table: sa.Table, names: tuple[str, ...], ignore_known: bool) -> tuple[str, tuple[str, ...]]:
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - see `among`

    statement = sqlite.insert(table)
    if ignore_known:
        statement = statement.on_conflict_do_nothing()
    return str(statement.compile(dialect=sqlite.dialect(), column_keys=names)), tuple(
        column.name for column in table.c if column.name in names
    )


@lru_cache
def _overwriting(table: sa.Table, names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - see `among`

    statement = _or_overwrite(sqlite.insert(table), table)
    text = str(statement.compile(dialect=sqlite.dialect(), column_keys=names))
    return text, tuple(each.name for each in table.c if each.name in names)


@lru_cache
def _adding(table: sa.Table, names: tuple[str, ...], column: str) -> tuple[str, tuple[str, ...]]:
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - see `among`

    statement = _or_raise(sqlite.insert(table), table, names, column)
    text = str(statement.compile(dialect=sqlite.dialect(), column_keys=names))
    return text, tuple(each.name for each in table.c if each.name in names)


@lru_cache
def _updating(table: sa.Table, others: tuple[str, ...], by: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - see `among`

    found = sa.and_(*(table.c[name] == sa.bindparam(f"this_{name}") for name in by))
    text = str(sa.update(table).where(found).compile(dialect=sqlite.dialect(), column_keys=others))
    return text, (*(column.name for column in table.c if column.name in others), *by)


_ROWID: Final[sa.ColumnClause[int]] = sa.literal_column("rowid", sa.Integer())


@lru_cache
def _newest(table: sa.Table) -> sa.Select[Any]:
    return sa.select(sa.func.coalesce(sa.func.max(_ROWID), 0)).select_from(table)


@lru_cache
def _behind(table: sa.Table, names: tuple[str, ...]) -> sa.Select[Any]:
    behind = sa.bindparam("newest") < _ROWID
    return sa.select(*(table.c[name] for name in names)).where(behind).select_from(table)


# ---- PostgreSQL --------------------------------------------------------------------------------------------------------


def _unnested(table: sa.Table, rows: Rows) -> tuple[sa.TableValuedAlias, dict[str, list[Any]]]:
    """The rows as a table of PostgreSQL, made from one array for each column, and the arrays."""
    from sqlalchemy.dialects.postgresql import ARRAY  # noqa: PLC0415 - see `among`

    names = list(rows[0])
    arrays = [sa.bindparam(f"all_{name}", type_=ARRAY(table.c[name].type)) for name in names]
    columns = [sa.column(name, table.c[name].type) for name in names]
    values = sa.func.unnest(*arrays).table_valued(*columns, name="given").render_derived()
    return values, {f"all_{name}": [row[name] for row in rows] for name in names}
