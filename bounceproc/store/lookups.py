"""The list as a server of lookups reads it: all keys at once, single entries by key, and the keys that changed."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from bounceproc.ports import BEGINNING, Place, Ranked
from bounceproc.store import bell, kept, whole
from bounceproc.store.entries import Entry, strength
from bounceproc.store.statements import among, chunks
from bounceproc.store.tables import address, suppression, suppression_change

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from bounceproc.ports import Said, Suppression
    from bounceproc.store.engine import Database

ROWS: Final = 10_000
"""Keys in one short read: more of them at once find no room in the caches of a processor."""
CHANGES: Final = 10_000
"""Lines of the feed in one read."""

_START: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""What a binary COPY of PostgreSQL begins with: no flags, no extension."""
_ROW: Final = struct.Struct(">hi8s")
"""One row of a binary COPY with a column of 8 octets."""


class Lookups:
    """One database's list."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def prefixes(self) -> Iterator[bytes]:
        """The first 8 octets of every key, ascending, many of them joined in each piece."""
        return self._paged() if self._database.is_sqlite else self._copied()

    def _paged(self) -> Iterator[bytes]:
        """SQLite: short reads along the index, since a long one would hold back its checkpoints."""
        last = b""
        while True:
            with self._database.reading() as connection:
                cursor = connection.connection.cursor()
                cursor.execute("SELECT key FROM suppression WHERE key > ? ORDER BY key LIMIT ?", (last, ROWS))
                page = cursor.fetchall()
                cursor.close()
            yield b"".join([key[:8] for (key,) in page])
            if len(page) < ROWS:
                return
            last = page[-1][0]
            # The next page begins behind this key: entries of the same key that did not fit say nothing new.

    def _copied(self) -> Iterator[bytes]:
        """PostgreSQL: one binary COPY, which is several times faster than rows."""
        with self._database.holding() as connection:
            connection.exec_driver_sql("SET statement_timeout = 0")
            try:
                yield from self._rows_of_copy(connection)
            finally:
                connection.exec_driver_sql("RESET statement_timeout")

    @staticmethod
    def _rows_of_copy(connection: sa.Connection) -> Iterator[bytes]:
        driver: object = connection.connection.driver_connection
        rest = b""
        begun = False
        statement = "COPY (SELECT substring(key FROM 1 FOR 8) FROM suppression ORDER BY key) TO STDOUT (FORMAT BINARY)"
        with driver.cursor() as cursor, cursor.copy(statement) as copy:  # type: ignore[attr-defined]
            gathered: list[bytes] = []
            size = 0
            for piece in copy:
                gathered.append(bytes(piece))
                size += len(piece)
                if size < ROWS * _ROW.size:
                    continue
                rest, begun, octets = _cut(rest + b"".join(gathered), begun)
                gathered, size = [], 0
                yield octets
            yield _cut(rest + b"".join(gathered), begun)[2]

    def kept(self) -> Iterator[bytes]:
        """The keys that a person decided about to go on sending."""
        statement = sa.select(address.c.key).where(address.c.kept.is_not(None))
        with self._database.reading() as connection:
            keys = connection.execute(statement).scalars().all()
        yield from keys

    def standing(self, keys: Sequence[bytes]) -> dict[bytes, tuple[Said, ...]]:
        """The entries with these keys and what a person decided about them, whether they still hold or not."""
        found: dict[bytes, list[Said]] = {}
        with self._database.reading() as connection:
            for part in chunks(sorted(set(keys))):
                statement = sa.select(suppression).where(among(connection, suppression.c.key, part))
                for entry in map(Entry.of, connection.execute(statement).mappings()):
                    ends = None if entry.is_lasting else entry.until
                    found.setdefault(entry.key, []).append(Ranked(strength(entry), entry.public(), ends))
            for key, keeps in kept.decisions(connection, set(keys)).items():
                found.setdefault(key, []).extend(keep.kept for keep in keeps)
        return {key: tuple(said) for key, said in found.items()}

    def touched(self, since: Place) -> tuple[Place, frozenset[bytes]] | None:
        """The keys that changes behind a place are about, and the place up to which that is all; None if this is another feed."""
        # The change that was read last is read again: a database that was put back has none there by now, or another one.
        statement = _LINES.where(suppression_change.c.version >= since.version).order_by(suppression_change.c.version)
        with self._database.reading() as connection:
            rows = connection.execute(statement.limit(CHANGES)).all()
        if since.version:
            if not rows or _place(rows[0]) != since:
                return None
            rows = rows[1:]
        elif rows and rows[0].version != 1:
            return None
        return (_place(rows[-1]) if rows else since), frozenset(bytes(row.key) for row in rows)

    def place(self) -> Place:
        """The end of the feed."""
        with self._database.reading() as connection:
            row = connection.execute(_LINES.order_by(suppression_change.c.version.desc()).limit(1)).first()
        return BEGINNING if row is None else _place(row)

    def listen(self, ring: Callable[[], None], stop: threading.Event) -> None:
        """Ring when the feed has grown, until `stop`; return at once where the database tells nobody."""
        bell.listen(self._database, ring, stop)

    def page(self, after: int, limit: int, now: datetime) -> tuple[list[Suppression], int | None]:
        """Entries in force behind a place, in the order in which they were added, and the place to go on from; None at the end."""
        statement = (
            sa.select(suppression).where(suppression.c.id > after, whole.in_force(None, now)).order_by(suppression.c.id)
        )
        with self._database.reading() as connection:
            rows = connection.execute(statement.limit(limit)).mappings().all()
        return [Entry.of(row).public() for row in rows], rows[-1]["id"] if len(rows) == limit else None


_LINES: Final = sa.select(*(suppression_change.c[name] for name in ("version", "at", "action", "key", "scope")))


def _place(row: sa.Row[Any]) -> Place:
    """Nothing of it is ever erased, and no two databases change the same key in the same microsecond."""
    told = f"{row.version} {row.at.isoformat()} {row.action} {row.scope} ".encode()
    return Place(row.version, hashlib.blake2b(told + bytes(row.key), digest_size=16).digest())


def _cut(data: bytes, begun: bool) -> tuple[bytes, bool, bytes]:
    """What is left over, whether the header is behind us, and the 8 octets of each whole row."""
    if not begun:
        if len(data) < len(_START):
            return data, False, b""
        data = data[len(_START) :]
    whole = len(data) - len(data) % _ROW.size
    octets = bytearray(whole // _ROW.size * 8)
    for place in range(8):  # the rows are all of one length: each octet of all of them in one step
        octets[place::8] = data[_ROW.size - 8 + place : whole : _ROW.size]
    return data[whole:], True, bytes(octets)
