"""What was erased from the tables leaves the files as well: free space and logs are written anew."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from bounceproc.errors import TemporaryError
from bounceproc.store import statements
from bounceproc.store.tables import metadata, setting

if TYPE_CHECKING:
    from bounceproc.store.engine import Database

NAME: Final = "traces"
"""The setting that stands there for as long as erased rows may still be found in the files."""
PATIENCE: Final = 30.0
"""Seconds to wait for readers of the SQLite file: theirs are pages of a fraction of a second."""
PAUSE: Final = 0.1
"""Seconds between two tries."""


def announce(connection: sa.Connection) -> None:
    """Rows are erased from now on."""
    statements.upsert(connection, setting, {"name": NAME, "value": "left"})


def is_due(connection: sa.Connection) -> bool:
    """Whether a run was broken off before the files were clean."""
    return connection.scalar(sa.select(sa.exists().where(setting.c.name == NAME))) is True


def finish(database: Database) -> None:
    """Write the files anew where rows were erased since the last time.

    SQLite: VACUUM copies what is there into a new file, page by page, since balancing a tree leaves copies of rows in pages
    that even `secure_delete` does not reach; then the log is emptied. PostgreSQL: VACUUM frees the old versions of the rows.

    Raises:
        TemporaryError: others read the SQLite file all the time; the next run goes on here.

    """
    with database.reading() as connection:
        if not is_due(connection):
            return
    if database.is_sqlite:
        with database.bare() as connection:
            connection.exec_driver_sql("VACUUM")
        _empty_log(database)
    else:
        with database.holding() as connection:
            connection.exec_driver_sql("SET statement_timeout = 0")
            try:
                for table in metadata.sorted_tables:
                    connection.exec_driver_sql(f'VACUUM "{table.name}"')
            finally:
                connection.exec_driver_sql("RESET statement_timeout")
    with database.writing() as connection:
        connection.execute(sa.delete(setting).where(setting.c.name == NAME))


def _empty_log(database: Database) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        with database.bare() as connection:
            is_busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        if not is_busy:
            return
        if time.monotonic() > deadline:
            raise TemporaryError(
                f"the rows are erased, and the log of {database.name} still has traces of them: others read it all the time",
                "Run the same command again in a quiet moment.",
            )
        time.sleep(PAUSE)
