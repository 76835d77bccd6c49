"""Many rows at once are what single ones would be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.store import statements
from bounceproc.store.tables import UtcTime

MOMENTS = st.none() | st.datetimes(
    datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis gives them a zone
    datetime(9998, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5, minutes=-45))]),
)

things = sa.Table(
    "thing",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", UtcTime),
    sa.Column("raw", sa.LargeBinary),
    sa.Column("told", sa.JSON(none_as_null=True)),
    sa.Column("yes", sa.Boolean),
)


@given(st.lists(MOMENTS, min_size=1, max_size=5))
def test_many_rows_are_stored_as_each_of_them_alone(moments: list[datetime | None]) -> None:
    rows = [
        {"id": number, "at": at, "raw": b"\0", "told": {"a": [number]} if at else None, "yes": at is None}
        for number, at in enumerate(moments)
    ]
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        things.create(connection)
        statements.insert(connection, things, rows)
        together = connection.exec_driver_sql("SELECT * FROM thing ORDER BY id").all()
        connection.execute(sa.delete(things))
        for row in rows:
            connection.execute(sa.insert(things), row)
        alone = connection.exec_driver_sql("SELECT * FROM thing ORDER BY id").all()
    assert together == alone


CHOOSING = sa.select(things).where(things.c.at < sa.bindparam("before"), things.c.yes.is_(True))
MARKING = sa.update(things).where(things.c.yes.is_(True)).values(raw=sa.bindparam("mark"))


@given(st.lists(st.tuples(MOMENTS, st.booleans()), min_size=1, max_size=8), st.sets(st.integers(0, 9)))
def test_what_is_chosen_is_what_the_same_statement_gives(
    given: list[tuple[datetime | None, bool]], wanted: set[int]
) -> None:
    rows = [
        {"id": number, "at": at, "raw": b"", "told": {"a": number}, "yes": yes}
        for number, (at, yes) in enumerate(given)
    ]
    before = datetime(2026, 1, 1, tzinfo=UTC)
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        things.create(connection)
        statements.insert(connection, things, rows)
        chosen = list(statements.chosen(connection, CHOOSING, things.c.id, wanted, {"before": before}))
        statements.change(connection, MARKING, things.c.id, wanted, {"mark": b"!"})
        marked = set(connection.scalars(sa.select(things.c.id).where(things.c.raw == b"!")))
        everything = connection.execute(sa.select(things).where(things.c.id.in_(wanted))).all()
    assert [row[1:4] for row in chosen] == [
        (row.at, b"", row.told) for row in everything if row.at is not None and row.at < before and row.yes
    ]
    assert marked == {row.id for row in everything if row.yes}


def test_more_are_chosen_than_fit_into_one_statement() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        things.create(connection)
        count = statements.CHUNK * 2 + 1
        statements.insert(connection, things, [{"id": number} for number in range(count)])
        statement = sa.select(things.c.id)
        assert sorted(statements.chosen(connection, statement, things.c.id, range(count))) == [
            (number,) for number in range(count)
        ]
        assert not list(statements.chosen(connection, statement, things.c.id, ()))


def test_a_row_of_one_column_is_a_row() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        things.create(connection)
        statements.insert(connection, things, [{"id": 3}, {"id": 4}])
        assert connection.scalars(sa.select(things.c.id)).all() == [3, 4]


def test_a_moment_without_a_time_zone_is_refused() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        things.create(connection)
        with pytest.raises(ValueError, match="without a time zone"):
            statements.insert(connection, things, [{"id": 1, "at": datetime(2026, 1, 1)}])  # noqa: DTZ001 - that is the point
