"""One question to an SQLite file without SQLAlchemy, which takes ten times as long to load as the whole question takes.

Where anything is unusual (another revision, no pepper, a file that is not there yet) nothing is opened, and whoever asked goes the usual way,
which also says what is wrong.
"""

from __future__ import annotations

import hmac
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

from bounceproc.address import NORMAL_FORM, Address
from bounceproc.errors import BounceprocError
from bounceproc.store.entries import Entry, strength
from bounceproc.store.pepper import Keys, read_pepper
from bounceproc.store.revision import HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bounceproc.ports import Suppression

CHUNK: Final = 1000
"""Keys in one statement."""
TIMEOUT: Final = 10.0
"""Seconds to wait for a checkpoint of another process."""

_SCHEME: Final = "sqlite:///"


class DirectList:
    """The list of one SQLite file, to be asked and not changed."""

    def __init__(self, database: sqlite3.Connection, keys: Keys, name: str) -> None:
        self._database = database
        self._keys = keys
        self._name = name

    @classmethod
    def open(cls, url: str, pepper_file: Path) -> Self | None:
        """Open a file that is just as this program expects it; None for any other, and for any other database."""
        path = url.removeprefix(_SCHEME)
        if not url.startswith(_SCHEME) or "?" in path or not Path(path).is_file():
            return None
        try:
            database = sqlite3.connect(f"file:{quote(path)}?mode=rw", uri=True, timeout=TIMEOUT, isolation_level=None)
        except sqlite3.Error:
            return None
        try:
            keys = _keys(database, pepper_file)
        except (sqlite3.Error, BounceprocError):
            keys = None
        if keys is None:
            database.close()
            return None
        return cls(database, keys, f"the database {path}")

    def check(
        self, addresses: Sequence[Address], *, stream: str | None, now: datetime, delimiter: str | None = None
    ) -> dict[str, Suppression]:
        """See `Suppressions.check`, whose answers these are.

        Raises:
            TemporaryError, UnavailableError, AccessError, ConfigError: what went wrong with the file.

        """
        asked = {address.normal: _names(address, self._keys, delimiter) for address in addresses}
        try:
            found = self._in_force(sorted({key for names in asked.values() for key in names}), stream, now)
        except sqlite3.Error as error:
            from bounceproc.store.faults import of_sqlite  # noqa: PLC0415 - it knows SQLAlchemy's errors as well

            raise of_sqlite(error, self._name) or error from error
        answers: dict[str, Suppression] = {}
        for normal, names in asked.items():
            standing = [entry for key in names for entry in found.get(key, ())]
            if standing:
                answers[normal] = min(standing, key=strength).public()
        return answers

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _in_force(self, keys: list[bytes], stream: str | None, now: datetime) -> dict[bytes, list[Entry]]:
        found: dict[bytes, list[Entry]] = {}
        moment = now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        scopes = ["*", f"stream:{stream}"] if stream is not None else []
        for start in range(0, len(keys), CHUNK):
            part = keys[start : start + CHUNK]
            question = f"SELECT * FROM suppression WHERE key IN ({_marks(part)}) AND (until IS NULL OR until > ? OR second_look)"  # noqa: S608 - marks alone
            if scopes:
                question += f" AND scope IN ({_marks(scopes)})"
            for row in self._rows(question, [*part, moment, *scopes]):
                found.setdefault(row["key"], []).append(Entry.of(row))
        return found

    def _rows(self, question: str, values: Sequence[Any]) -> Iterator[dict[str, Any]]:
        with closing(self._database.execute(question, values)) as cursor:
            names = [column[0] for column in cursor.description]
            for values_ in cursor:
                row = dict(zip(names, values_, strict=True))
                yield (
                    row
                    | {name: bool(row[name]) for name in ("is_domain", "second_look")}
                    | {name: _moment(row[name]) for name in ("since", "until")}
                )


def _keys(database: sqlite3.Connection, pepper_file: Path) -> Keys | None:
    """The keys, if the file is at our revision and this is its pepper."""
    if database.execute("SELECT version_num FROM alembic_version").fetchone() != (HEAD,):
        return None
    if database.execute("SELECT 1 FROM address WHERE kept IS NOT NULL LIMIT 1").fetchone():
        return None  # somebody is sent to whatever is known of the domain: that takes more than one question
    known = dict(database.execute("SELECT name, value FROM setting"))
    if known.get("normal_form") != str(NORMAL_FORM):
        return None
    keys = read_pepper(pepper_file)
    return keys if hmac.compare_digest(keys.check, known.get("pepper_check", "")) else None


def _names(address: Address, keys: Keys, delimiter: str | None) -> tuple[bytes, ...]:
    if address.is_domain:
        return (keys.of(address),)
    bare = address.without_extension(delimiter) if delimiter else None
    return tuple(map(keys.of, (address, *([bare] if bare else []), address.domain_address())))


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
