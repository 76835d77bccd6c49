"""What is over its time goes: a kind of data at a time, in batches that hold nobody up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from bounceproc.policy.incident import BASELINE
from bounceproc.store import erasure
from bounceproc.store.statements import among, retrying
from bounceproc.store.tables import attempt, event, message, observed, pulse, review, sent, suppression_change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from bounceproc.store.engine import Database

BATCH: Final = 500
"""Rows in one transaction: it holds up other writers for some hundredths of a second."""
BIT: Final = 4
"""Batches of each kind that a poller does in one go beside its work; the rest is done the next time."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of data."""

    name: str
    """What is counted."""
    limit: str
    """Whose time limit it has."""
    table: sa.Table
    old: Callable[[datetime], sa.ColumnElement[bool]]
    """Which rows are from before a moment and still there. An index finds them, or they are few."""
    columns: tuple[str, ...] = ()
    """What is erased of them; the rows themselves go where there is none."""


def _changes(before: datetime) -> sa.ColumnElement[bool]:
    line = suppression_change.c
    told = (line.before["note"].as_string(), line.after["note"].as_string())
    words = (line.salt, line.address, line.note, *told)
    return sa.and_(line.at < before, sa.or_(*(word.is_not(None) for word in words)))


KINDS: Final = (
    Kind(
        "copies", "raw", message, lambda at: sa.and_(message.c.raw.is_not(None), message.c.recorded_at < at), ("raw",)
    ),
    Kind("events", "events", event, lambda at: event.c.recorded_at < at),
    Kind(
        "errors",
        "events",
        message,
        lambda at: sa.and_(message.c.error.is_not(None), message.c.recorded_at < at),
        ("error", "message_id"),
    ),
    Kind("sent", "sent", sent, lambda at: sent.c.sent_at < at),
    Kind("attempts", "events", attempt, lambda at: attempt.c.at < at),
    Kind("observed", "observed", observed, lambda at: observed.c.changed_at < at),
    Kind("reviews", "review", review, lambda at: review.c.last_at < at),
    Kind("changes", "changes", suppression_change, _changes, erasure.OWN["suppression_change"][1]),
    Kind("counts", "counts", pulse, lambda at: pulse.c.day < at.date().isoformat()),
)
"""Everything that ends by itself, in the order in which it goes. A further kind is a further line, and a limit of its own in
`[retention]`. Rows of messages stay without their texts, so that old mail is known again; histories of addresses stay, so that
nothing that policy decides changes."""

FIXED: Final = {"counts": BASELINE}
"""Limits that nobody sets: what is older decides nothing."""


class Purging:
    """Purges one database. Several at the same time, and pollers beside them, are in nobody's way.

    `limits` say how long things are kept, by the names of `[retention]`; what is not in them is kept for ever.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def counts(self, limits: Mapping[str, timedelta], now: datetime) -> dict[str, int]:
        """How much is over its time, by kind; kinds with nothing are left out."""
        counts = {}
        for kind, before in _due(limits, now):
            statement = sa.select(sa.func.count()).select_from(kind.table).where(kind.old(before))
            with self._database.reading() as connection:
                counts[kind.name] = connection.scalar(statement) or 0
        return {name: count for name, count in counts.items() if count}

    def is_behind(self, limits: Mapping[str, timedelta], now: datetime) -> list[str]:
        """The kinds of which something is over its time."""
        return [kind.name for kind, before in _due(limits, now) if self._is_there(kind, before)]

    def work(
        self,
        limits: Mapping[str, timedelta],
        now: datetime,
        *,
        batches: int | None = None,
        stop: Callable[[], bool] = lambda: False,
        on_progress: Callable[[int], None] = lambda _done: None,
    ) -> dict[str, int]:
        """Do it, at most some `batches` of each kind, and until somebody says stop; returns how much went, by kind.

        What is done is done: the next run goes on from there.
        """
        counts: dict[str, int] = {}
        for kind, before in _due(limits, now):
            for _ in _turns(batches):
                if stop():
                    return counts
                if not self._is_there(kind, before):
                    break
                with self._database.writing() as connection:
                    gone = retrying(connection, partial(_batch, connection, kind, before))
                if not gone:  # another purge has them just now
                    break
                counts[kind.name] = counts.get(kind.name, 0) + gone
                on_progress(sum(counts.values()))
        return counts

    def _is_there(self, kind: Kind, before: datetime) -> bool:
        with self._database.reading() as connection:
            statement = sa.select(sa.exists().where(kind.old(before)).select_from(kind.table))
            return connection.scalar(statement) is True


def _due(limits: Mapping[str, timedelta], now: datetime) -> Iterator[tuple[Kind, datetime]]:
    given = {**FIXED, **limits}
    for kind in KINDS:
        if kind.limit in given:
            yield kind, now - given[kind.limit]


def _turns(batches: int | None) -> Iterator[int]:
    number = 0
    while batches is None or number < batches:
        yield number
        number += 1


def _batch(connection: sa.Connection, kind: Kind, before: datetime) -> int:
    keys = list(kind.table.primary_key)
    columns = dict.fromkeys((*keys, *(kind.table.c[name] for name in kind.columns if name != "raw")))
    statement = sa.select(*columns).where(kind.old(before)).limit(BATCH).with_for_update(skip_locked=True)
    rows = connection.execute(statement).mappings().all()
    if not rows:
        return 0
    found = [tuple(row[key.name] for key in keys) for row in rows]
    here = among(connection, keys[0], [key for (key,) in found]) if len(keys) == 1 else sa.tuple_(*keys).in_(found)
    if not kind.columns:
        connection.execute(sa.delete(kind.table).where(here))
    elif kind.table is suppression_change:
        _rewrite(connection, kind, rows)
    else:
        connection.execute(sa.update(kind.table).where(here).values(dict.fromkeys(kind.columns)))
    return len(rows)


def _rewrite(connection: sa.Connection, kind: Kind, rows: Sequence[sa.RowMapping]) -> None:
    """Lines of the feed keep what was decided, and lose who it was about and what a person wrote."""
    for row in rows:
        values: dict[str, Any] = erasure.erased(kind.columns, {**row})
        here = suppression_change.c.version == row["version"]
        connection.execute(sa.update(suppression_change).where(here).values(values))
