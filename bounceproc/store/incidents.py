"""Surges of one provider's refusals: seen while they are recorded, held back, and confirmed or taken back by a person."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import sqlalchemy as sa

from bounceproc.errors import UsageError
from bounceproc.policy import incident as surges
from bounceproc.ports import Incident, IncidentState
from bounceproc.store import addresses, changing, statements
from bounceproc.store.entries import AUTOMATIC, Entry
from bounceproc.store.policing import reconcile
from bounceproc.store.rows import clean
from bounceproc.store.statements import among, chosen, chunks, retrying
from bounceproc.store.tables import incident, incident_event, pulse, pulse_event, suppression, suppression_change

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from bounceproc.event import Event
    from bounceproc.policy.history import History
    from bounceproc.policy.incident import IncidentPolicy
    from bounceproc.policy.verdict import Verdict
    from bounceproc.store.engine import Database
    from bounceproc.store.finds import Found
    from bounceproc.store.rows import Privacy

Surges = dict[bytes, list["Found"]]
"""Events by fingerprint."""


# ---- while a batch is recorded ---------------------------------------------------------------------------------------


def watch(
    connection: sa.Connection,
    found: Iterable[Found],
    policy: IncidentPolicy,
    now: datetime,
    *,
    hidden: Callable[[str], str] | None = None,
) -> tuple[Incident, ...]:
    """Count what providers refuse for good, open incidents and add to those that are open; gives the new ones.

    A backlog counts for nothing: what was received long before it is read says when it was sent, not what is going on.
    `hidden` makes of a recipient's own domain what may be stored of it, where that is no plaintext.
    """
    live: Surges = defaultdict(list)
    for one in found:
        if surges.may_be_part(one.event) and now - one.received_at < surges.LIVE:
            live[surges.fingerprint(one.event)].append(one)
    if not live or not policy.enabled:
        return ()
    today = _day(now)
    providers = {print_: _provider(found_[0].event, hidden) for print_, found_ in live.items()}
    counts = _count(connection, live, providers, today)
    standing = _standing(connection, live.keys(), now)
    going_on = {p: row for p, row in standing.items() if row.state == IncidentState.OPEN}
    for print_, row in going_on.items():
        _add(connection, row.id, [(one.id, one.key) for one in live[print_]])
    # Its own days are no baseline for an incident that lasts longer than one.
    _prolong(connection, [row.id for p, row in going_on.items() if policy.is_far_above(counts[p], row.usual)], now)
    suspects = {p: one for p, one in live.items() if p not in standing and policy.is_far_above(counts[p], 0)}
    if not suspects:
        return ()
    opened = [
        _open(connection, live[print_][0], providers[print_], usual, now)
        for print_, usual in sorted(
            _surging(connection, suspects, providers, counts, policy=policy, today=today).items()
        )
    ]
    return _read(connection, incident.c.id.in_(opened)) if opened else ()


def disregarded(connection: sa.Connection, histories: Sequence[History]) -> tuple[History, ...]:
    """The histories without what belongs to an incident that nobody confirmed."""
    if connection.scalar(sa.select(sa.literal(1)).select_from(incident_event).limit(1)) is None:
        return tuple(histories)  # as nearly always
    keys = {history.key for history in histories if not history.is_domain}
    keys |= {piece.address for history in histories if history.is_domain for piece in history.evidence}
    ids: set[bytes] = set()
    for part in chunks(sorted(keys)):
        ids |= set(
            connection.scalars(sa.select(incident_event.c.id).where(among(connection, incident_event.c.key, part)))
        )
    return tuple(history.without(ids) for history in histories) if ids else tuple(histories)


def _provider(event: Event, hidden: Callable[[str], str] | None) -> str:
    name = clean(surges.provider(event)) or ""
    if hidden is not None and event.recipient is not None and f".{event.recipient.domain}".endswith(f".{name}"):
        return hidden(name)
    return name


_PULSES: Final = sa.select(pulse_event.c.fingerprint, pulse_event.c.key).where(
    pulse_event.c.day == sa.bindparam("today")
)
_COUNTS: Final = sa.select(pulse.c.fingerprint, pulse.c.recipients).where(pulse.c.day == sa.bindparam("today"))


def _count(connection: sa.Connection, live: Surges, providers: Mapping[bytes, str], today: str) -> Counter[bytes]:
    """Remember today's events, and no earlier ones; gives how many different recipients each wording has condemned today.

    Two writers of PostgreSQL who store the same recipient at the same moment count it twice: a surge is many times what is usual.
    """
    connection.execute(sa.delete(pulse_event).where(pulse_event.c.day < today))
    keys = {one.key for events in live.values() for one in events if one.key is not None}
    known = set(chosen(connection, _PULSES, pulse_event.c.key, keys, {"today": today}))
    events = [
        {"day": today, "key": one.key, "fingerprint": print_, "id": one.id}
        for print_ in sorted(live)
        for one in sorted(live[print_], key=lambda one: one.id)
    ]
    statements.insert(connection, pulse_event, events, ignore_known=True)
    fresh = Counter(print_ for print_, _ in {(row["fingerprint"], row["key"]) for row in events} - known)
    days = [
        {"fingerprint": print_, "day": today, "provider": providers[print_], "recipients": fresh[print_]}
        for print_ in sorted(live)
    ]
    statements.add(connection, pulse, days, column="recipients")
    return Counter(dict(chosen(connection, _COUNTS, pulse.c.fingerprint, live, {"today": today})))


class _Standing(NamedTuple):
    """An incident as far as it matters to what happens now."""

    fingerprint: bytes
    id: int
    state: str
    usual: int


_GOES_ON: Final = sa.and_(incident.c.state == IncidentState.OPEN.value, incident.c.surged_at > sa.bindparam("quiet"))
_KNOWN: Final = sa.and_(
    incident.c.state == IncidentState.CONFIRMED.value, incident.c.decided_at > sa.bindparam("confirmed")
)
_STANDING: Final = (
    sa.select(*(incident.c[name] for name in _Standing._fields)).where(sa.or_(_GOES_ON, _KNOWN)).order_by(incident.c.id)
)


def _standing(connection: sa.Connection, prints: Collection[bytes], now: datetime) -> dict[bytes, _Standing]:
    """The incidents of these wordings that go on, and those that a person confirmed not long ago."""
    since = {"quiet": now - surges.QUIET, "confirmed": now - surges.CONFIRMED}
    rows = chosen(connection, _STANDING, incident.c.fingerprint, prints, since)
    return {one.fingerprint: one for one in map(_Standing._make, rows)}


def _surging(
    connection: sa.Connection,
    suspects: Surges,
    providers: Mapping[bytes, str],
    counts: Counter[bytes],
    *,
    policy: IncidentPolicy,
    today: str,
) -> dict[bytes, int]:
    """Which of these wordings are far above what is usual, with the worst of the days before."""
    since = _day(datetime.fromisoformat(today).replace(tzinfo=UTC) - surges.BASELINE)
    before = sa.and_(pulse.c.day < today, pulse.c.day >= since)
    earlier: dict[bytes, list[int]] = defaultdict(list)
    days: dict[str, int] = {}
    for part in chunks(sorted(suspects)):
        here = among(connection, pulse.c.fingerprint, part)
        for row in connection.execute(sa.select(pulse.c.fingerprint, pulse.c.recipients).where(before, here)):
            earlier[row.fingerprint].append(row.recipients)
    for names in chunks(sorted({providers[print_] for print_ in suspects})):
        here = among(connection, pulse.c.provider, names)
        counted = sa.select(pulse.c.provider, sa.func.count(sa.distinct(pulse.c.day))).where(before, here)
        days |= {row[0]: row[1] for row in connection.execute(counted.group_by(pulse.c.provider))}
    usual = {print_: max(earlier[print_], default=0) for print_ in suspects}
    return {
        print_: worst
        for print_, worst in usual.items()
        if days.get(providers[print_], 0) >= policy.days and policy.is_far_above(counts[print_], worst)
    }


def _open(connection: sa.Connection, one: Found, provider: str, usual: int, now: datetime) -> int:
    print_ = surges.fingerprint(one.event)
    row = {
        "fingerprint": print_,
        "provider": provider,
        "wording": clean(surges.wording(one.event)),
        "usual": usual,
        "opened_at": now,
        "surged_at": now,
        "state": IncidentState.OPEN.value,
    }
    id_: int = connection.execute(sa.insert(incident).values(**row)).inserted_primary_key[0]  # type: ignore[index]
    # What was recorded of this wording before anybody could know, this batch included.
    today = sa.and_(pulse_event.c.fingerprint == print_, pulse_event.c.day == _day(now))
    rows = connection.execute(sa.select(pulse_event.c.id, pulse_event.c.key).where(today))
    _add(connection, id_, [(row.id, row.key) for row in rows])
    return id_


def _prolong(connection: sa.Connection, ids: Sequence[int], now: datetime) -> None:
    if ids:
        connection.execute(sa.update(incident).where(incident.c.id.in_(ids)).values(surged_at=now))


def _add(connection: sa.Connection, id_: int, events: Iterable[tuple[bytes, bytes | None]]) -> None:
    rows = [{"id": event, "incident_id": id_, "key": key} for event, key in sorted(events)]
    statements.insert(connection, incident_event, rows, ignore_known=True)


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says of an incident."""

    state: IncidentState
    actor: str
    note: str | None
    now: datetime


# ---- afterwards ------------------------------------------------------------------------------------------------------


class Incidents:
    """The incidents of one database."""

    def __init__(self, database: Database, privacy: Privacy) -> None:
        self._database = database
        self._privacy = privacy

    def all(self) -> tuple[Incident, ...]:
        """Every incident, the newest first."""
        with self._database.reading() as connection:
            return _read(connection, sa.true())

    def get(self, id_: int) -> Incident:
        """One incident.

        Raises:
            UsageError: there is none with this number.

        """
        with self._database.reading() as connection:
            return _one(connection, id_)

    def addresses(self, id_: int) -> list[str | None]:
        """The recipients of an incident, in a stable order; None for those whose plaintext is not kept."""
        from bounceproc.store.tables import address  # noqa: PLC0415 - the name is another thing's above

        statement = (
            sa.select(address.c.address)
            .join(incident_event, incident_event.c.key == address.c.key)
            .where(incident_event.c.incident_id == id_)
            .distinct()
            .order_by(address.c.address)
        )
        with self._database.reading() as connection:
            return list(connection.scalars(statement))

    def confirm(
        self, id_: int, decide: Callable[[History], Verdict], *, actor: str, note: str | None, now: datetime
    ) -> int:
        """The mailboxes are gone: what was held back counts from now on; returns how many suppressions changed."""
        word = Word(IncidentState.CONFIRMED, actor, self._privacy.words(note), now)
        with self._database.writing() as connection:
            return retrying(connection, lambda: self._confirm(connection, id_, decide, word))

    def revert(self, id_: int, *, actor: str, note: str | None, now: datetime) -> int:
        """The provider was at fault: its events never count, and what they suppressed is as it was; returns how many changed."""
        word = Word(IncidentState.REVERTED, actor, self._privacy.words(note), now)
        with self._database.writing() as connection:
            return retrying(connection, lambda: _revert(connection, id_, word))

    def _confirm(self, connection: sa.Connection, id_: int, decide: Callable[[History], Verdict], word: Word) -> int:
        _decided(connection, id_, word)
        keys = {key for _, key in _events(connection, id_)}
        connection.execute(sa.delete(incident_event).where(incident_event.c.incident_id == id_))
        rows = addresses.lock(connection, keys)
        standing = disregarded(connection, [addresses.history_of(row) for row in rows.values()])
        return reconcile(connection, [decide(history) for history in standing], privacy=self._privacy, now=word.now)


def _revert(connection: sa.Connection, id_: int, word: Word) -> int:
    _decided(connection, id_, word)
    events = _events(connection, id_)
    ids, keys = {event for event, _ in events}, {key for _, key in events}
    addresses.lock(connection, keys)
    made: dict[tuple[bytes, str, str, str], Entry] = {}
    for part in chunks(sorted(ids)):
        statement = sa.select(suppression).where(
            suppression.c.origin == AUTOMATIC, among(connection, suppression.c.event, part)
        )
        made |= {entry.identity: entry for entry in map(Entry.of, connection.execute(statement).mappings())}
    before = _before(connection, made, ids)
    changes = [(entry, before.get(name)) for name, entry in made.items()]
    why = f"incident {id_} was taken back" + (f": {word.note}" if word.note else "")
    return changing.write(connection, changes, actor=word.actor, at=word.now, note=why)


def _before(
    connection: sa.Connection, made: dict[tuple[bytes, str, str, str], Entry], ids: Collection[bytes]
) -> dict[tuple[bytes, str, str, str], Entry]:
    """What stood in the place of these entries before one of these events changed them first, where anything did."""
    found: dict[tuple[bytes, str, str, str], Entry] = {}
    texts = {id_.hex() for id_ in ids}
    seen: set[tuple[bytes, str, str, str]] = set()
    for part in chunks(sorted({entry.key for entry in made.values()})):
        statement = (
            sa.select(suppression_change)
            .where(suppression_change.c.origin == AUTOMATIC, among(connection, suppression_change.c.key, part))
            .order_by(suppression_change.c.version)
        )
        for row in connection.execute(statement).mappings():
            name = (row["key"], row["scope"], row["reason"], row["origin"])
            if name not in made or name in seen or not row["after"] or row["after"]["event"] not in texts:
                continue
            seen.add(name)
            if row["before"]:
                found[name] = made[name].as_told(row["before"])
    return found


def _decided(connection: sa.Connection, id_: int, word: Word) -> None:
    known = _one(connection, id_)
    if known.state is not IncidentState.OPEN:
        raise UsageError(
            f"incident {id_} was {known.state} by {known.decided_by} already",
            "See `bounceproc incident show`. A person's own decision: `bounceproc suppress add` or `remove`.",
        )
    connection.execute(
        sa.update(incident)
        .where(incident.c.id == id_)
        .values(state=word.state.value, decided_at=word.now, decided_by=clean(word.actor), note=word.note)
    )


def _events(connection: sa.Connection, id_: int) -> list[tuple[bytes, bytes]]:
    statement = sa.select(incident_event.c.id, incident_event.c.key).where(incident_event.c.incident_id == id_)
    return [(row.id, row.key) for row in connection.execute(statement)]


def _one(connection: sa.Connection, id_: int) -> Incident:
    found = _read(connection, incident.c.id == id_)
    if not found:
        raise UsageError(f"there is no incident {id_}", "See `bounceproc incident list`.")
    return found[0]


def _read(connection: sa.Connection, wanted: sa.ColumnElement[bool]) -> tuple[Incident, ...]:
    recipients = sa.func.count(sa.distinct(incident_event.c.key))
    bare = sa.func.count(sa.distinct(sa.case((suppression.c.id.is_(None), incident_event.c.key))))
    statement = (
        sa.select(incident, recipients.label("recipients"), bare.label("held"))
        .outerjoin(incident_event, incident_event.c.incident_id == incident.c.id)
        .outerjoin(suppression, suppression.c.key == incident_event.c.key)
        .where(wanted)
        .group_by(incident.c.id)
        .order_by(incident.c.id.desc())
    )
    return tuple(
        Incident(
            **{name: row[name] for name in Incident.__dataclass_fields__ if name != "state"},
            state=IncidentState(row["state"]),
        )
        for row in connection.execute(statement).mappings()
    )
