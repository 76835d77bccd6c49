"""A database: how to connect to it, and what a transaction means there."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy import event, exc

from bounceproc.errors import AccessError, ConfigError
from bounceproc.store.faults import is_locked, translated
from bounceproc.store.sealing import encoded
from bounceproc.store.tables import tell_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY_TIMEOUT: Final = 10.0
"""Seconds to wait for another writer; a batch takes a fraction of one."""
CONNECT_TIMEOUT: Final = 10
"""Seconds until PostgreSQL has to answer."""
STATEMENT_TIMEOUT: Final = 60
"""Seconds that one statement may take in PostgreSQL: the largest batch (32 MB) with room to spare."""
IDLE_TIMEOUT: Final = 300
"""Seconds that PostgreSQL keeps the locks of a transaction whose program fell silent."""
MAX_CONNECTIONS: Final = 64
"""Connections to PostgreSQL at once: each folder that is watched holds one for its lease, and one more while it works."""
WAL_PAGES: Final = 4000
"""Pages of the log (16 MB) until they are written into the file: a long run changes the same pages of indexes again and again."""
WAL_PAUSE: Final = 0.02
"""Seconds until the next try to switch a file to WAL mode that somebody else is just making."""
OLDEST_SQLITE: Final = (3, 35, 0)
"""The first SQLite with RETURNING."""

# For each value that is neither number nor text the driver looks for somebody who makes one of it, and takes octets and NULL as
# they are when it has found nobody: to find one at once takes a third of the time.
sqlite3.register_adapter(bytes, bytes)
sqlite3.register_adapter(type(None), {}.get)  # type: ignore[arg-type]  # which gives None for it


class Database:
    """One SQLite file or PostgreSQL database, with its pool of connections. Safe to share between threads."""

    def __init__(self, url: str, *, foreign_keys: bool = True) -> None:
        self._url = _parse(url)
        self.is_sqlite: Final = self._url.get_backend_name() == "sqlite"
        self.path: Final = Path(self._url.database or "") if self.is_sqlite else None
        """The file of an SQLite database."""
        self.name: Final = _name(self._url)
        """Names the database in a sentence, without secrets."""
        self._engine = _sqlite(self._url, foreign_keys) if self.is_sqlite else _postgresql(self._url)
        # The engine of the writers shares the pool; the option reaches `_begin_sqlite`.
        self._writer = self._engine.execution_options(bounceproc_write=True)

    def seal_with(self, key: bytes) -> None:
        """Have everything that is written to the feed from now on sealed with this key: see `sealing`."""
        self._writer = self._writer.execution_options(bounceproc_seal=key)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that writes nothing and holds up no writer. Keep it short: it holds back SQLite's checkpoints.

        Raises:
            UnavailableError, TemporaryError, AccessError, ConfigError: what went wrong with the database.

        """
        with translated(self.name, self._url.password), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction: committed (and on the disk) when the block ends, rolled back when it raises.

        Raises:
            UnavailableError, TemporaryError, AccessError, ConfigError: what went wrong with the database.

        """
        with translated(self.name, self._url.password), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def holding(self) -> Iterator[sa.Connection]:
        """A connection without a transaction, for what belongs to the session itself: PostgreSQL ends long idle transactions."""
        with translated(self.name, self._url.password), self._engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def bare(self) -> Iterator[sa.Connection]:
        """A connection without a transaction to SQLite, for what SQLite refuses to do inside one."""
        with translated(self.name, self._url.password), self._engine.connect() as connection:
            yield connection.execution_options(bounceproc_bare=True)

    def close(self) -> None:
        """End all connections."""
        self._engine.dispose()


def _parse(text: str) -> sa.URL:
    advice = "Use sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME."
    try:
        url = sa.make_url(text)
    except (exc.ArgumentError, ValueError):
        # Without its cause on purpose: that one quotes the URL, password included.
        raise ConfigError("[database] url is no database URL", advice) from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        name = url.database
        if not name or name == ":memory:" or name.startswith("file:"):
            raise ConfigError("[database] url names no file", advice)
        return url.set(drivername="sqlite+pysqlite")
    if backend in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    raise ConfigError(f"[database] url asks for {backend[:40]!r}, which is not supported", advice)


def _name(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"the database {url.database}"
    host = url.host or url.query.get("host") or "the local socket"
    return f"the PostgreSQL database {url.database or ''!r} at {host}{f':{url.port}' if url.port else ''}"


def make_file(path: Path) -> None:
    """Make an empty file for an SQLite database, for its owner alone, unless there is one. SQLite's side files inherit the mode.

    Raises:
        ConfigError: there is no such folder.
        AccessError: the folder may not be written to.

    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except FileNotFoundError as error:
        raise ConfigError(
            f"the folder {path.parent} for the database does not exist", "Make it, or name another."
        ) from error
    except OSError as error:
        raise AccessError(
            f"the database {path} cannot be made: {error.strerror}", "Check owner and mode of its folder."
        ) from error


# ---- SQLite ----------------------------------------------------------------------------------------------------------


def _sqlite(url: sa.URL, foreign_keys: bool) -> sa.Engine:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise ConfigError(f"SQLite {sqlite3.sqlite_version} is too old", f"Use a Python with SQLite {oldest} or newer.")
    connect = {"timeout": BUSY_TIMEOUT}
    engine = sa.create_engine(url, hide_parameters=True, json_serializer=encoded, connect_args=connect)

    @event.listens_for(engine, "connect")
    def tune(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun by `begin`, never by the driver's guess
        _use_wal(connection)
        # A mailbox is touched after the commit: what is committed must be on the disk, not only in the system's memory.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
        # What is deleted is overwritten, as many builds of SQLite do anyway. See `shredding` for what that does not reach.
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("bounceproc_bare"):
            return
        # A reader that turns into a writer later cannot wait for another one: SQLite answers "locked" at once.
        write = connection.get_execution_options().get("bounceproc_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch a new file to WAL mode, which it keeps. SQLite's own busy timeout does not cover all of the switch."""
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if not is_locked(error) or time.monotonic() > deadline:
                raise
            time.sleep(WAL_PAUSE)
        else:
            return


# ---- PostgreSQL ------------------------------------------------------------------------------------------------------


# A server whose default is not to wait for the disk would lose commits that the mailbox was settled for. Stricter is fine.
_DURABLE: Final = (
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)


def _postgresql(url: sa.URL) -> sa.Engine:
    defaults: dict[str, Any] = {"application_name": "bounceproc", "connect_timeout": CONNECT_TIMEOUT}
    try:
        engine = sa.create_engine(
            url,
            hide_parameters=True,
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            max_overflow=MAX_CONNECTIONS,
            connect_args={name: value for name, value in defaults.items() if name not in url.query},
        )
    except ImportError as error:
        raise ConfigError(
            "the driver for PostgreSQL is not installed", "Install it: pip install 'bounceproc[postgres]'."
        ) from error

    tell_postgresql()
    from psycopg.types.array import ListBinaryDumper  # noqa: PLC0415 - the driver is there by now

    @event.listens_for(engine, "connect")
    def tune(connection: Any, _record: object) -> None:
        # In the text form of an array each quotation mark and backslash is found and escaped in Python: twice the time.
        connection.adapters.register_dumper(list, ListBinaryDumper)
        # Statements and not start-up options: connection poolers refuse those.
        connection.autocommit = True
        connection.execute(
            f"SET timezone = 'UTC'; SET lock_timeout = '{int(BUSY_TIMEOUT)}s'; "
            f"SET statement_timeout = '{STATEMENT_TIMEOUT}s'; "
            f"SET idle_in_transaction_session_timeout = '{IDLE_TIMEOUT}s'; {_DURABLE}"
        )
        connection.autocommit = False

    return engine


def require_utf8(connection: sa.Connection) -> None:
    """Refuse a PostgreSQL database that cannot hold what strangers write.

    Raises:
        ConfigError: its encoding is not UTF8.

    """
    if connection.dialect.name != "postgresql":
        return
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise ConfigError(
            f"the PostgreSQL database has the encoding {encoding}", "Create it anew: createdb --encoding=UTF8 NAME."
        )
