"""A person decides to go on sending to an address, whatever is reported: as firm as a suppression by hand, and as reversible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from bounceproc.store import addresses, byhand, changing, kept, reviews, statements
from bounceproc.store.addresses import Touched
from bounceproc.store.entries import AUTOMATIC
from bounceproc.store.kept import Keep
from bounceproc.store.tables import address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bounceproc.address import Address
    from bounceproc.store.engine import Database
    from bounceproc.store.keys import Keys
    from bounceproc.store.rows import Privacy

PAGE: Final = 1000
"""Addresses in one short read."""
WISHES: Final = frozenset({"complaint", "unsubscribe"})
"""Reasons that only the recipient can take back."""


@dataclass(frozen=True, slots=True)
class KeptAddress:
    """An address and one decision about it."""

    address: str | None
    keep: Keep

    def to_dict(self) -> dict[str, str | None]:
        """For scripts."""
        return {"address": self.address, **self.keep.to_dict()}


class Keeping:
    """The decisions to go on sending of one database."""

    def __init__(self, database: Database, keys: Keys, *, privacy: Privacy) -> None:
        self._database = database
        self._keys = keys
        self._privacy = privacy

    def keep(
        self,
        subject: Address,
        *,
        scope: str,
        until: datetime | None,
        note: str,
        consent: str | None,
        actor: str,
        now: datetime,
    ) -> int:
        """Lift what suppresses the address in this scope (`*`: in all of them), and let nothing automatic do it again until then.

        Without a stated consent complaints and unsubscribes go on to act. Returns how many entries were lifted.

        Raises:
            ConsentError: the recipient complained or left, and no consent is stated.

        """
        touched = Touched(self._keys.of(subject), self._privacy.address(subject), subject.is_domain, {})
        keep = Keep(
            scope=scope,
            since=now,
            until=until,
            note=self._privacy.words(note) or "",
            consent=self._privacy.words(consent) or None,
            actor=actor,
        )
        with self._database.writing() as connection:
            return statements.retrying(connection, lambda: _keep(connection, touched, keep))

    def end(self, subject: Address, *, scope: str | None, actor: str, now: datetime) -> int:
        """End such decisions (of one scope, or all when None). What was received meanwhile never counts."""
        key = self._keys.of(subject)
        with self._database.writing() as connection:
            return statements.retrying(connection, lambda: end(connection, key, scope, actor=actor, now=now))

    def listing(self, *, now: datetime) -> Iterator[KeptAddress]:
        """All decisions in force, read in pages."""
        statement = sa.select(address).where(address.c.kept.is_not(None)).order_by(address.c.key).limit(PAGE)
        last = b""
        while True:
            with self._database.reading() as connection:
                page = connection.execute(statement.where(address.c.key > last)).all()
            for row in page:
                yield from (KeptAddress(row.address, keep) for keep in kept.load(row.kept) if keep.kept.holds(now))
            if len(page) < PAGE:
                return
            last = page[-1].key


def _keep(connection: sa.Connection, touched: Touched, keep: Keep) -> int:
    addresses.make(connection, [touched], keep.since)
    row = addresses.lock(connection, [touched.key])[touched.key]
    standing = byhand.standing(connection, [touched.key])
    gone = [entry for entry in standing if keep.scope in {"*", entry.scope}]
    byhand.require_consent(gone, WISHES, keep.consent)
    if gone or keep.scope == "*":
        addresses.lifted(connection, touched.key, keep.since)
        reviews.forget(connection, touched.key)
    others = [one for one in kept.load(row.kept) if keep.scope not in {"*", one.scope}]
    kept.write(connection, touched.key, [*others, keep], keep.since)
    lifted = changing.write(
        connection, [(entry, None) for entry in gone], actor=keep.actor, at=keep.since, note=keep.note
    )
    kept.tell(connection, row, keep, "keep", actor=keep.actor, at=keep.since)
    return lifted


def end(connection: sa.Connection, key: bytes, scope: str | None, *, actor: str, now: datetime) -> int:
    """End decisions about one address; the rows of `address` are taken here."""
    row = addresses.lock(connection, [key]).get(key)
    ended = [keep for keep in kept.load(row.kept) if scope in {None, keep.scope}] if row is not None else []
    if row is None or not ended:
        return 0
    addresses.lifted(connection, key, now)
    _end(connection, row, ended, actor=actor, now=now)
    return len(ended)


def end_over(connection: sa.Connection, key: bytes, *, now: datetime) -> int:
    """End the decisions about one address whose time is over: what was received until then never counts."""
    row = addresses.lock(connection, [key]).get(key)
    over = [keep for keep in kept.load(row.kept) if not keep.kept.holds(now)] if row is not None else []
    if row is None or not over:
        return 0
    until = max(keep.until for keep in over if keep.until is not None)
    addresses.lifted(connection, key, max(until, row.lifted_at or until))
    _end(connection, row, over, actor=AUTOMATIC, now=now)
    return len(over)


def _end(
    connection: sa.Connection, row: sa.Row[tuple[object, ...]], ended: list[Keep], *, actor: str, now: datetime
) -> None:
    kept.write(connection, row.key, [keep for keep in kept.load(row.kept) if keep not in ended], now)
    for keep in ended:
        kept.tell(connection, row, keep, "unkeep", actor=actor, at=now)
