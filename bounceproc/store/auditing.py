"""The audit of the feed: is every line what was sealed, and is none missing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from bounceproc.errors import UsageError
from bounceproc.store import feed, sealing, statements
from bounceproc.store.tables import suppression_change

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bounceproc.store.engine import Database
    from bounceproc.store.keys import Keys

PAGE: Final = 1000
"""Lines in one short read, and in one statement that seals."""
_BY_VERSION: Final = sa.select(suppression_change).order_by(suppression_change.c.version).limit(PAGE)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest sealed line. Noted elsewhere, it shows later whether all lines up to it are still there."""

    version: int
    seal: bytes

    def __str__(self) -> str:
        return f"{self.version}:{self.seal.hex()}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read what `str` wrote.

        Raises:
            UsageError: it is no such text.

        """
        version, _, seal = text.strip().partition(":")
        try:
            found = cls(int(version), bytes.fromhex(seal))
        except ValueError:
            found = cls(0, b"")
        if found.version < 0 or len(found.seal) != sealing.SEAL_OCTETS:
            raise UsageError(f"{text[:80]!r} is no head of an audit", "Write what `audit head` printed.")
        return found


@dataclass(slots=True)
class Audited:
    """What an audit found."""

    lines: int = 0
    """Lines that are what was sealed."""
    erased: int = 0
    """Those of them whose texts were erased: somebody was forgotten."""
    unsealed: int = 0
    """Lines behind them that nobody sealed."""
    head: Head = Head(0, sealing.START)
    broken: int | None = None
    """The first version that is wrong, or missing; None where all is well."""
    why: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every line is proved."""
        return self.broken is None and not self.unsealed


class Audit:
    """The audit of one database."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._database = database
        self._keys = keys

    def head(self) -> Head:
        """The newest sealed line; version 0 for an empty feed, or one that was never sealed."""
        statement = _BY_VERSION.order_by(None).order_by(suppression_change.c.version.desc()).limit(1)
        with self._database.reading() as connection:
            row = connection.execute(statement.where(suppression_change.c.seal.is_not(None))).one_or_none()
        return Head(row.version, row.seal) if row else Head(0, sealing.START)

    def verify(
        self, *, expect: Head | None = None, on_progress: Callable[[int, int | None], None] = lambda _done, _total: None
    ) -> Audited:
        """Walk the whole feed, a page at a time. `expect` is a head that was noted earlier. It ends at the first broken line."""
        with self._database.reading() as connection:
            total = feed.newest(connection)
        found = Audited()
        if expect is not None and expect.version == 0:
            expect = None  # an empty feed says nothing of what came later
        while True:
            last = found.head.version + found.unsealed
            with self._database.reading() as connection:
                page = connection.execute(_BY_VERSION.where(suppression_change.c.version > last)).mappings().all()
            good = all(self._look(row, found, expect) for row in page)
            on_progress(found.head.version, total)
            if not good or len(page) < PAGE:
                break
        if expect is not None and found.broken is None and found.head.version < expect.version:
            found.broken = found.head.version + 1
            found.why = f"the feed went on to version {expect.version} when its head was noted, and ends before it"
        return found

    def _look(self, row: sa.RowMapping, found: Audited, expect: Head | None) -> bool:
        """Count the next line, or say what is wrong with it; whether to go on."""
        version = found.head.version + found.unsealed + 1
        wrong = None if row["version"] == version else f"the next line is {row['version']}: lines are missing"
        if wrong is None and row["seal"] is None and row["commitment"] is None:
            found.unsealed += 1
            return True
        if wrong is None and found.unsealed:
            version, wrong = version - found.unsealed, "it is not sealed, and later ones are"
        wrong = wrong or sealing.flaw(row, found.head.seal, self._keys.audit) or self._misnamed(row)
        if wrong is None and expect is not None and expect.version == version and expect.seal != row["seal"]:
            wrong = "it is another line than the one whose seal was noted"
        if wrong is not None:
            found.broken, found.why = version, wrong
            return False
        found.lines += 1
        found.erased += row["salt"] is None
        found.head = Head(version, row["seal"])
        return True

    def _misnamed(self, row: sa.RowMapping) -> str | None:
        """Whether the plaintext is another address's: an erased commitment vouches for it no more."""
        address = row["address"]
        if address is None or row["key"] == self._keys.of_sha256(hashlib.sha256(address.encode()).digest()):
            return None
        return "its address is not the one of its key"

    def seal(self, *, only_begin: bool = False) -> tuple[int, int]:
        """Seal the lines that nobody sealed, in one transaction; gives the first of them, and how many there were.

        There are such lines in a database from before the days of seals, and where an older program still wrote beside a newer
        one. With `only_begin`, nothing is sealed where some line is sealed already: a person has to look at the others first.
        """
        if not self._is_wanted(only_begin):
            return 0, 0
        with self._database.writing() as connection:
            feed.lock(connection)
            columns = (suppression_change.c.version, suppression_change.c.seal)
            newest = sa.select(*columns).where(columns[1].is_not(None)).order_by(columns[0].desc()).limit(1)
            row = connection.execute(newest).one_or_none()
            if row is not None and only_begin:
                return 0, 0
            return self._seal_behind(connection, *(row or (0, sealing.START)))

    def _is_wanted(self, only_begin: bool) -> bool:
        """Whether the newest line is unsealed, asked without holding anybody up; with `only_begin`, the oldest as well."""
        version, seal = suppression_change.c.version, suppression_change.c.seal
        with self._database.reading() as connection:
            ends = [version.desc(), *([version] if only_begin else [])]
            found = [connection.execute(sa.select(seal).order_by(end).limit(1)).one_or_none() for end in ends]
        return all(row is not None and row.seal is None for row in found)

    def _seal_behind(self, connection: sa.Connection, last: int, before: bytes) -> tuple[int, int]:
        first, count = last + 1, 0
        while True:
            found = connection.execute(_BY_VERSION.where(suppression_change.c.version > last)).mappings().all()
            rows: Sequence[dict[str, Any]] = [dict(row) for row in found]
            if not rows:
                return first, count
            before = sealing.seal(rows, before, self._keys.audit)
            made = [{name: row[name] for name in ("version", "salt", "commitment", "seal")} for row in rows]
            statements.update(connection, suppression_change, made, by=["version"])
            last, count = rows[-1]["version"], count + len(rows)
