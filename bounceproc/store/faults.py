"""What a database says when something is wrong, as errors of ours: what happened, what to do, whether trying again helps."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy import exc

from bounceproc.errors import AccessError, BounceprocError, ConfigError, SchemaError, TemporaryError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN: Final = 200
"""Characters of a database's own message that are passed on: the first line says it, the next ones may hold data."""

_UPGRADE: Final = "Run `bounceproc db upgrade`."
_SPACE: Final = "Free space there; nothing was lost, the next run repeats what was not committed."
_CONFLICTS: Final = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected


@contextmanager
def translated(where: str, secret: str | None = None) -> Iterator[None]:
    """Turn what the database raises in this block into errors of ours. `where` names the database in a sentence.

    What is no trouble of the world (a broken constraint, a wrong statement) is a mistake in this program and stays as it is.
    """
    try:
        yield
    except exc.TimeoutError as error:
        raise TemporaryError(f"all connections to {where} are busy", "Try again later.") from error
    except exc.DBAPIError as error:
        found = (
            of_sqlite(error.orig, where) if isinstance(error.orig, sqlite3.Error) else _postgresql(error, where, secret)
        )
        if found is None:
            raise
        raise found from error


def is_conflict(error: sa.exc.DBAPIError) -> bool:
    """Whether PostgreSQL chose this transaction to give way to another: doing it again helps."""
    return getattr(error.orig, "sqlstate", None) in _CONFLICTS


def is_locked(error: sqlite3.Error) -> bool:
    """Whether SQLite only says that somebody else is at work."""
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def is_missing_table(error: sa.exc.DBAPIError) -> bool:
    """Whether a statement named a table that is not there."""
    if isinstance(error.orig, sqlite3.Error):
        return "no such table" in str(error.orig)
    return getattr(error.orig, "sqlstate", None) == "42P01"


def _first_line(error: object, secret: str | None = None) -> str:
    line = (str(error).splitlines() or [""])[0][:SHOWN]
    return line.replace(secret, "***") if secret else line


def of_sqlite(error: sqlite3.Error, where: str) -> BounceprocError | None:
    """What an error of SQLite's means; None for a mistake in this program."""
    name = getattr(error, "sqlite_errorname", "")
    if is_locked(error):
        return TemporaryError(f"{where} is locked by another program", "Try again when it has finished.")
    if name.startswith("SQLITE_FULL"):
        return UnavailableError(f"the disk under {where} is full", _SPACE)
    if name.startswith("SQLITE_NOTADB"):
        return ConfigError(
            f"{where} is no SQLite database", "Let [database] url name another file, or move this one away."
        )
    if name.startswith("SQLITE_CORRUPT"):
        return ConfigError(f"{where} is damaged", "Put it back from a backup, its pepper file with it.")
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        advice = "Check owner and mode of the file and of its folder: SQLite writes beside the file, too."
        return AccessError(f"{where} cannot be opened for writing: {_first_line(error)}", advice)
    if name.startswith("SQLITE_IOERR"):
        return UnavailableError(
            f"the disk under {where} does not work: {_first_line(error)}", "Look into the system's log."
        )
    if "no such table" in str(error) or "no such column" in str(error):
        return SchemaError(f"{where} does not have this program's tables", _UPGRADE)
    return None


# By SQLSTATE or its class (PostgreSQL documentation, appendix A); the longest prefix counts.
_STATES: Final[dict[str, tuple[type[BounceprocError], str, str]]] = {
    "08": (UnavailableError, "does not answer", "Check that it runs and can be reached."),
    "57P": (UnavailableError, "is shutting down or starting", "Try again later."),
    "53": (UnavailableError, "is out of resources", "Look into the server's log."),
    "53100": (UnavailableError, "has no disk space left", _SPACE),
    "53300": (TemporaryError, "has no free connection", "Try again later, or raise max_connections there."),
    "55P03": (TemporaryError, "keeps a lock for somebody else", "Try again when the other program has finished."),
    "57014": (TemporaryError, "took too long for a statement", "Try again later; look at the server's load."),
    "40": (TemporaryError, "had to give way to other writers again and again", "Try again later."),
    "25P03": (TemporaryError, "ended a transaction that stood idle", "Try again later."),
    "25006": (UnavailableError, "takes no writes: it is a standby", "Let [database] url name the primary."),
    "28": (AccessError, "refuses this user", "Check user, password and pg_hba.conf."),
    "42501": (AccessError, "does not allow this to this user", "Grant the missing right."),
    "3D000": (ConfigError, "does not exist", "Create it: createdb --encoding=UTF8 NAME."),
    "42P01": (SchemaError, "does not have this program's tables", _UPGRADE),
    "42703": (SchemaError, "does not have this program's columns", _UPGRADE),
    "22021": (ConfigError, "cannot hold a character", "Make the database anew with --encoding=UTF8."),
    "22P05": (ConfigError, "cannot hold a character", "Make the database anew with --encoding=UTF8."),
}
# libpq gives no SQLSTATE for what goes wrong while connecting, only the server's sentence.
_SENTENCES: Final = (
    ("password authentication failed", "28"),
    ("no password supplied", "28"),
    ("no pg_hba.conf entry", "28"),
    ("peer authentication failed", "28"),
    ("permission denied for database", "42501"),
    ("too many clients", "53300"),
    ("remaining connection slots", "53300"),
    ("role ", "28"),
    ("does not exist", "3D000"),
)


def _postgresql(error: sa.exc.DBAPIError, where: str, secret: str | None) -> BounceprocError | None:
    line = _first_line(error.orig, secret)
    state = getattr(error.orig, "sqlstate", None)
    if state is None and isinstance(error, exc.OperationalError):
        lowered = str(error.orig).lower()
        state = next((state for words, state in _SENTENCES if words in lowered), "08")
    for length in (5, 3, 2):
        known = _STATES.get((state or "")[:length])
        if known:
            kind, what, advice = known
            return kind(f"{where} {what} ({line})", advice)
    if error.connection_invalidated:
        return UnavailableError(f"the connection to {where} broke ({line})", "Try again later.")
    return None
