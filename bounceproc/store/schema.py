"""The schema of the database: make it, upgrade it, compare it with what this program expects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy import exc

import bounceproc
from bounceproc.errors import ConfigError, SchemaError
from bounceproc.store import revision as expected
from bounceproc.store.engine import Database, make_file, require_utf8
from bounceproc.store.faults import is_missing_table
from bounceproc.store.tables import metadata
from bounceproc.store.views import drift as drift_of_views

if TYPE_CHECKING:
    from alembic.config import Config

HEAD: Final = expected.HEAD
"""The newest revision in `migrations/versions`."""

_VERSIONS: Final = (
    "CREATE TABLE alembic_version "
    "(version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)
"""The table that alembic makes for itself."""

_NEWER: Final = "Use the version of bounceproc that it was upgraded with, or a newer one."


@dataclass(frozen=True, slots=True, repr=False)
class Schema:
    """The schema of one database. The URL may hold a password and is never shown."""

    url: str

    def upgrade(self) -> tuple[str | None, str]:
        """Bring the database to the newest revision, in one transaction; gives the revisions before and after.

        Raises:
            SchemaError: the database is newer than this program.
            ConfigError: it is no database of ours.
            UnavailableError, TemporaryError, AccessError: see `Database`.

        """
        # A migration that rebuilds a table of SQLite must not trip over the rows that refer to it.
        database = Database(self.url, foreign_keys=False)
        try:
            return _upgrade(database)
        finally:
            database.close()

    def current(self) -> str | None:
        """The revision that the database is at; None for an empty one."""
        database = Database(self.url)
        try:
            return _current(database)
        finally:
            database.close()

    def check(self) -> list[str]:
        """What differs between the database and the tables this program expects, one line each; empty without drift."""
        database = Database(self.url)
        try:
            revision = _current(database)
            if revision is None:
                return [f"{database.name} is empty: run `bounceproc db upgrade`"]
            if revision not in known_revisions():
                raise _newer(database, revision)
            differences = [] if revision == HEAD else [f"the revision is {revision} and should be {HEAD}"]
            with database.reading() as connection:
                return differences + _drift(connection)
        finally:
            database.close()


def ensure(database: Database) -> None:
    """Make sure that the database is at this program's revision. An SQLite file that is missing or empty is made.

    Raises:
        SchemaError: the database is older or newer than this program.
        ConfigError: it is no database of ours.
        UnavailableError, TemporaryError, AccessError: see `Database`.

    """
    revision = _current(database)
    if revision == HEAD:
        return
    if revision is None and database.is_sqlite:
        _make(database)
        return
    if revision is not None and revision not in known_revisions():
        raise _newer(database, revision)
    state = "empty" if revision is None else f"at revision {revision}, older than this program ({HEAD})"
    raise SchemaError(f"{database.name} is {state}", "Back it up, then run `bounceproc db upgrade`.")


def migrations_folder() -> Path:
    """Where the migrations lie: inside the package (a wheel), else beside it (a checkout).

    Raises:
        ConfigError: they are missing: the installation is broken.

    """
    package = Path(bounceproc.__file__).resolve().parent
    for folder in (package / "_migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file() and (folder / "versions").is_dir():
            return folder
    raise ConfigError("the migrations of the database are missing", "Install bounceproc again.")


def known_revisions() -> frozenset[str]:
    """The revisions this program has, by the names of their files: `REVISION_what_it_does.py`."""
    return frozenset(path.name.partition("_")[0] for path in (migrations_folder() / "versions").glob("[0-9]*_*.py"))


def alembic_config(**attributes: object) -> Config:
    """Alembic's configuration, in memory alone: no URL is written anywhere. `attributes` reach env.py."""
    from alembic.config import Config  # noqa: PLC0415 - alembic costs a quarter of a second and is seldom needed

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes.update(attributes)
    return config


def include_object(_object: object, _name: str | None, kind: str, reflected: bool, counterpart: object) -> bool:
    """Whether alembic compares this: tables of others in the same database are no drift."""
    return not (kind == "table" and reflected and counterpart is None)


def _newer(database: Database, revision: str) -> SchemaError:
    return SchemaError(f"{database.name} is newer than this program: its revision {revision!r} is unknown here", _NEWER)


def _current(database: Database) -> str | None:
    if database.path is not None and not database.path.exists():
        return None
    with database.reading() as connection:
        return _revision(connection)


def _revision(connection: sa.Connection) -> str | None:
    """One SELECT on the usual way; only an SQLite file without alembic's table is looked at more closely."""
    try:
        return _version(connection)
    except exc.DBAPIError as error:
        if not is_missing_table(error):
            raise
    tables = sa.inspect(connection).get_table_names() if connection.dialect.name == "sqlite" else []
    if "alembic_version" in tables:  # somebody else made the database between the two questions
        return _version(connection)
    if tables:
        raise ConfigError(
            "the SQLite file of [database] url belongs to another program", "Let [database] url name another file."
        )
    return None


def _version(connection: sa.Connection) -> str | None:
    with connection.begin_nested():  # in PostgreSQL a failed statement spoils its transaction
        version: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return version


def _make(database: Database) -> None:
    """The tables in a new SQLite file, at once: the migrations come to the same, and loading alembic takes a third of a second."""
    assert database.path is not None, "it is a file"
    make_file(database.path)
    with database.writing() as connection:
        if _revision(connection) is None:  # nobody was faster
            metadata.create_all(connection)
            connection.exec_driver_sql(_VERSIONS)
            connection.exec_driver_sql("INSERT INTO alembic_version (version_num) VALUES (?)", (HEAD,))


def _upgrade(database: Database) -> tuple[str | None, str]:
    from alembic import command  # noqa: PLC0415 - see alembic_config

    if database.path is not None:
        make_file(database.path)
    with database.writing() as connection:
        require_utf8(connection)
        before = _revision(connection)
        if before is not None and before not in known_revisions():
            raise _newer(database, before)
        command.upgrade(alembic_config(connection=connection), "head")
    return before, HEAD


def _drift(connection: sa.Connection) -> list[str]:
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - see alembic_config
    from alembic.migration import MigrationContext  # noqa: PLC0415

    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": include_object})
    tables = [_describe(difference) for difference in compare_metadata(context, metadata)]
    return [*tables, *drift_of_views(connection)]


def _describe(difference: Any) -> str:
    """One difference of alembic's, in words. What is to be added is missing in the database."""
    if isinstance(difference, list):  # several changes of one column
        return "; ".join(_describe(part) for part in difference)
    operation, *rest = difference
    what = operation.replace("add_", "missing ").replace("remove_", "not expected: ").replace("modify_", "differs: ")
    names = [
        str(getattr(part, "name", None) or part)
        for part in rest
        if isinstance(part, str) or getattr(part, "name", None) is not None
    ]
    return f"{what.replace('_', ' ')} {'.'.join(names)}".strip()
