"""The rows that carry histories: made, locked and read in one order by everybody, so that no writer waits in a circle."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa

from bounceproc.policy.history import History
from bounceproc.store import histories, kept, statements
from bounceproc.store.statements import among, chunks
from bounceproc.store.tables import address

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from bounceproc.policy.history import Evidence

EMPTY: Final[Mapping[Any, Any]] = MappingProxyType({})


class Touched(NamedTuple):
    """An address or domain that something new is known of."""

    key: bytes
    address: str | None
    is_domain: bool
    evidence: dict[bytes, Evidence]
    """By event id."""

    def begun(self) -> History:
        """Its history where nothing was known of it."""
        return History(self.key, is_domain=self.is_domain).with_evidence(self.evidence.values())


def make(
    connection: sa.Connection, touched: Collection[Touched], now: datetime, begun: Mapping[bytes, History] = EMPTY
) -> frozenset[bytes]:
    """Make the rows that are missing, with the histories that are `begun`; returns their keys.

    `lock` comes after it for the others: a row has to be there before two writers can take turns on it.
    """
    rows = [
        {
            "key": one.key,
            "address": one.address,
            "is_domain": one.is_domain,
            "history": histories.dump(begun[one.key].evidence) if one.key in begun else histories.EMPTY,
            "updated_at": now,
        }
        for one in sorted(touched, key=lambda one: one.key)
    ]
    return frozenset(
        key for (key,) in statements.insert(connection, address, rows, ignore_known=True, returning=["key"])
    )


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


def names(
    connection: sa.Connection, keys: Collection[bytes], held: Mapping[bytes, str | None] = EMPTY
) -> dict[bytes, str | None]:
    """The plaintexts in the rows with these keys, which are held as by `lock`: histories are long, and not read for this.

    `held` are those of rows that this transaction holds already.
    """
    found = {key: held[key] for key in keys if key in held}
    for part in chunks(sorted(key for key in keys if key not in held)):
        here = sa.select(address.c.key, address.c.address).where(among(connection, address.c.key, part))
        for row in connection.execute(here.order_by(address.c.key).with_for_update()):
            found[row.key] = row.address
    return found


def add_evidence(
    connection: sa.Connection, touched: Mapping[bytes, Touched], now: datetime
) -> tuple[tuple[History, ...], dict[bytes, str | None]]:
    """Write new evidence into the histories; gives them with it, in the order of the keys, and the plaintexts in their rows."""
    if not touched:
        return (), {}
    found = {key: touched[key].begun() for key in sorted(touched)}
    plain = {key: one.address for key, one in touched.items()}
    made = make(connection, touched.values(), now, found)
    rows = lock(connection, touched.keys() - made)
    for key, row in rows.items():
        found[key] = history_of(row).with_evidence(touched[key].evidence.values())
        # A plaintext that was erased comes back with new mail about the address, and only then.
        plain[key] = row.address or touched[key].address
    changed = [
        {"key": key, "address": plain[key], "history": histories.dump(found[key].evidence), "updated_at": now}
        for key in rows
    ]
    statements.update(connection, address, changed, by=["key"])
    return tuple(found.values()), plain


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
