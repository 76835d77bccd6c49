"""Files that are no text: constant databases of MTAs, and a snapshot in SQLite that any program can ask."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from bounceproc.errors import ConfigError
from bounceproc.event import iso
from bounceproc.lookup.export.cdb import CdbWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bounceproc.lookup.export.listed import Listed
    from bounceproc.ports import Spared

    Pairs = Callable[[Listed], Iterator[tuple[str, str]]]
    Spare = Callable[[str], Iterator[tuple[str, str]]]

TOGETHER: Final = 1_000
"""Records in one transaction: memory stays bounded, and nobody sees the file before its end."""
LMDB_LARGEST: Final = 2**40
"""Octets of address space that are reserved; the file grows with its content."""
LMDB_KEY: Final = 511
"""Octets that LMDB takes as a key; no address has as many."""


class Fill(Protocol):
    """Writes a whole file; `stamp` says version and time, and has a place inside where the format has one."""

    def __call__(
        self, file: BinaryIO, listed: Iterable[Listed], spared: Iterable[Spared], stamp: dict[str, str]
    ) -> None:
        """Write it. The file is empty and has a name."""


def fill_cdb(pairs: Pairs, spare: Spare) -> Fill:
    """For `cdb:` of Postfix and of Exim."""

    def fill(file: BinaryIO, listed: Iterable[Listed], spared: Iterable[Spared], stamp: dict[str, str]) -> None:
        writer = CdbWriter(file)
        for name, text in stamp.items():
            writer.put(f"bounceproc {name}".encode(), text.encode())
        for key, value in _records(pairs, listed, spare, spared):
            writer.put(key, value)
        writer.finish()

    return fill


def fill_lmdb(pairs: Pairs, spare: Spare) -> Fill:
    """For `lmdb:` of Postfix."""

    def fill(file: BinaryIO, listed: Iterable[Listed], spared: Iterable[Spared], stamp: dict[str, str]) -> None:
        try:
            import lmdb  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ConfigError(
                "the library for LMDB is not installed", "Install it: pip install 'bounceproc[lmdb]'."
            ) from error
        records = _records(pairs, listed, spare, spared)
        with closing(
            lmdb.open(file.name, map_size=LMDB_LARGEST, subdir=False, lock=False, sync=False, max_dbs=0)
        ) as database:
            with database.begin(write=True) as transaction:
                for name, text in stamp.items():
                    transaction.put(f"bounceproc {name}".encode(), text.encode())
            for part in _together(record for record in records if len(record[0]) <= LMDB_KEY):
                with database.begin(write=True) as transaction, transaction.cursor() as cursor:
                    cursor.putmulti(part)
            database.sync(True)

    return fill


def _records(
    pairs: Pairs, listed: Iterable[Listed], spare: Spare, spared: Iterable[Spared]
) -> Iterator[tuple[bytes, bytes]]:
    for one in listed:
        yield from ((key.encode(), value.encode()) for key, value in pairs(one))
    for each in spared:
        yield from ((key.encode(), value.encode()) for key, value in spare(each.address or ""))


SNAPSHOT: Final = """
CREATE TABLE stamp (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE suppressed (
  address TEXT NOT NULL, scope TEXT NOT NULL, reason TEXT NOT NULL, category TEXT, class TEXT, since TEXT NOT NULL,
  until TEXT, origin TEXT NOT NULL, ref TEXT, action TEXT NOT NULL,
  PRIMARY KEY (address, scope, reason, origin)
) WITHOUT ROWID;
CREATE TABLE allowed (address TEXT NOT NULL, scope TEXT NOT NULL, until TEXT, PRIMARY KEY (address, scope)) WITHOUT ROWID;
CREATE VIEW v_suppressed AS SELECT address, substr(address, 1, 1) = '@' AS is_domain, scope, reason, category, class, since, until, origin, ref FROM suppressed
  WHERE until IS NULL OR until > strftime('%Y-%m-%dT%H:%M:%SZ', 'now');
CREATE VIEW v_allowed AS SELECT address, scope, until FROM allowed
  WHERE until IS NULL OR until > strftime('%Y-%m-%dT%H:%M:%SZ', 'now');
CREATE VIEW v_postfix AS SELECT address, scope, 'REJECT ' || action AS action FROM suppressed
  WHERE until IS NULL OR until > strftime('%Y-%m-%dT%H:%M:%SZ', 'now')
  UNION ALL SELECT address, scope, 'DUNNO' FROM v_allowed;
"""
"""Moments are text in ISO 8601 and UTC, which sorts right. The views are those of the database itself."""


def fill_sqlite(file: BinaryIO, listed: Iterable[Listed], spared: Iterable[Spared], stamp: dict[str, str]) -> None:
    """One row an entry, and the views `v_suppressed`, `v_allowed` and `v_postfix`: what has ended since is not in them."""
    with closing(sqlite3.connect(file.name, isolation_level=None)) as database:
        database.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;" + SNAPSHOT)
        database.executemany("INSERT INTO stamp VALUES (?, ?)", stamp.items())
        rows = ((*one, one.action) for one in listed)
        database.executemany("INSERT OR REPLACE INTO suppressed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        allowed = ((one.address, one.kept.scope, iso(one.kept.until)) for one in spared)
        database.executemany("INSERT OR REPLACE INTO allowed VALUES (?, ?, ?)", allowed)
        database.execute("COMMIT")


def _together(records: Iterable[tuple[bytes, bytes]]) -> Iterator[list[tuple[bytes, bytes]]]:
    part: list[tuple[bytes, bytes]] = []
    for record in records:
        part.append(record)
        if len(part) == TOGETHER:
            yield part
            part = []
    yield part
