"""What was recorded, read again: histories with their entries and events, and the same with a newer judgement written over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from bounceproc.address import Address
from bounceproc.errors import InvalidAddressError
from bounceproc.event import BounceClass, Event, EventType, Trust
from bounceproc.policy.replay import PolicyEntry, is_known
from bounceproc.ports import Recalled, Subject
from bounceproc.status import EnhancedStatus
from bounceproc.store import addresses, changing, histories, statements
from bounceproc.store.entries import AUTOMATIC, Entry
from bounceproc.store.finds import DOMAIN_CATEGORIES
from bounceproc.store.incidents import disregarded
from bounceproc.store.statements import among, chunks, retrying
from bounceproc.store.tables import address, event, suppression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from bounceproc.policy.history import Evidence, History
    from bounceproc.policy.verdict import Verdict
    from bounceproc.store.engine import Database
    from bounceproc.store.keys import Keys
    from bounceproc.store.rows import Privacy

PAGE: Final = 500
"""Addresses in one short read, and in one transaction."""
EVENTS: Final = 20_000
"""Events of one page that are read again: a mail loop can make more, and each address keeps far fewer in its history."""

_JUDGED: Final = (EventType.BOUNCE.value, EventType.DELAY.value)


class Replays:
    """What one database has recorded."""

    def __init__(self, database: Database, keys: Keys, privacy: Privacy) -> None:
        self._database = database
        self._keys = keys
        self._privacy = privacy

    def count(self) -> int:
        """How many addresses and domains there are."""
        with self._database.reading() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(address)) or 0

    def pages(self, now: datetime, *, with_events: bool = False) -> Iterator[list[Subject]]:
        """Every address and domain, some at a time, each with its entries in force and, on demand, the events behind it."""
        last = b""
        while True:
            statement = sa.select(address).where(address.c.key > last).order_by(address.c.key).limit(PAGE)
            with self._database.reading() as connection:
                rows = connection.execute(statement).all()
                if not rows:
                    return
                last = rows[-1].key
                yield _subjects(connection, rows, now, with_events=with_events)

    def rewrite(
        self,
        subjects: Sequence[Subject],
        judged: Mapping[bytes, Event],
        decide: Callable[[History], Verdict],
        *,
        actor: str,
        now: datetime,
    ) -> int:
        """Write newer judgements over these events, and bring policy's entries in line with what follows from them.

        `judged` has events by their id. Entries whose evidence is gone stay. Returns how many entries changed.
        """
        with self._database.writing() as connection:
            return retrying(
                connection, lambda: self._rewrite(connection, subjects, judged, decide, actor=actor, now=now)
            )

    def _rewrite(
        self,
        connection: sa.Connection,
        subjects: Sequence[Subject],
        judged: Mapping[bytes, Event],
        decide: Callable[[History], Verdict],
        *,
        actor: str,
        now: datetime,
    ) -> int:
        _overwrite(connection, judged)
        self._join_domains(connection, subjects, judged, now)
        rows = addresses.lock(connection, {subject.history.key for subject in subjects})
        standing = [_judged_anew(addresses.history_of(rows[key]), judged) for key in sorted(rows)]
        changed = [
            {"key": history.key, "history": text, "updated_at": now}
            for history in standing
            if (text := histories.dump(history.evidence)) != rows[history.key].history
        ]
        statements.update(connection, address, changed, by=["key"])
        entries = _policy_entries(connection, rows)
        plain = {} if self._privacy.hash_only else {key: row.address for key, row in rows.items()}
        changes: list[tuple[Entry | None, Entry | None]] = []
        for history in disregarded(connection, standing):
            mine = [entry for entry in entries if entry.key == history.key]
            changes += _followed(history, mine, decide(history), plain.get(history.key), now)
        return changing.write(connection, changes, actor=actor, at=now, note="judged anew")

    def _join_domains(
        self, connection: sa.Connection, subjects: Sequence[Subject], judged: Mapping[bytes, Event], now: datetime
    ) -> None:
        """What says something of a domain since it was judged anew stands in the domain's history from now on."""
        touched: dict[bytes, addresses.Touched] = {}
        for subject in subjects:
            pieces = {piece.id: piece for piece in subject.history.evidence}
            for recalled in subject.events:
                found, piece = judged.get(recalled.id), pieces.get(recalled.id)
                if found is None or piece is None or found.recipient is None or subject.history.is_domain:
                    continue
                if found.category not in DOMAIN_CATEGORIES or found.type is not EventType.BOUNCE:
                    continue
                domain = found.recipient.domain_address()
                one = addresses.Touched(
                    self._keys.of(domain), self._privacy.address(domain), is_domain=True, evidence={}
                )
                one = touched.setdefault(one.key, one)
                one.evidence[piece.id] = _anew(piece, found)._replace(address=subject.history.key)
        addresses.add_evidence(connection, touched, now)


def _subjects(connection: sa.Connection, rows: Sequence[Any], now: datetime, *, with_events: bool) -> list[Subject]:
    found = {row.key: addresses.history_of(row) for row in rows}
    entries: dict[bytes, list[Entry]] = {}
    lasting = sa.or_(suppression.c.until.is_(None), suppression.c.until > now)
    for part in chunks(sorted(found)):
        statement = sa.select(suppression).where(among(connection, suppression.c.key, part), lasting)
        for entry in map(Entry.of, connection.execute(statement).mappings()):
            entries.setdefault(entry.key, []).append(entry)
    events = _recalled(connection, found.values()) if with_events else {}
    known = disregarded(connection, tuple(found.values()))
    return [_subject(row, history, entries.get(row.key, []), events) for row, history in zip(rows, known, strict=True)]


def _subject(row: Any, history: History, entries: list[Entry], events: Mapping[bytes, Recalled]) -> Subject:
    return Subject(
        address=row.address,
        history=history,
        standing=tuple(_standing(entry) for entry in entries if entry.origin == AUTOMATIC),
        otherwise=tuple(entry.reason for entry in entries if entry.origin != AUTOMATIC),
        events=tuple(events[piece.id] for piece in history.evidence if piece.id in events),
    )


def _standing(entry: Entry) -> PolicyEntry:
    return PolicyEntry(entry.scope, entry.reason, entry.until, entry.event, entry.why)


def _recalled(connection: sa.Connection, found: Iterable[History]) -> dict[bytes, Recalled]:
    """The bounces and delays that these histories are made of; those without plaintext have nothing to be judged by."""
    ids = sorted({piece.id for history in found for piece in history.evidence if piece.type.value in _JUDGED})
    recalled: dict[bytes, Recalled] = {}
    for part in chunks(ids[:EVENTS]):
        statement = sa.select(event).where(
            among(connection, event.c.id, part), event.c.address.isnot(None), event.c.type.in_(_JUDGED)
        )
        for row in connection.execute(statement).mappings():
            try:
                recalled[row["id"]] = Recalled(row["id"], _event(row))
            except InvalidAddressError:
                continue  # it was shortened on its way in
    return recalled


def _event(row: sa.RowMapping) -> Event:
    return Event(
        type=EventType(row["type"]),
        recipient=Address.parse(row["address"]),
        trust=Trust(row["trust"]),
        status=EnhancedStatus.parse(row["status"]) if row["status"] else None,
        smtp_code=row["smtp_code"],
        diagnostic=row["diagnostic"] or "",
        remote_mta=row["remote_mta"],
        reporting_mta=row["reporting_mta"],
        occurred_at=row["occurred_at"],
        category=row["category"],
        class_=BounceClass(row["class"]) if row["class"] else None,
        rule=row["rule"],
    )


def _overwrite(connection: sa.Connection, judged: Mapping[bytes, Event]) -> None:
    rows = [
        {
            "id": id_,
            "category": str(found.category) if found.category else None,
            "class": found.class_.value if found.class_ else None,
            "rule": found.rule,
        }
        for id_, found in sorted(judged.items())
    ]
    statements.update(connection, event, rows, by=["id"])


def _judged_anew(history: History, judged: Mapping[bytes, Event]) -> History:
    """The history as it would be, had its events been judged so at once."""
    pieces = [_anew(piece, judged[piece.id]) if piece.id in judged else piece for piece in history.evidence]
    if history.is_domain:
        pieces = [
            piece for piece in pieces if piece.category in DOMAIN_CATEGORIES or piece.type is not EventType.BOUNCE
        ]
    return history._replace(evidence=()).with_evidence(pieces)


def _anew(piece: Evidence, found: Event) -> Evidence:
    return piece._replace(category=str(found.category) if found.category else None, class_=found.class_)


def _policy_entries(connection: sa.Connection, keys: Iterable[bytes]) -> list[Entry]:
    found: list[Entry] = []
    for part in chunks(sorted(keys)):
        statement = sa.select(suppression).where(
            among(connection, suppression.c.key, part), suppression.c.origin == AUTOMATIC
        )
        found += map(Entry.of, connection.execute(statement).mappings())
    return found


def _followed(
    history: History, entries: list[Entry], verdict: Verdict, plain: str | None, now: datetime
) -> Iterator[tuple[Entry | None, Entry | None]]:
    """The changes that bring the entries of one key in line with a verdict, shorter ones included."""
    wanted = {
        (one.scope, one.reason): Entry.decided(one, key=history.key, address=plain, is_domain=history.is_domain)
        for one in verdict.decisions
    }
    for entry in entries:
        new = wanted.pop((entry.scope, entry.reason), None)
        in_force = entry.until is None or entry.until > now
        if not in_force or not is_known(history, _standing(entry)):
            yield entry, entry.extended(new) if new else entry
        elif new is None or new.until != entry.until or new.category != entry.category:
            yield entry, new._replace(since=min(new.since, entry.since)) if new else None
    for new in wanted.values():
        yield None, new
