"""Decisions by hand to go on sending, as the column `address.kept` holds them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from bounceproc.event import iso
from bounceproc.policy.history import Kept
from bounceproc.store import feed
from bounceproc.store.entries import Entry
from bounceproc.store.statements import among, chunks
from bounceproc.store.tables import address

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """One decision: who, when, why, until when, and the recipient's consent where one was stated."""

    scope: str
    since: datetime
    until: datetime | None
    note: str
    consent: str | None
    actor: str

    def to_dict(self) -> dict[str, str | None]:
        """For scripts."""
        return {
            "scope": self.scope,
            "since": iso(self.since),
            "until": iso(self.until),
            "reason": self.note,
            "consent": self.consent,
            "by": self.actor,
        }

    @property
    def kept(self) -> Kept:
        """As policy sees it."""
        return Kept(self.scope, self.since, self.until, consent=bool(self.consent))


def dump(keeps: Iterable[Keep]) -> str | None:
    """The text of a column; None where nothing was decided."""
    rows = [
        {
            "scope": keep.scope,
            "since": keep.since.isoformat(),
            "until": keep.until.isoformat() if keep.until else None,
            "note": keep.note,
            "consent": keep.consent,
            "actor": keep.actor,
        }
        for keep in keeps
    ]
    return json.dumps(rows, separators=(",", ":")) if rows else None


def load(text: str | None) -> tuple[Keep, ...]:
    """What a column says."""
    if not text:
        return ()
    return tuple(
        Keep(
            scope=row["scope"],
            since=datetime.fromisoformat(row["since"]),
            until=datetime.fromisoformat(row["until"]) if row["until"] else None,
            note=row["note"],
            consent=row["consent"],
            actor=row["actor"],
        )
        for row in json.loads(text)
    )


def words(text: str) -> str:
    """What people wrote in a column's text."""
    return "\n".join(word for keep in load(text) for word in (keep.note, keep.consent) if word)


def reworded(text: str, change: Callable[[str], str]) -> str | None:
    """A column's text with other words of people in it; whether there was a consent stays as it is."""
    return dump(
        replace(keep, note=change(keep.note), consent=change(keep.consent) if keep.consent else keep.consent)
        for keep in load(text)
    )


def decisions(connection: sa.Connection, keys: Collection[bytes]) -> dict[bytes, tuple[Keep, ...]]:
    """What was decided about these addresses; those that nothing was decided about are left out."""
    found: dict[bytes, tuple[Keep, ...]] = {}
    for part in chunks(sorted(keys)):
        statement = sa.select(address.c.key, address.c.kept).where(
            among(connection, address.c.key, part), address.c.kept.is_not(None)
        )
        found |= {row.key: load(row.kept) for row in connection.execute(statement)}
    return found


def write(connection: sa.Connection, key: bytes, keeps: Iterable[Keep], now: datetime) -> None:
    """Put the decisions about one address in place of those before."""
    connection.execute(sa.update(address).where(address.c.key == key).values(kept=dump(keeps), updated_at=now))


def tell(
    connection: sa.Connection, row: sa.Row[tuple[object, ...]], keep: Keep, action: str, *, actor: str, at: datetime
) -> None:
    """A line in the feed: nothing is decided in silence."""
    entry = Entry(
        key=row.key,
        address=row.address,
        is_domain=row.is_domain,
        scope=keep.scope,
        reason="manual",
        origin="manual",
        since=keep.since,
        until=keep.until,
        note=keep.note,
        why=f"consent: {keep.consent}" if keep.consent else None,
    )
    pair = (None, entry) if action == "keep" else (entry, None)
    feed.append(connection, [pair], actor=actor, at=at, note=keep.note, action=action)
