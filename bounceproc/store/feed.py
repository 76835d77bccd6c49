"""The feed of changes to the list: append-only, with versions in the order of the commits."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from bounceproc.ports import Change, Suppression
from bounceproc.store import sealing, statements
from bounceproc.store.bell import CHANNEL
from bounceproc.store.tables import suppression_change

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from bounceproc.store import entries
    from bounceproc.store.engine import Database

FEED_LOCK: Final = 0x626F756E63650002
"""The advisory lock that PostgreSQL's writers of the feed take."""
PAGE: Final = 1000
"""Changes in one short read; a reader that pauses between two pages holds nothing up."""


def append(
    connection: sa.Connection,
    changes: Sequence[entries.Change],
    *,
    actor: str,
    at: datetime,
    note: str | None,
    action: str | None = None,
) -> None:
    """Add a line for each change; `action` is what it is called, where it changes no entry.

    A reader that has seen version n must never miss n - 1 that commits later. SQLite has one writer at a time, from the
    beginning of its transaction to the commit. In PostgreSQL each writer takes a lock here that only its end of transaction
    frees, and reads the newest version after that (READ COMMITTED sees what was committed up to this statement): versions
    are given in the order of the commits, and without gaps. A sequence would give neither.
    """
    lock(connection)
    version, sealed = _newest(connection)
    rows = [_row(before, after) for before, after in changes]
    for number, row in enumerate(rows, version + 1):
        row |= {"version": number, "at": at, "actor": actor, "note": note, "action": action or row["action"]}
    key = connection.get_execution_options().get("bounceproc_seal")
    # Behind a line that nobody sealed nothing is: it would be vouched for without anybody having looked at it.
    last = sealing.START if version == 0 else sealed
    if key is not None and last is not None:
        sealing.seal(rows, last, key)
    statements.insert(connection, suppression_change, rows)


def newest(connection: sa.Connection) -> int:
    """The newest version; 0 for an empty feed."""
    version: int | None = connection.scalar(sa.select(sa.func.max(suppression_change.c.version)))
    return version or 0


def lock(connection: sa.Connection) -> None:
    """Keep all other writers of the feed waiting until the end of the transaction; whoever listens is told when it commits."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({FEED_LOCK}), pg_notify('{CHANNEL}', '')")


def _newest(connection: sa.Connection) -> tuple[int, bytes | None]:
    """The newest version and its seal; 0 for an empty feed."""
    columns = (suppression_change.c.version, suppression_change.c.seal)
    row = connection.execute(sa.select(*columns).order_by(columns[0].desc()).limit(1)).one_or_none()
    return (row.version, row.seal) if row else (0, None)


def changes(database: Database, *, since: int) -> Iterator[Change]:
    """The lines behind a version, read in pages."""
    statement = sa.select(suppression_change).order_by(suppression_change.c.version).limit(PAGE)
    while True:
        with database.reading() as connection:
            page = connection.execute(statement.where(suppression_change.c.version > since)).mappings().all()
        yield from map(_change, page)
        if len(page) < PAGE:
            return
        since = page[-1]["version"]


def actors(connection: sa.Connection, keys: Collection[bytes]) -> dict[tuple[bytes, str, str, str], str]:
    """Who changed each entry of these keys the last time, by key, scope, reason and origin."""
    names = ("key", "scope", "reason", "origin", "actor")
    columns = [suppression_change.c[name] for name in names]
    found: dict[tuple[bytes, str, str, str], str] = {}
    for part in statements.chunks(sorted(keys)):
        statement = sa.select(*columns).where(statements.among(connection, columns[0], part))
        rows = connection.execute(statement.order_by(suppression_change.c.version))
        found |= {(row.key, row.scope, row.reason, row.origin): row.actor for row in rows}
    return found


def _row(before: entries.Entry | None, after: entries.Entry | None) -> dict[str, Any]:
    entry = after or before
    assert entry is not None, "a change has a before or an after"
    return {
        "action": "add" if before is None else "remove" if after is None else "change",
        "key": entry.key,
        "address": entry.address,
        "scope": entry.scope,
        "reason": entry.reason,
        "origin": entry.origin,
        "before": before.told() if before else None,
        "after": after.told() if after else None,
    }


def _change(row: sa.RowMapping) -> Change:
    told = row["after"] or row["before"]
    return Change(
        version=row["version"],
        at=row["at"],
        action=row["action"],
        actor=row["actor"],
        suppression=Suppression(
            address=row["address"],
            key=row["key"],
            scope=row["scope"],
            reason=row["reason"],
            origin=row["origin"],
            since=datetime.fromisoformat(told["since"]),
            until=datetime.fromisoformat(told["until"]) if told["until"] else None,
            category=told["category"],
            class_=told["class"],
            ref=told["event"],
            note=told["note"] or told["why"],
        ),
    )
