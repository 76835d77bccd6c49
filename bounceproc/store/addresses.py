"""The rows that carry histories: made, locked and read in one order by everybody, so that no writer waits in a circle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa

from bounceproc.policy.history import History
from bounceproc.store import histories, kept, statements
from bounceproc.store.statements import among, chunks
from bounceproc.store.tables import address

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from bounceproc.policy.history import Evidence


@dataclass(slots=True)
class Touched:
    """An address or domain that something new is known of."""

    key: bytes
    address: str | None
    is_domain: bool
    evidence: dict[bytes, Evidence] = field(default_factory=dict)
    """By event id."""


def make(connection: sa.Connection, touched: Collection[Touched], now: datetime) -> None:
    """Make the rows that are missing. `lock` comes after it: a row has to be there before two writers can take turns on it."""
    rows = [
        {
            "key": one.key,
            "address": one.address,
            "is_domain": one.is_domain,
            "history": histories.EMPTY,
            "updated_at": now,
        }
        for one in sorted(touched, key=lambda one: one.key)
    ]
    statements.insert(connection, address, rows, ignore_known=True)


def lock(connection: sa.Connection, keys: Collection[bytes]) -> dict[bytes, sa.Row[tuple[object, ...]]]:
    """The rows with these keys, in the order of the keys, nobody else's to change until the end of the transaction."""
    found: dict[bytes, sa.Row[tuple[object, ...]]] = {}
    for part in chunks(sorted(keys)):
        # SQLite knows no FOR UPDATE and SQLAlchemy leaves it out there: its writer is alone anyway.
        statement = (
            sa.select(address).where(among(connection, address.c.key, part)).order_by(address.c.key).with_for_update()
        )
        found |= {row.key: row for row in connection.execute(statement)}
    return found


def names(connection: sa.Connection, keys: Collection[bytes]) -> dict[bytes, str | None]:
    """The plaintexts in the rows with these keys, which are held as by `lock`: histories are long, and not read for this."""
    found: dict[bytes, str | None] = {}
    for part in chunks(sorted(keys)):
        here = sa.select(address.c.key, address.c.address).where(among(connection, address.c.key, part))
        for row in connection.execute(here.order_by(address.c.key).with_for_update()):
            found[row.key] = row.address
    return found


def add_evidence(connection: sa.Connection, touched: Mapping[bytes, Touched], now: datetime) -> tuple[History, ...]:
    """Write new evidence into the histories; gives them with it, in the order of the keys."""
    if not touched:
        return ()
    make(connection, touched.values(), now)
    rows = lock(connection, touched.keys())
    found = tuple(history_of(rows[key]).with_evidence(touched[key].evidence.values()) for key in sorted(touched))
    changed = [
        {
            "key": history.key,
            # A plaintext that was erased comes back with new mail about the address, and only then.
            "address": rows[history.key].address or touched[history.key].address,
            "history": histories.dump(history.evidence),
            "updated_at": now,
        }
        for history in found
    ]
    statements.update(connection, address, changed, by=["key"])
    return found


def lifted(connection: sa.Connection, key: bytes, now: datetime) -> None:
    """Remember that a person lifted a suppression: what was received until now counts no more."""
    connection.execute(sa.update(address).where(address.c.key == key).values(lifted_at=now, updated_at=now))


def history_of(row: sa.Row[tuple[object, ...]]) -> History:
    """The history in a row."""
    return History(
        key=row.key,
        evidence=histories.load(row.history),
        is_domain=row.is_domain,
        lifted_at=row.lifted_at,
        kept=tuple(keep.kept for keep in kept.load(row.kept)) if row.kept else (),
    )
