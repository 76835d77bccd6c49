"""What policy would have done while it only observed, and what it would have regretted: addresses that took mail later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from bounceproc.event import iso
from bounceproc.store import addresses, statements
from bounceproc.store.entries import AUTOMATIC, Entry
from bounceproc.store.policing import followed
from bounceproc.store.statements import among, chunks
from bounceproc.store.tables import observed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from bounceproc.policy.verdict import Verdict
    from bounceproc.store.engine import Database
    from bounceproc.store.rows import Privacy

PAGE: Final = 1000
"""Rows in one short read."""
NAME: Final = ("key", "scope", "reason")

Name = tuple[bytes, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One suppression that was not made."""

    address: str | None
    scope: str
    reason: str
    since: datetime
    until: datetime | None
    category: str | None
    why: str | None
    lifted_at: datetime | None
    delivered_at: datetime | None

    def to_dict(self) -> dict[str, str | None]:
        """For scripts."""
        return {
            "address": self.address,
            "scope": self.scope,
            "reason": self.reason,
            "category": self.category,
            "since": iso(self.since),
            "until": iso(self.until),
            "why": self.why,
            "lifted_at": iso(self.lifted_at),
            "delivered_at": iso(self.delivered_at),
        }


# ---- the flow writes ---------------------------------------------------------------------------------------------------


def sync(
    connection: sa.Connection,
    verdicts: Sequence[Verdict],
    *,
    privacy: Privacy,
    now: datetime,
    held: Mapping[bytes, str | None] = addresses.EMPTY,
) -> int:
    """Remember what the verdicts would change; returns how many suppressions that would be. The same again changes nothing.

    `held`: see `addresses.names`.
    """
    speaking = [verdict for verdict in verdicts if verdict.speaks or verdict.delivered_at is not None]
    if not speaking:
        return 0
    keys = {verdict.key for verdict in speaking}
    names = addresses.names(connection, keys, held)
    plain = {} if privacy.hash_only else names
    known = _known(connection, keys)
    before = {name: _entry(row) for name, row in known.items() if row["lifted_at"] is None}
    after = followed(speaking, before, plain)
    delivered = {verdict.key: verdict.delivered_at for verdict in speaking}
    wanted = {name: _row(entry, now) for name, entry in after.items()}
    wanted |= {name: {**known[name], "lifted_at": now} for name in before.keys() - after.keys()}
    for name, row in wanted.items():
        known_row = known.get(name)
        at = known_row["delivered_at"] if known_row is not None else None
        seen = delivered.get(name[0])
        row["delivered_at"] = at or (seen if seen is not None and seen > row["since"] else None)
        if known_row is not None and all(known_row[column] == row[column] for column in _TELLING):
            row["changed_at"] = known_row["changed_at"]
    statements.insert(connection, observed, [row for name, row in wanted.items() if name not in known])
    changed = [row for name, row in wanted.items() if name in known and row != known[name]]
    statements.update(connection, observed, changed, by=NAME)
    return sum(before.get(name) != after.get(name) for name in before.keys() | after.keys())


def _known(connection: sa.Connection, keys: Collection[bytes]) -> dict[Name, dict[str, Any]]:
    found: dict[Name, dict[str, Any]] = {}
    for part in chunks(sorted(keys)):
        for row in connection.execute(sa.select(observed).where(among(connection, observed.c.key, part))).mappings():
            found[row["key"], row["scope"], row["reason"]] = dict(row)
    return found


_SAME: Final = (
    "key",
    "address",
    "is_domain",
    "scope",
    "reason",
    "since",
    "until",
    "category",
    "event",
    "why",
    "second_look",
)
_TELLING: Final = (*_SAME, "class", "lifted_at", "delivered_at")


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(origin=AUTOMATIC, class_=row["class"], **{name: row[name] for name in _SAME})


def _row(entry: Entry, now: datetime) -> dict[str, Any]:
    same = {name: getattr(entry, name) for name in _SAME}
    return {**same, "class": entry.class_, "lifted_at": None, "delivered_at": None, "changed_at": now}


# ---- people read -------------------------------------------------------------------------------------------------------


class Observing:
    """What was observed in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def listing(self, *, regretted: bool = False) -> Iterator[Observed]:
        """Every suppression that would have been made, or only what would have been regretted; read in pages."""
        order = [observed.c[name] for name in NAME]
        wanted = observed.c.delivered_at.is_not(None) if regretted else sa.true()
        last: Name = (b"", "", "")
        while True:
            behind = sa.tuple_(*order) > sa.tuple_(*(sa.literal(part) for part in last))
            statement = sa.select(observed).where(wanted, behind).order_by(*order).limit(PAGE)
            with self._database.reading() as connection:
                page = connection.execute(statement).mappings().all()
            yield from (Observed(**{name: row[name] for name in Observed.__dataclass_fields__}) for row in page)
            if len(page) < PAGE:
                return
            last = (page[-1]["key"], page[-1]["scope"], page[-1]["reason"])

    def summary(self) -> list[dict[str, str | int | None]]:
        """By reason and category: how many would have been suppressed, lifted again, and regretted."""
        count = sa.func.count
        names = (observed.c.reason, observed.c.category)
        statement = sa.select(
            *names,
            count().label("suppressed"),
            count(observed.c.lifted_at).label("lifted"),
            count(observed.c.delivered_at).label("regretted"),
        ).group_by(*names)
        with self._database.reading() as connection:
            rows = [dict(row) for row in connection.execute(statement).mappings()]
        return sorted(rows, key=lambda row: (row["reason"], row["category"] or ""))
