"""Whatever a database complains of becomes an error that says what to do; mistakes of ours stay visible."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import exc

from bounceproc.errors import (
    AccessError,
    BounceprocError,
    ConfigError,
    SchemaError,
    TemporaryError,
    UnavailableError,
)
from bounceproc.store.faults import is_conflict, is_missing_table, translated


class _Postgres(Exception):  # noqa: N818 - it stands for the driver's error
    def __init__(self, text: str, sqlstate: str | None = None) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


def _sqlite(name: str, text: str = "trouble") -> exc.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorname = name
    return exc.OperationalError("SELECT 1", {}, error)


def _postgres(text: str, sqlstate: str | None = None) -> exc.OperationalError:
    return exc.OperationalError("SELECT 1", {}, _Postgres(text, sqlstate))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (_sqlite("SQLITE_BUSY_SNAPSHOT"), TemporaryError),
        (_sqlite("SQLITE_FULL"), UnavailableError),
        (_sqlite("SQLITE_NOTADB"), ConfigError),
        (_sqlite("SQLITE_CORRUPT_INDEX"), ConfigError),
        (_sqlite("SQLITE_READONLY_DIRECTORY"), AccessError),
        (_sqlite("SQLITE_CANTOPEN"), AccessError),
        (_sqlite("SQLITE_IOERR_FSYNC"), UnavailableError),
        (_sqlite("SQLITE_ERROR", "no such table: event"), SchemaError),
        (_postgres("connection refused"), UnavailableError),
        (_postgres('FATAL:  password authentication failed for user "x"'), AccessError),
        (_postgres('FATAL:  database "x" does not exist'), ConfigError),
        (_postgres('FATAL:  role "x" does not exist'), AccessError),
        (_postgres("FATAL:  sorry, too many clients already"), TemporaryError),
        (_postgres("x", "53100"), UnavailableError),
        (_postgres("x", "53200"), UnavailableError),
        (_postgres("x", "53300"), TemporaryError),
        (_postgres("x", "55P03"), TemporaryError),
        (_postgres("x", "57014"), TemporaryError),
        (_postgres("x", "57P01"), UnavailableError),
        (_postgres("x", "40P01"), TemporaryError),
        (_postgres("x", "42501"), AccessError),
        (_postgres("x", "42P01"), SchemaError),
        (_postgres("x", "25006"), UnavailableError),
        (exc.TimeoutError("pool"), TemporaryError),
    ],
)
def test_each_trouble_has_its_error_and_its_advice(error: exc.SQLAlchemyError, kind: type[BounceprocError]) -> None:
    with pytest.raises(kind) as caught, translated("the database X"):
        raise error
    assert type(caught.value) is kind
    assert "the database X" in caught.value.what
    assert caught.value.advice


@pytest.mark.parametrize(
    "error", [exc.IntegrityError("", {}, _Postgres("x", "23505")), _sqlite("SQLITE_ERROR", "syntax")]
)
def test_a_mistake_of_ours_is_not_dressed_up(error: exc.DBAPIError) -> None:
    with pytest.raises(type(error)) as caught, translated("X"):
        raise error
    assert caught.value is error


def test_only_the_first_line_is_passed_on_and_no_secret() -> None:
    error = _postgres("connection with hunter2 failed\nDETAIL: Key (address)=(user@example.com)", "08006")
    with pytest.raises(UnavailableError) as caught, translated("X", "hunter2"):
        raise error
    assert "user@example.com" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_conflict_and_a_missing_table_are_told_apart() -> None:
    assert is_conflict(_postgres("x", "40P01"))
    assert not is_conflict(_sqlite("SQLITE_BUSY"))
    assert is_missing_table(_postgres("x", "42P01"))
    assert is_missing_table(_sqlite("SQLITE_ERROR", "no such table: x"))
    assert not is_missing_table(_postgres("x", "42501"))


def test_what_is_no_trouble_of_the_database_passes() -> None:
    with pytest.raises(KeyError), translated("X"):
        raise KeyError("x")
