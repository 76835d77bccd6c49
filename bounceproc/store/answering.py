"""What answers for an address: its own entries, then those of wider things, unless a person decided to go on sending to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from bounceproc.address import Address
from bounceproc.policy.history import AUTOMATIC
from bounceproc.ports import Spared
from bounceproc.store import kept, whole
from bounceproc.store.entries import Entry
from bounceproc.store.statements import among, chunks
from bounceproc.store.tables import address as address_table
from bounceproc.store.tables import suppression

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from bounceproc.policy.history import Kept
    from bounceproc.store.engine import Database
    from bounceproc.store.kept import Keep
    from bounceproc.store.keys import Keys

PAGE: Final = 1000
"""Decisions in one short read: it takes three statements."""

Names = tuple[bytes, ...]
"""The keys that an answer may stand under, the closest first: the address, without its extension, its domain."""


def names_of(address: Address, keys: Keys, delimiter: str | None) -> Names:
    """The keys of an address. `delimiter`: what an extension begins with, where user+tag@ also answers for user@."""
    if address.is_domain:
        return (keys.of(address),)
    bare = address.without_extension(delimiter) if delimiter else None
    return tuple(map(keys.of, (address, *([bare] if bare else []), address.domain_address())))


def in_force(
    connection: sa.Connection, keys: Collection[bytes], stream: str | None, now: datetime
) -> dict[bytes, list[Entry]]:
    """The entries with these keys that count at this moment."""
    wanted = whole.in_force(stream, now)
    found: dict[bytes, list[Entry]] = {}
    for part in chunks(sorted(keys)):
        statement = sa.select(suppression).where(among(connection, suppression.c.key, part), wanted)
        for entry in map(Entry.of, connection.execute(statement).mappings()):
            found.setdefault(entry.key, []).append(entry)
    return found


def decided(
    connection: sa.Connection, asked: Iterable[Names], found: Mapping[bytes, Sequence[Entry]]
) -> dict[bytes, tuple[Keep, ...]]:
    """Decisions to go on sending, of those names alone that something automatic stands wider than: for most there is none to look for."""
    automatic = {key for key, entries in found.items() if any(entry.origin in AUTOMATIC for entry in entries)}
    closer = {
        name
        for names in asked
        for place, wider in enumerate(names)
        if place and wider in automatic
        for name in names[:place]
    }
    return kept.decisions(connection, closer) if closer else {}


def holding(
    names: Names, found: Mapping[bytes, Sequence[Entry]], decisions: Mapping[bytes, Sequence[Keep]], now: datetime
) -> list[Entry]:
    """The entries that answer: what a person decided about something closer beats what is automatic about something wider."""
    standing: list[Entry] = []
    keeps: list[Kept] = []
    for name in names:
        standing += [
            entry
            for entry in found.get(name, ())
            if not any(keep.beats(entry.scope, entry.reason, entry.origin) for keep in keeps)
        ]
        keeps += [keep.kept for keep in decisions.get(name, ()) if keep.kept.holds(now)]
    return standing


def spared(
    database: Database, keys: Keys, *, stream: str | None, now: datetime, delimiter: str | None
) -> Iterator[Spared]:
    """See `SuppressionReader.spared`: read in pages of the decisions, of which there are few."""
    row = address_table.c
    statement = sa.select(row.key, row.address, row.kept).where(row.kept.is_not(None), ~row.is_domain)
    last = b""
    while True:
        with database.reading() as connection:
            page = connection.execute(statement.where(row.key > last).order_by(row.key).limit(PAGE)).all()
            names = {
                one.key: names_of(Address(one.address, one.address), keys, delimiter) for one in page if one.address
            }
            found = in_force(connection, {key for each in names.values() for key in each}, stream, now)
            decisions = {one.key: kept.load(one.kept) for one in page}
            decisions |= decided(connection, (each[1:] for each in names.values()), found)
        for one in page:
            keeps = [keep for keep in decisions[one.key] if keep.kept.holds(now)]
            if one.key not in names or _is_spared(names[one.key], found, decisions, now):
                yield from (Spared(one.key, one.address, keep.kept) for keep in keeps)
        if len(page) < PAGE:
            return
        last = page[-1].key


def _is_spared(
    names: Names, found: Mapping[bytes, Sequence[Entry]], decisions: Mapping[bytes, Sequence[Keep]], now: datetime
) -> bool:
    return any(found.get(name) for name in names[1:]) and not holding(names, found, decisions, now)
