"""A real PostgreSQL for tests: one unprivileged cluster on a Unix socket, a fresh database for every test."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.servers import require

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT: Final = 60
"""Seconds that initdb, a start or a stop may take; each takes about one on an idle machine."""
PACKAGE: Final = "postgresql"
UNPRIVILEGED: Final = ("postgres", "nobody")
"""Who the server runs as when the tests run as root, which PostgreSQL refuses: the first of these accounts that there is."""

CONFIGURATION: Final = """\
listen_addresses = ''
unix_socket_directories = '{folder}'
max_connections = 50
shared_buffers = 64MB
dynamic_shared_memory_type = posix
timezone = 'Asia/Kathmandu'
lc_messages = 'C'
"""
"""Nobody reaches it but over its socket; the odd time zone finds whoever relies on the server's."""


class Postgres:
    """A running cluster, whole in one temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = "bounceproc"
        self._numbers = itertools.count(1)
        self._account = _account()
        self._give(folder)

    def _give(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    def _run(self, binary: str, *arguments: str) -> None:
        as_server: dict[str, Any] = {}
        if os.geteuid() == 0:
            as_server = {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}
        # A file and not a pipe: the server keeps its standard output open for as long as it runs.
        with tempfile.TemporaryFile() as output:
            command = [require(binary, PACKAGE), *arguments]
            done = subprocess.run(
                command, stdout=output, stderr=output, cwd=self.folder, timeout=START_TIMEOUT, check=False, **as_server
            )
            output.seek(0)
            if done.returncode:
                pytest.fail(f"{binary} failed:\n{output.read().decode(errors='replace')}\n{self.log()}")

    def log(self) -> str:
        """What the server says of itself."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    @contextmanager
    def running(self) -> Iterator[Postgres]:
        """The server, stopped with the block."""
        data = str(self.folder / "data")
        self._run("initdb", "-D", data, "-U", self.user, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.write(CONFIGURATION.format(folder=self.folder))
        self._run("pg_ctl", "-D", data, "-l", str(self.folder / "log"), "-w", "start")
        try:
            yield self
        finally:
            self._run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")

    def url(self, database: str) -> str:
        """The URL of one database, as `[database] url` takes it."""
        return f"postgresql+psycopg://{self.user}@/{database}?host={self.folder}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement, outside any transaction."""
        import psycopg

        with psycopg.connect(host=str(self.folder), user=self.user, dbname=database, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    @contextmanager
    def new_database(self, encoding: str = "UTF8") -> Iterator[str]:
        """A fresh, empty database: its URL."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def away(self, url: str) -> Iterator[None]:
        """A database that ends its connections and lets nobody in while the block lasts."""
        name = url.partition("@/")[2].partition("?")[0]
        self.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        try:
            yield
        finally:
            self.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def _account() -> pwd.struct_passwd:
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("there is no account that PostgreSQL could run as")


@contextmanager
def start_postgres() -> Iterator[Postgres]:
    """A running cluster, gone with the block."""
    require("initdb", PACKAGE)
    pytest.importorskip("psycopg", reason="the driver for PostgreSQL is not installed (extra postgres)")
    # Not in pytest's own temporary folder: the unprivileged user may not enter that, and socket paths must be short.
    folder = Path(tempfile.mkdtemp(prefix="bp-postgres-"))
    try:
        with Postgres(folder).running() as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL for the whole run."""
    with start_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The URL of a fresh, empty database."""
    with postgres.new_database() as url:
        yield url
