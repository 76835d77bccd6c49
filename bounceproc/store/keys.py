"""The keys of a database: its pepper is made on first use, and proved at each opening."""

from __future__ import annotations

import hmac
import os
import secrets
from typing import TYPE_CHECKING

import sqlalchemy as sa

from bounceproc.address import NORMAL_FORM
from bounceproc.errors import AccessError, ConfigError, SchemaError
from bounceproc.store import statements
from bounceproc.store.pepper import PEPPER_OCTETS, Keys, read_pepper
from bounceproc.store.tables import setting

if TYPE_CHECKING:
    from pathlib import Path

    from bounceproc.store.engine import Database

__all__ = ["Keys", "make_pepper", "open_keys", "read_pepper"]


def open_keys(database: Database, pepper_file: Path) -> Keys:
    """The keys of this database: its own pepper, or on first use a new one (SQLite) or the one laid ready (PostgreSQL).

    Raises:
        ConfigError: the pepper is missing, unreadable as one, or another database's.
        SchemaError: the database's keys are made from a normal form that this program does not know.

    """
    with database.reading() as connection:
        known = _settings(connection)
    if "pepper_check" in known:
        keys = read_pepper(pepper_file, known["pepper_id"])
    else:
        if database.is_sqlite:
            make_pepper(pepper_file)
        keys = read_pepper(pepper_file)
        with database.writing() as connection:
            mine = {"pepper_id": keys.id, "pepper_check": keys.check, "normal_form": str(NORMAL_FORM)}
            rows = [{"name": name, "value": value} for name, value in mine.items()]
            statements.insert(connection, setting, rows, ignore_known=True)
            known = _settings(connection)  # another process may have been first
    if known["normal_form"] != str(NORMAL_FORM):
        raise SchemaError(
            f"the keys of the database are made from normal form {known['normal_form']} and this program has {NORMAL_FORM}",
            "Use the version of bounceproc that the database was written with.",
        )
    if not hmac.compare_digest(keys.check, known["pepper_check"]):
        raise ConfigError(
            f"{pepper_file} holds pepper {keys.id}, and the database was made with pepper {known['pepper_id']}",
            "Put the right file back from a backup: with another pepper no address would be found in this database.",
        )
    return keys


def _settings(connection: sa.Connection) -> dict[str, str]:
    return {row.name: row.value for row in connection.execute(sa.select(setting.c.name, setting.c.value))}


def make_pepper(path: Path) -> None:
    """Make a pepper file, readable by its owner alone, unless there is one. It appears with its whole content or not at all.

    Raises:
        AccessError: the folder may not be written to.
        ConfigError: there is no such folder.

    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_hex(PEPPER_OCTETS).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            _publish(draft, path)
        finally:
            draft.unlink()
    except FileNotFoundError as error:
        raise ConfigError(
            f"the folder {path.parent} for the pepper file does not exist", "Make it, or name another."
        ) from error
    except OSError as error:
        raise AccessError(
            f"the pepper file {path} cannot be made: {error.strerror}", "Check owner and mode of its folder."
        ) from error


def _publish(draft: Path, path: Path) -> None:
    """Give the draft its name, which fails where somebody was first: theirs is the pepper then."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
