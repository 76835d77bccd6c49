"""The review list: what would suppress if it could be believed, for a person to confirm or dismiss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from bounceproc.event import iso
from bounceproc.store import addresses, changing, statements
from bounceproc.store.entries import Entry
from bounceproc.store.statements import among, chunks
from bounceproc.store.tables import event, review, suppression

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from bounceproc.address import Address
    from bounceproc.policy.verdict import Review, Verdict
    from bounceproc.store.engine import Database
    from bounceproc.store.keys import Keys
    from bounceproc.store.rows import Privacy

PAGE: Final = 1000
"""Rows in one short read."""
CITED: Final = 10
"""Events that a confirmed suppression names in its note."""
MAX_OPEN: Final = 100_000
"""Addresses that may wait: nobody reads more, and whoever forges reports can name any number of them."""

_THIS: Final = sa.and_(*(review.c[name] == sa.bindparam(f"this_{name}") for name in ("key", "scope", "reason")))
_OPEN: Final = sa.select(sa.func.count()).select_from(review).where(review.c.state == "open")

Name = tuple[bytes, str, str]
"""Key, scope and reason: one row each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One address that a person should look at."""

    key: bytes
    address: str | None
    scope: str
    reason: str
    category: str | None
    cause: str
    why: str
    event: str
    count: int
    first_at: datetime
    last_at: datetime
    state: str
    decided_by: str | None

    def to_dict(self) -> dict[str, str | int | None]:
        """For scripts."""
        return {
            "address": self.address,
            "scope": self.scope,
            "reason": self.reason,
            "category": self.category,
            "cause": self.cause,
            "why": self.why,
            "event": self.event,
            "count": self.count,
            "first_at": iso(self.first_at),
            "last_at": iso(self.last_at),
            "state": self.state,
            "decided_by": self.decided_by,
        }


# ---- the flow writes ---------------------------------------------------------------------------------------------------


def sync(connection: sa.Connection, verdicts: Sequence[Verdict], *, again: int, plain: bool) -> int:
    """Bring the list in line with verdicts, whose rows of `address` the caller holds; returns how many addresses are new on it.

    A row is what the whole history says, so that the same verdict twice changes nothing. What a person decided stays decided
    until `again` pieces of evidence were received since.
    """
    given = [(verdict, one) for verdict in verdicts for one in verdict.reviews]
    known = _known(connection, {verdict.key for verdict in verdicts})
    _settle(connection, verdicts, known)
    names = addresses.names(connection, {verdict.key for verdict, _ in given}) if plain else {}
    added: dict[Name, dict[str, Any]] = {}
    changed: list[dict[str, Any]] = []
    for verdict, one in given:
        name = (verdict.key, one.scope, one.reason)
        before = known.get(name)
        row = _row(verdict, one, names.get(verdict.key))
        if before is None:
            added[name] = row
        elif (after := _renewed(before, row, one, again)) is not None:
            changed.append(after)
    statements.insert(connection, review, list(added.values()))
    statements.update(connection, review, changed, by=["key", "scope", "reason"])
    return len(added)


def _known(connection: sa.Connection, keys: Collection[bytes]) -> dict[Name, Mapping[str, Any]]:
    found: dict[Name, Mapping[str, Any]] = {}
    for part in chunks(sorted(keys)):
        statement = sa.select(review).where(among(connection, review.c.key, part))
        for row in connection.execute(statement).mappings():
            found[row["key"], row["scope"], row["reason"]] = dict(row)
    return found


def _row(verdict: Verdict, one: Review, address: str | None) -> dict[str, Any]:
    return {
        "key": verdict.key,
        "scope": one.scope,
        "reason": one.reason,
        "address": address,
        "is_domain": verdict.is_domain,
        "category": one.category,
        "cause": one.cause,
        "why": one.why,
        "event": one.event,
        "count": len(one.received),
        "first_at": one.received[0],
        "last_at": one.received[-1],
        "state": "open",
        "decided_at": None,
        "decided_by": None,
        "note": None,
    }


def of(connection: sa.Connection, key: bytes) -> tuple[Waiting, ...]:
    """What is remembered of one address."""
    return tuple(_waiting(row) for _, row in sorted(_known(connection, [key]).items()))


def _settle(connection: sa.Connection, verdicts: Sequence[Verdict], known: Mapping[Name, Mapping[str, Any]]) -> None:
    """What a sign of delivery took away need not be looked at any more."""
    taken = {verdict.key: {(one.scope, one.reason) for one in verdict.reviews} for verdict in verdicts if verdict.takes}
    gone = [
        {"this_key": key, "this_scope": scope, "this_reason": reason}
        for (key, scope, reason), row in known.items()
        if key in taken and reason == "bounce" and row["state"] == "open" and (scope, reason) not in taken[key]
    ]
    if gone:
        connection.execute(sa.delete(review).where(_THIS), gone)


def _renewed(before: Mapping[str, Any], row: dict[str, Any], one: Review, again: int) -> dict[str, Any] | None:
    """The row as it is to be now; None where it stays."""
    if before["state"] == "open":
        return None if all(before[name] == value for name, value in row.items()) else row
    fresh = [moment for moment in one.received if moment > before["decided_at"]]
    if before["state"] == "dismissed" and len(fresh) >= again:
        return row | {"count": len(fresh), "first_at": fresh[0]}
    return None


def forget(connection: sa.Connection, key: bytes) -> None:
    """A person lifted what there was: the question is answered."""
    connection.execute(sa.delete(review).where(review.c.key == key))


def is_full(connection: sa.Connection, *, before: datetime) -> bool:
    """Whether there is something for `purge` to do."""
    if connection.scalar(sa.select(sa.exists().where(review.c.last_at < before))):
        return True
    return (connection.scalar(_OPEN) or 0) > MAX_OPEN


def purge(connection: sa.Connection, *, before: datetime, limit: int) -> int:
    """Drop up to `limit` rows that nothing new came for, and of too many open ones the oldest; returns how many."""
    names = (review.c.key, review.c.scope, review.c.reason)
    gone = _drop(connection, sa.select(*names).where(review.c.last_at < before).limit(limit))
    excess = min((connection.scalar(_OPEN) or 0) - MAX_OPEN, limit - gone)
    if excess > 0:
        gone += _drop(
            connection, sa.select(*names).where(review.c.state == "open").order_by(review.c.last_at).limit(excess)
        )
    return gone


def _drop(connection: sa.Connection, wanted: sa.Select[Any]) -> int:
    rows = connection.execute(wanted).all()
    if rows:
        given = [{f"this_{name}": getattr(row, name) for name in ("key", "scope", "reason")} for row in rows]
        connection.execute(sa.delete(review).where(_THIS), given)
    return len(rows)


# ---- people read and decide --------------------------------------------------------------------------------------------


class Reviews:
    """The review list of one database."""

    def __init__(self, database: Database, keys: Keys, *, privacy: Privacy) -> None:
        self._database = database
        self._keys = keys
        self._privacy = privacy

    def listing(self, *, now: datetime, decided: bool = False) -> Iterator[Waiting]:
        """Who waits for a decision and is not suppressed otherwise; with `decided`, everything that is remembered. In pages."""
        standing = sa.exists().where(
            suppression.c.key == review.c.key,
            suppression.c.scope.in_(("*", review.c.scope)),
            sa.or_(suppression.c.until.is_(None), suppression.c.until > now),
        )
        wanted = sa.true() if decided else sa.and_(review.c.state == "open", sa.not_(standing))
        order = (review.c.key, review.c.scope, review.c.reason)
        last: Name = (b"", "", "")
        while True:
            behind = sa.tuple_(*order) > sa.tuple_(*(sa.literal(part) for part in last))
            with self._database.reading() as connection:
                page = (
                    connection.execute(sa.select(review).where(wanted, behind).order_by(*order).limit(PAGE))
                    .mappings()
                    .all()
                )
            yield from (_waiting(row) for row in page)
            if len(page) < PAGE:
                return
            last = (page[-1]["key"], page[-1]["scope"], page[-1]["reason"])

    def confirm(self, subject: Address, *, note: str | None, actor: str, now: datetime) -> int:
        """Suppress by hand what waits for a decision, citing its events; returns how many entries that made."""
        key, words = self._keys.of(subject), self._privacy.words(note)
        with self._database.writing() as connection:
            return statements.retrying(connection, lambda: _confirm(connection, key, words, actor, now))

    def dismiss(self, subject: Address, *, note: str | None, actor: str, now: datetime) -> int:
        """Take an address off the list, whose evidence until now never brings it back; returns how many rows that were."""
        key = self._keys.of(subject)
        with self._database.writing() as connection:
            addresses.lock(connection, [key])
            return _decide(connection, key, "dismissed", self._privacy.words(note), actor=actor, now=now)


def _waiting(row: Mapping[str, Any] | sa.RowMapping) -> Waiting:
    plain = {name: row[name] for name in Waiting.__dataclass_fields__ if name != "event"}
    return Waiting(event=row["event"].hex(), **plain)


def _decide(connection: sa.Connection, key: bytes, state: str, note: str | None, *, actor: str, now: datetime) -> int:
    done = connection.execute(
        sa.update(review)
        .where(review.c.key == key, review.c.state == "open")
        .values(state=state, decided_at=now, decided_by=actor, note=note)
    )
    return done.rowcount


def _confirm(connection: sa.Connection, key: bytes, note: str | None, actor: str, now: datetime) -> int:
    rows = addresses.lock(connection, [key])
    changes = []
    for row in _known(connection, [key]).values():
        if row["state"] != "open" or key not in rows:
            continue
        entry = Entry(
            key=key,
            address=row["address"],
            is_domain=row["is_domain"],
            scope=row["scope"],
            reason=row["reason"],
            origin="manual",
            since=now,
            until=None,
            category=row["category"],
            event=row["event"],
            note="; ".join(part for part in (note, _cited(connection, key, row)) if part),
        )
        changes.append((_before(connection, entry), entry))
    _decide(connection, key, "confirmed", note, actor=actor, now=now)
    fresh = [(old, new._replace(since=old.since) if old is not None else new) for old, new in changes]
    return changing.write(connection, fresh, actor=actor, at=now, note=note)


def _before(connection: sa.Connection, entry: Entry) -> Entry | None:
    here = [suppression.c[name] == getattr(entry, name) for name in ("key", "scope", "reason", "origin")]
    row = connection.execute(sa.select(suppression).where(*here)).mappings().one_or_none()
    return Entry.of(row) if row is not None else None


def _cited(connection: sa.Connection, key: bytes, row: Mapping[str, Any]) -> str:
    """What was counted, and the ids of the newest events of it."""
    type_ = "bounce" if row["reason"] == "bounce" else row["reason"]
    statement = sa.select(event.c.id).where(event.c.key == key, event.c.type == type_)
    ids = connection.scalars(statement.order_by(event.c.occurred_at.desc(), event.c.id).limit(CITED)).all()
    cited = ", ".join(id_.hex() for id_ in ids) or row["event"].hex()
    return f"confirmed on review: {row['why']}; events {cited}"
