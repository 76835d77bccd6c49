"""Changes that people and imported lists ask for: who beats whom, and what stands already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from bounceproc.errors import ConsentError
from bounceproc.ports import Loaded
from bounceproc.store import addresses, changing, kept, reviews
from bounceproc.store.addresses import Touched
from bounceproc.store.entries import Entry
from bounceproc.store.statements import among, chunks
from bounceproc.store.tables import suppression

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from bounceproc.store.entries import Change
    from bounceproc.store.kept import Keep


def standing(connection: sa.Connection, keys: Collection[bytes]) -> list[Entry]:
    """All entries of these keys, whoever made them, those that have ended included."""
    found: list[Entry] = []
    for part in chunks(sorted(keys)):
        statement = sa.select(suppression).where(among(connection, suppression.c.key, part))
        found += map(Entry.of, connection.execute(statement).mappings())
    return found


# ---- by people ---------------------------------------------------------------------------------------------------------


def put(connection: sa.Connection, wanted: Sequence[Entry], actor: str, now: datetime) -> int:
    """Add or change entries as asked for; returns how many did not stand there just so."""
    rows, before = _held(connection, wanted, now)
    last = {
        entry.identity: entry
        for entry in wanted
        if not _beaten(connection, rows[entry.key], entry, actor=actor, now=now)
    }
    changes = [(before.get(name), _renewed(before.get(name), entry, now)) for name, entry in last.items()]
    return changing.write(connection, changes, actor=actor, at=now)


def require_consent(gone: Iterable[Entry], wishes: frozenset[str], consent: str | None) -> None:
    """What the recipient wanted is lifted only where somebody says how the recipient took it back.

    Raises:
        ConsentError: it is not said.

    """
    found = sorted({entry.reason for entry in gone} & wishes)
    if found and not consent:
        raise ConsentError(
            f"the entry is there for a{'n' if found[-1][0] == 'u' else ''} {found[-1]}",
            "Only the recipient can take that back: say with --consent how they did.",
        )


def _held(
    connection: sa.Connection, wanted: Iterable[Entry], now: datetime
) -> tuple[dict[bytes, sa.Row[tuple[object, ...]]], dict[tuple[bytes, str, str, str], Entry]]:
    """The rows of `address`, nobody else's to change from here on, and the entries that stand."""
    subjects = {entry.key: Touched(entry.key, entry.address, entry.is_domain, {}) for entry in wanted}
    addresses.make(connection, subjects.values(), now)
    rows = addresses.lock(connection, subjects.keys())
    return rows, {entry.identity: entry for entry in standing(connection, subjects.keys())}


def _beaten(
    connection: sa.Connection, row: sa.Row[tuple[object, ...]], entry: Entry, *, actor: str, now: datetime
) -> bool:
    """Whether a decision to go on sending to this address beats the entry: it does that of a list, and ends with that of a person."""
    keeps = kept.load(row.kept) if row.kept else ()
    if entry.origin == "import":
        return _kept_out(keeps, entry, now)
    left = [keep for keep in keeps if entry.scope not in {"*", keep.scope}]
    if len(left) < len(keeps):
        kept.write(connection, entry.key, left, now)
        for keep in keeps:
            if keep not in left:
                kept.tell(connection, row, keep, "unkeep", actor=actor, at=now)
    return False


def _renewed(before: Entry | None, entry: Entry, now: datetime) -> Entry:
    """The entry as asked for. One that still holds goes on since it began; one that had ended begins anew."""
    if before is None:
        return entry
    if (before.until, before.note) == (entry.until, entry.note):
        return before
    return entry._replace(since=before.since) if before.until is None or before.until > now else entry


def lift(
    connection: sa.Connection,
    touched: Touched,
    scope: str | None,
    *,
    note: str | None,
    consent: str | None,
    actor: str,
    now: datetime,
) -> int:
    """Take off what stands; what was received until now counts no more.

    Raises:
        ConsentError: the recipient complained, and no consent is stated.

    """
    addresses.make(connection, [touched], now)
    addresses.lock(connection, [touched.key])
    gone = [entry for entry in standing(connection, [touched.key]) if scope in {None, entry.scope}]
    require_consent(gone, frozenset({"complaint"}), consent)
    note = "; ".join(filter(None, (note, f"consent: {consent}" if consent else None))) or None
    if gone:
        addresses.lifted(connection, touched.key, now)
        reviews.forget(connection, touched.key)
    return changing.write(connection, [(entry, None) for entry in gone], actor=actor, at=now, note=note)


# ---- by lists ----------------------------------------------------------------------------------------------------------


def load(connection: sa.Connection, wanted: Sequence[Entry], actor: str, now: datetime) -> Loaded:
    """Add what a list asks for; see `Suppressions.load`."""
    if wanted:
        subjects = {entry.key: Touched(entry.key, entry.address, entry.is_domain, {}) for entry in wanted}
        addresses.make(connection, subjects.values(), now)
        addresses.lock(connection, subjects.keys())
    found, changes = weigh(connection, wanted, now)
    changing.write(connection, changes, actor=actor, at=now)
    return found


def weigh(connection: sa.Connection, wanted: Sequence[Entry], now: datetime) -> tuple[Loaded, list[Change]]:
    """What a list would change."""
    keys = {entry.key for entry in wanted}
    decided = kept.decisions(connection, keys)
    before = {entry.identity: entry for entry in standing(connection, keys)}
    after: dict[tuple[bytes, str, str, str], Entry] = {}
    found = Loaded()
    for entry in wanted:
        name = entry.identity
        known = after.get(name, before.get(name))
        if _kept_out(decided.get(entry.key, ()), entry, now):
            found.kept += 1
        elif (made := _joined(known, entry, now)) == known:
            found.known += 1
        else:
            found.added += known is None
            found.changed += known is not None
            after[name] = made
    return found, _changes(before, after)


def _changes(
    before: Mapping[tuple[bytes, str, str, str], Entry], after: Mapping[tuple[bytes, str, str, str], Entry]
) -> list[Change]:
    return [(before.get(name), entry) for name, entry in after.items()]


def _kept_out(keeps: Iterable[Keep], entry: Entry, now: datetime) -> bool:
    return any(keep.kept.holds(now) and keep.kept.covers(entry.scope, entry.reason) for keep in keeps)


def _joined(before: Entry | None, entry: Entry, now: datetime) -> Entry:
    """What stands and what a list says of it: the earlier beginning, the later end. What had ended begins anew."""
    if before is None or (before.until is not None and before.until <= now):
        return entry
    ends = None if before.until is None or entry.until is None else max(before.until, entry.until)
    said = before.note or entry.note
    return before._replace(since=min(before.since, entry.since), until=ends, note=said)
