"""The list: who may not be mailed, asked and changed by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from bounceproc.address import Address
from bounceproc.errors import InvalidAddressError
from bounceproc.event import BounceClass, Event, EventType, Trust
from bounceproc.ports import AddressStatus, Loaded, RecordedEvent, Wish
from bounceproc.status import EnhancedStatus
from bounceproc.store import addresses, answering, byhand, feed, kept, reviews, whole
from bounceproc.store.addresses import Touched
from bounceproc.store.entries import Entry, strength
from bounceproc.store.statements import among, retrying
from bounceproc.store.tables import address as address_table
from bounceproc.store.tables import event, message, suppression

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from bounceproc.ports import Change, Spared, Standing, Suppression
    from bounceproc.store.engine import Database
    from bounceproc.store.keys import Keys
    from bounceproc.store.rows import Privacy

PAGE: Final = 1000
"""Entries in one short read."""
EVENTS_SHOWN: Final = 1000
"""Events in the story of one address, newest first: nobody reads more, and a mail loop can make millions."""


class Suppressions:
    """The list of one database."""

    def __init__(self, database: Database, keys: Keys, *, privacy: Privacy) -> None:
        self._database = database
        self._keys = keys
        self._privacy = privacy

    # ---- asked ----

    def check(
        self, addresses_: Sequence[Address], *, stream: str | None, now: datetime, delimiter: str | None = None
    ) -> dict[str, Suppression]:
        """The strongest suppression in force of each suppressed address, by normal form, its domain's included.

        With a stream, entries for that stream and for every stream (`*`) count; without one, any scope. With a `delimiter` of
        extensions, an address has the entries of the one without its extension as well.
        """
        asked = {address.normal: answering.names_of(address, self._keys, delimiter) for address in addresses_}
        with self._database.reading() as connection:
            found = answering.in_force(connection, {key for names in asked.values() for key in names}, stream, now)
            decided = answering.decided(connection, asked.values(), found)
        answers: dict[str, Suppression] = {}
        for normal, names in asked.items():
            holding = answering.holding(names, found, decided, now)
            if holding:
                answers[normal] = min(holding, key=strength).public()
        return answers

    def status(self, address: Address, *, stream: str | None, now: datetime) -> AddressStatus:
        """Everything that is known of one address."""
        names = answering.names_of(address, self._keys, None)
        with self._database.reading() as connection:
            found = answering.in_force(connection, set(names), stream, now)
            decided = answering.decided(connection, [names], found)
            events = _events(connection, names[0], address)
            rows = _rows(connection, names)
            waiting = reviews.of(connection, names[0])
        holding = sorted(answering.holding(names, found, decided, now), key=strength)
        return AddressStatus(
            address.text,
            tuple(entry.public() for entry in holding),
            events,
            histories=tuple(addresses.history_of(rows[key]) for key in names if key in rows),
            kept=tuple(keep.to_dict() for keep in kept.load(rows[names[0]].kept)) if names[0] in rows else (),
            review=tuple(one.to_dict() for one in waiting),
        )

    def suppressions(self, *, now: datetime, include_expired: bool = False) -> Iterator[Suppression]:
        """The whole list in the order in which the entries were added, read in pages."""
        for page, _ in self._pages(sa.true() if include_expired else whole.in_force(None, now)):
            yield from (entry.public() for entry in page)

    def listing(
        self, *, now: datetime, include_expired: bool = False, scope: str | None = None, reason: str | None = None
    ) -> Iterator[tuple[Suppression, str | None]]:
        """The same, of one scope or reason where that is asked for, each entry with who changed it the last time."""
        wanted = [sa.true() if include_expired else whole.in_force(None, now)]
        wanted += [suppression.c.scope == scope] if scope is not None else []
        wanted += [suppression.c.reason == reason] if reason is not None else []
        for page, actors in self._pages(sa.and_(*wanted), with_actors=True):
            yield from ((entry.public(), actors.get(entry.identity)) for entry in page)

    def _pages(
        self, wanted: sa.ColumnElement[bool], *, with_actors: bool = False
    ) -> Iterator[tuple[list[Entry], dict[tuple[bytes, str, str, str], str]]]:
        statement = sa.select(suppression).where(wanted).order_by(suppression.c.id).limit(PAGE)
        last = 0
        while True:
            with self._database.reading() as connection:
                page = connection.execute(statement.where(suppression.c.id > last)).mappings().all()
                keys = {row["key"] for row in page} if with_actors else set()
                actors = feed.actors(connection, keys)
            yield [Entry.of(row) for row in page], actors
            if len(page) < PAGE:
                return
            last = page[-1]["id"]

    def standing(self, *, stream: str | None, now: datetime) -> Iterator[Standing]:
        """All that is in force (for a stream, as in `check`), read in pages: for whoever holds the list in memory."""
        return whole.read(self._database, stream=stream, now=now)

    def spared(self, *, stream: str | None, now: datetime, delimiter: str | None = None) -> Iterator[Spared]:
        """The addresses that may be mailed by a person's decision alone: without it an entry of their domain would forbid it.

        With a `delimiter` of extensions, entries of the address without its extension count like those of the domain. Where the
        plaintext of the address is gone nobody can tell what its domain is: these come as well.
        """
        return answering.spared(self._database, self._keys, stream=stream, now=now, delimiter=delimiter)

    def count(self) -> int:
        """How many entries there are, those included that are over."""
        with self._database.reading() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(suppression)) or 0

    def changes(self, *, since: int) -> Iterator[Change]:
        """The feed behind a version, in commit order."""
        return feed.changes(self._database, since=since)

    def version(self) -> int:
        """The newest version of the feed; 0 for an empty one."""
        with self._database.reading() as connection:
            return feed.newest(connection)

    # ---- changed by hand ----

    def suppress(
        self,
        subject: Address,
        *,
        scope: str,
        reason: str,
        until: datetime | None,
        note: str | None,
        actor: str,
        now: datetime,
        origin: str | None = None,
    ) -> bool:
        """Add or change an entry by hand; False when it stood there already just so.

        `origin` is `manual`, or `import` for the reason `import`, unless it is given.
        """
        wish = Wish(subject, scope, reason, until, note)
        origin = origin or ("import" if reason == "import" else "manual")
        return self.suppress_many([wish], origin=origin, actor=actor, now=now) > 0

    def suppress_many(self, wishes: Sequence[Wish], *, origin: str, actor: str, now: datetime) -> int:
        """Add or change entries by hand, in one transaction; returns how many did not stand there already just so.

        For imports, a thousand or so at a time: every transaction waits for the disk, and holds up other writers.
        """
        wanted = [self._entry(wish, origin, now) for wish in wishes]
        with self._database.writing() as connection:
            return retrying(connection, lambda: byhand.put(connection, wanted, actor, now))

    def load(self, wishes: Sequence[Wish], *, actor: str, now: datetime, dry_run: bool = False) -> Loaded:
        """Take a part of an imported list, some thousand rows at most, in one transaction; see `Loaded`.

        What stands there is never shortened, so that the same list twice changes nothing, whatever its order. A dry run only
        counts, and of what several parts ask for each counts it.
        """
        lasting = [wish for wish in wishes if wish.until is None or wish.until > now]
        over = Loaded(over=len(wishes) - len(lasting))
        wanted = [self._entry(wish, "import", now) for wish in lasting]
        if dry_run:
            with self._database.reading() as connection:
                return over + byhand.weigh(connection, wanted, now)[0]
        with self._database.writing() as connection:
            return over + retrying(connection, lambda: byhand.load(connection, wanted, actor, now))

    def lift(
        self,
        subject: Address,
        *,
        scope: str | None,
        note: str | None,
        consent: str | None = None,
        actor: str,
        now: datetime,
    ) -> int:
        """Lift every entry of an address (of one scope, or of all when None), whoever made it; returns how many were lifted.

        What was received until now never suppresses the address again. `consent` says how the recipient took a complaint back.

        Raises:
            ConsentError: one of the entries is there for a complaint, and no consent is stated; nothing was lifted.

        """
        touched = Touched(self._keys.of(subject), self._privacy.address(subject), subject.is_domain, {})
        with self._database.writing() as connection:
            said = {"note": self._privacy.words(note), "consent": (self._privacy.words(consent) or "").strip() or None}
            return retrying(connection, lambda: byhand.lift(connection, touched, scope, actor=actor, now=now, **said))

    def _entry(self, wish: Wish, origin: str, now: datetime) -> Entry:
        return Entry(
            key=self._keys.of(wish.subject),
            address=self._privacy.address(wish.subject),
            is_domain=wish.subject.is_domain,
            scope=wish.scope,
            reason=wish.reason,
            origin=origin,
            since=min(wish.since or now, now),
            until=wish.until,
            category=wish.category,
            class_=wish.class_,
            note=self._privacy.words(wish.note),
        )


def _rows(connection: sa.Connection, keys: Collection[bytes]) -> dict[bytes, sa.Row[tuple[object, ...]]]:
    found = connection.execute(sa.select(address_table).where(among(connection, address_table.c.key, keys)))
    return {row.key: row for row in found}


# ---- events, read back ------------------------------------------------------------------------------------------------

_FROM_MESSAGE: Final = (message.c.source, message.c.ref, message.c.kind, message.c.detector)


def _events(connection: sa.Connection, key: bytes, address: Address) -> tuple[RecordedEvent, ...]:
    statement = (
        sa.select(event, *_FROM_MESSAGE)
        .join(message, message.c.id == event.c.message_id)
        .where(event.c.key == key)
        .order_by(event.c.occurred_at.desc(), event.c.id)
        .limit(EVENTS_SHOWN)
    )
    return tuple(_recorded(row, address) for row in connection.execute(statement).mappings())


def _recorded(row: sa.RowMapping, asked: Address) -> RecordedEvent:
    return RecordedEvent(
        id=row["id"].hex(),
        event=_event(row, asked),
        received_at=row["received_at"],
        source=row["source"],
        ref=row["ref"],
        kind=row["kind"],
        detector=row["detector"],
    )


def _event(row: sa.RowMapping, asked: Address) -> Event:
    same: dict[str, Any] = {name: row[name] for name in _SAME}
    return Event(
        type=EventType(row["type"]),
        recipient=Address(asked.normal, row["address"] or asked.text),
        trust=Trust(row["trust"]),
        final_recipient=_address(row["final_recipient"]),
        status=EnhancedStatus.parse(row["status"]) if row["status"] else None,
        diagnostic=row["diagnostic"] or "",
        class_=BounceClass(row["class"]) if row["class"] else None,
        **same,
    )


_SAME: Final = (
    "action",
    "smtp_code",
    "remote_mta",
    "reporting_mta",
    "feedback_type",
    "original_message_id",
    "envelope_id",
    "derived",
    "stream",
    "occurred_at",
    "category",
    "rule",
    "reference",
)


def _address(text: str | None) -> Address | None:
    try:
        return Address.parse(text) if text else None
    except InvalidAddressError:
        return None  # it was shortened on its way in
