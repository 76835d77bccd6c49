"""What falls due by the mere passing of time: second looks, ends of entries and of decisions, reviews that nobody made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from bounceproc.event import iso
from bounceproc.policy.decide import decide
from bounceproc.store import addresses, byhand, changing, keeping, kept, reviews
from bounceproc.store.entries import AUTOMATIC
from bounceproc.store.policing import followed
from bounceproc.store.statements import retrying
from bounceproc.store.tables import address, suppression

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from bounceproc.policy.settings import Policy
    from bounceproc.store.engine import Database
    from bounceproc.store.entries import Entry

BATCH: Final = 500
"""Entries in one transaction: it holds up other writers for some tenths of a second."""
BATCHES: Final = 20
"""Transactions in one go; the rest is due the next time."""


@dataclass(slots=True)
class Done:
    """What was due, counted."""

    permanent: int = 0
    """First bounces without a sign of delivery within their time."""
    lifted: int = 0
    """Entries that a sign of delivery took away."""
    expired: int = 0
    """Entries that were over."""
    ended: int = 0
    """Decisions to go on sending that were over."""
    dropped: int = 0
    """Addresses of the review list that nothing new came for."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.permanent + self.lifted + self.expired + self.ended + self.dropped

    def add(self, other: Done) -> None:
        """Count what another transaction did."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def to_dict(self) -> dict[str, int]:
        """For scripts."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Due:
    """The queue of one database."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def work(self, policy: Policy, *, stop: Callable[[], bool] = lambda: False) -> Done:
        """Do what is due, a bounded part of it at a time. Whoever else does the same meanwhile finds it done."""
        done, now = Done(), self._now()
        for _ in range(BATCHES):
            if stop():
                return done
            if not self._is_due(now):
                break
            with self._database.writing() as connection:
                part = retrying(connection, lambda: _entries(connection, policy, now))
            done.add(part)
            if not part.total:
                break
        self._rest(policy, done, now)
        return done

    def _rest(self, policy: Policy, done: Done, now: datetime) -> None:
        """What is seldom and little."""
        with self._database.reading() as connection:
            keys = _over(connection, now)
            old = reviews.is_full(connection, before=now - policy.review_keep)
        if keys:
            with self._database.writing() as connection:
                done.ended += retrying(connection, lambda: _end(connection, keys, now))
        if old:
            with self._database.writing() as connection:
                done.dropped += reviews.purge(connection, before=now - policy.review_keep, limit=BATCH)

    def _is_due(self, now: datetime) -> bool:
        with self._database.reading() as connection:
            return connection.scalar(sa.select(sa.exists().where(suppression.c.until <= now))) is True


def _entries(connection: sa.Connection, policy: Policy, now: datetime) -> Done:
    """The entries that are due, looked at under the locks of their addresses."""
    due = sa.select(suppression.c.key).where(suppression.c.until <= now).order_by(suppression.c.until).limit(BATCH)
    keys = set(connection.scalars(due))
    rows = addresses.lock(connection, keys)
    entries = byhand.standing(connection, keys)
    expired = [one for one in entries if one.until is not None and one.until <= now and not one.second_look]
    waiting = {one.key for one in entries if one.second_look and one.until is not None and one.until <= now}
    looks = _looked(entries, [rows[key] for key in sorted(waiting)], policy, now)
    changing.write(connection, looks, actor=AUTOMATIC, at=now)
    changing.write(connection, [(one, None) for one in expired], actor=AUTOMATIC, at=now, note="it was over")
    gone = sum(after is None for _, after in looks)
    permanent = sum(after is not None and after.until is None for _, after in looks)
    return Done(permanent=permanent, lifted=gone, expired=len(expired))


def _looked(
    entries: Sequence[Entry], rows: Sequence[sa.Row[tuple[object, ...]]], policy: Policy, now: datetime
) -> list[tuple[Entry, Entry | None]]:
    """The second looks that are due: what the evidence says by now. Where there is none any more, it is permanent as announced."""
    before = {(one.key, one.scope, one.reason): one for one in entries if one.origin == AUTOMATIC}
    verdicts = [decide(addresses.history_of(row), policy, now) for row in rows] if policy.enforce else []
    after = followed(
        [verdict for verdict in verdicts if verdict.speaks], before, {one.key: one.address for one in entries}
    )
    changes: list[tuple[Entry, Entry | None]] = []
    for name, one in before.items():
        if not one.second_look or one.until is None or one.until > now:
            continue
        then = after.get(name)
        if then is not None and then.second_look and then.until is not None and then.until <= now:
            then = then._replace(until=None, second_look=False)
        if then is not None and then.until is None and not then.second_look:
            then = then._replace(why=f"{one.why}; no sign of delivery until {iso(one.until)}")
        changes.append((one, then))
    return changes


def _over(connection: sa.Connection, now: datetime) -> list[bytes]:
    """The addresses with a decision to go on sending that is over. People make those, and so they are few."""
    statement = sa.select(address.c.key, address.c.kept).where(address.c.kept.is_not(None)).order_by(address.c.key)
    found = [row.key for row in connection.execute(statement) if _has_ended(row.kept, now)]
    return found[:BATCH]


def _has_ended(text: str, now: datetime) -> bool:
    return any(not keep.kept.holds(now) for keep in kept.load(text))


def _end(connection: sa.Connection, keys: Sequence[bytes], now: datetime) -> int:
    return sum(keeping.end_over(connection, key, now=now) for key in keys)
