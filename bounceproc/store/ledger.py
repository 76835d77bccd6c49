"""What the flow remembers: messages, events, histories, verdicts and checkpoints, one transaction for each batch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from bounceproc.ports import Attempt, Checkpoint, Outcome, Recorded, Settlement
from bounceproc.store import addresses, flights, incidents, observing, reviews, sent, statements
from bounceproc.store.copies import pack
from bounceproc.store.finds import Found
from bounceproc.store.policing import reconcile
from bounceproc.store.rows import event_row, message_row, place, sane
from bounceproc.store.statements import among, change, chosen, chunks, retrying
from bounceproc.store.tables import attempt, checkpoint, counter, event, message

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from bounceproc.address import Address
    from bounceproc.policy.history import History
    from bounceproc.policy.incident import IncidentPolicy
    from bounceproc.policy.verdict import Verdict
    from bounceproc.ports import Flight, Incident, Reading, Sent
    from bounceproc.store.addresses import Touched
    from bounceproc.store.engine import Database
    from bounceproc.store.keys import Keys
    from bounceproc.store.rows import Privacy


class Ledger:
    """The ledger of one database."""

    def __init__(
        self,
        database: Database,
        keys: Keys,
        *,
        privacy: Privacy,
        now: Callable[[], datetime],
        surges: IncidentPolicy | None = None,
    ) -> None:
        self._database = database
        self._keys = keys
        self._privacy = privacy
        self._now = now
        self._surges = surges

    @contextmanager
    def batch(self, source: str) -> Iterator[Batch]:
        """One transaction: committed, and on the disk, when the block ends; rolled back when it raises."""
        with self._database.writing() as connection:
            yield Batch(connection, source, self._keys, self._privacy, now=self._now(), surges=self._surges)

    def checkpoint(self, source: str, folder: str) -> Checkpoint | None:
        """How far the folder was read in earlier runs."""
        statement = sa.select(checkpoint).where(
            checkpoint.c.source == place(source), checkpoint.c.folder == place(folder)
        )
        with self._database.reading() as connection:
            row = connection.execute(statement).one_or_none()
        return Checkpoint(folder, row.uidvalidity, row.uid, row.modseq) if row else None

    def known(self, source: str, refs: Sequence[str]) -> set[str]:
        """Which of these places a message was recorded from."""
        found: set[str] = set()
        with self._database.reading() as connection:
            for part in chunks(sorted(map(place, refs))):
                statement = sa.select(message.c.ref).where(
                    message.c.source == place(source), among(connection, message.c.ref, part)
                )
                found |= set(connection.scalars(statement))
        return {ref for ref in refs if place(ref) in found}

    def unsettled(self, source: str, within: str = "") -> list[Settlement]:
        """What was committed and never settled in the source, oldest first; each place once, with its newest outcome.

        With `within`, of the references that begin so.
        """
        here = sa.and_(message.c.source == place(source), message.c.settled_at.is_(None))
        if within:
            here &= _begins(message.c.ref, within)
        statement = sa.select(message.c.ref, message.c.outcome).where(here).order_by(message.c.id)
        with self._database.reading() as connection:
            outcomes = {row.ref: row.outcome for row in connection.execute(statement)}
        return [Settlement(ref, Outcome(outcome)) for ref, outcome in outcomes.items()]

    def settled(self, source: str, refs: Sequence[str]) -> None:
        """Remember that these messages were settled in the source."""
        if refs:
            with self._database.writing() as connection:
                _settled(connection, source, refs, self._now())

    # ---- what is being read ----

    def announce(self, source: str, flight: Flight) -> None:
        """Remember what is read from now on, before anything of it is."""
        with self._database.writing() as connection:
            flights.announce(connection, source, flight, self._now())

    def landed(self, source: str, within: str) -> None:
        """Nothing of this folder is being read any more."""
        with self._database.writing() as connection:
            flights.land(connection, source, within)

    def stranded(self, source: str, within: str) -> None:
        """Count an attempt for what an earlier run announced and neither recorded nor gave back: it ended in the middle."""
        with self._database.reading() as connection:
            refs = flights.announced(connection, source, within)
        if refs:
            self.failed(source, within, refs, "the program ended without a word while it was read")

    def failed(self, source: str, within: str, refs: Sequence[str], reason: str) -> None:
        """Count an attempt for these messages, and nothing of their folder is being read any more."""
        with self._database.writing() as connection:
            flights.count(connection, source, refs, "" if self._privacy.hash_only else reason, self._now())
            flights.land(connection, source, within)

    def attempts(self, source: str, within: str) -> dict[str, Attempt]:
        """The messages of this folder that were tried and never recorded, by reference."""
        statement = sa.select(attempt).where(attempt.c.source == place(source), _begins(attempt.c.ref, within))
        with self._database.reading() as connection:
            return {row.ref: Attempt(row.attempts, row.reason) for row in connection.execute(statement)}

    # ---- figures ----

    def counters(self) -> dict[str, dict[str, int]]:
        """What was done since the beginning, by source and name."""
        found: dict[str, dict[str, int]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(sa.select(counter).order_by(counter.c.source, counter.c.name)):
                found.setdefault(row.source, {})[row.name] = row.value
        return found


def _begins(column: sa.Column[str], prefix: str) -> sa.ColumnElement[bool]:
    return sa.func.substr(column, 1, len(prefix)) == prefix


_SETTLING: Final = (
    sa.update(message)
    .where(message.c.source == sa.bindparam("here"), message.c.settled_at.is_(None))
    .values(settled_at=sa.bindparam("now"))
)
_FIRSTS: Final = sa.select(message.c.digest, message.c.id, message.c.outcome).where(message.c.duplicate_of.is_(None))


def _settled(connection: sa.Connection, source: str, refs: Sequence[str], now: datetime) -> None:
    change(connection, _SETTLING, message.c.ref, [*map(place, refs)], {"here": place(source), "now": now})


class Batch:
    """One transaction of the ledger. All statements are over the whole batch: their number does not grow with its messages.

    Writers of PostgreSQL take their locks in one order (digests, event ids, keys of addresses, the feed), each sorted.
    """

    def __init__(
        self,
        connection: sa.Connection,
        source: str,
        keys: Keys,
        privacy: Privacy,
        *,
        now: datetime,
        surges: IncidentPolicy | None,
    ) -> None:
        self._connection = connection
        self._source = source
        self._keys = keys
        self._privacy = privacy
        self._now = now
        self._surges = surges
        self._held: dict[bytes, str | None] = {}
        """The plaintexts in the rows of `address` that were written in this transaction."""

    def record(self, readings: Sequence[Reading]) -> Recorded:
        """Store messages and events that are new, and give the histories they touch. Idempotent by raw digest and event id."""
        return retrying(self._connection, lambda: self._record(readings))

    def sent(self, asked: Collection[tuple[str, Address]]) -> dict[tuple[str, Address], Sent]:
        """Which of these Message-IDs went to these recipients, by the send ledger."""
        return sent.matches(self._connection, self._keys, asked)

    def named(self, digests: Sequence[str]) -> dict[str, Address]:
        """The recipients that these hashes in return paths were made of, by the send ledger."""
        return sent.named(self._connection, digests)

    def apply(self, verdicts: Iterable[Verdict]) -> int:
        """Bring the policy's own suppressions in line with its verdicts; returns how many suppressions changed."""
        wanted = list(verdicts)
        return retrying(self._connection, lambda: reconcile(self._connection, wanted, **self._terms()))

    def observe(self, verdicts: Iterable[Verdict]) -> int:
        """Remember what the verdicts would change, and change nothing; returns how many suppressions that would be."""
        wanted = list(verdicts)
        return retrying(self._connection, lambda: observing.sync(self._connection, wanted, **self._terms()))

    def _terms(self) -> dict[str, Any]:
        return {"privacy": self._privacy, "now": self._now, "held": self._held}

    def review(self, verdicts: Iterable[Verdict], *, again: int) -> int:
        """Put before a person what the verdicts ask for; returns how many addresses are new on the list."""
        wanted = [verdict for verdict in verdicts if verdict.reviews or verdict.takes]
        if not wanted:
            return 0
        plain = not self._privacy.hash_only
        return retrying(self._connection, lambda: reviews.sync(self._connection, wanted, again=again, plain=plain))

    def advance(self, checkpoint_: Checkpoint) -> None:
        """Remember how far the source's folder was read."""
        row = {
            "source": place(self._source),
            "folder": place(checkpoint_.folder),
            "uidvalidity": checkpoint_.uidvalidity,
            "uid": checkpoint_.uid,
            "modseq": checkpoint_.modseq,
            "updated_at": self._now,
        }
        statements.upsert(self._connection, checkpoint, row)

    def settled(self, refs: Sequence[str]) -> None:
        """Remember that these messages of earlier batches were settled in the source."""
        _settled(self._connection, self._source, refs, self._now)

    def announce(self, flight: Flight) -> None:
        """Remember what is read from now on, in place of what was said of this folder before."""
        flights.announce(self._connection, self._source, flight, self._now)

    def forgive(self, refs: Sequence[str]) -> None:
        """Forget the attempts of these messages: they are recorded now."""
        flights.forgive(self._connection, self._source, refs)

    def count(self, counts: Mapping[str, int]) -> None:
        """Raise the source's counters, in one order for all writers."""
        rows = [{"source": place(self._source), "name": name, "value": value} for name, value in sorted(counts.items())]
        statements.add(self._connection, counter, rows, column="value")

    def _record(self, readings: Sequence[Reading]) -> Recorded:
        ids = self._messages(readings)
        counts, found = self._events(readings, ids)
        opened = self._watch(found)
        histories = incidents.disregarded(self._connection, self._histories(found))
        new = sum(id_ is not None for id_ in ids)
        return Recorded(
            new=new,
            duplicates=len(readings) - new,
            histories=histories,
            events=tuple(counts),
            added=tuple(one.event for one in found),
            incidents=opened,
        )

    def _watch(self, found: Sequence[Found]) -> tuple[Incident, ...]:
        if self._surges is None:
            return ()
        hidden = self._keys.hidden if self._privacy.hash_only else None
        return incidents.watch(self._connection, found, self._surges, self._now, hidden=hidden)

    # ---- messages ----

    def _messages(self, readings: Sequence[Reading]) -> list[int | None]:
        """Store each message that is new here; gives the row's id for those that nobody has seen anywhere."""
        known = self._firsts({reading.digest for reading in readings})
        offered = self._offered([reading for reading in readings if reading.digest in known])
        firsts: dict[bytes, Reading] = {}
        for reading in readings:
            if reading.digest not in known:
                firsts.setdefault(reading.digest, reading)
        inserted = self._insert_firsts(firsts)
        # What another writer inserted in the meantime is known by now: the unique index made us wait for its commit.
        known |= self._firsts(firsts.keys() - inserted.keys())
        known |= {digest: (id_, firsts[digest].outcome.value) for digest, id_ in inserted.items()}
        mine = {digest: id(firsts[digest]) for digest in inserted}
        repeated = [reading for reading in readings if mine.get(reading.digest) != id(reading)]
        self._insert_duplicates([r for r in repeated if (place(r.ref), r.digest) not in offered], known)
        self._offer_again({offered[place(r.ref), r.digest] for r in repeated if (place(r.ref), r.digest) in offered})
        return [inserted[r.digest] if mine.get(r.digest) == id(r) else None for r in readings]

    def _firsts(self, digests: Collection[bytes]) -> dict[bytes, tuple[int, str]]:
        """Id and outcome of the first row of each digest that is known."""
        rows = chosen(self._connection, _FIRSTS, message.c.digest, digests)
        return {digest: (id_, outcome) for digest, id_, outcome in rows}

    def _offered(self, readings: Sequence[Reading]) -> dict[tuple[str, bytes], int]:
        """The rows of the places that these messages, which are known, lie at, by reference and digest."""
        found: dict[tuple[str, bytes], int] = {}
        for part in chunks(sorted({place(reading.ref) for reading in readings})):
            statement = sa.select(message.c.ref, message.c.digest, message.c.id).where(
                message.c.source == place(self._source), among(self._connection, message.c.ref, part)
            )
            found |= {(row.ref, row.digest): row.id for row in self._connection.execute(statement)}
        return found

    def _row(self, reading: Reading) -> dict[str, Any]:
        return message_row(reading, source=self._source, now=self._now, privacy=self._privacy)

    def _insert_firsts(self, firsts: dict[bytes, Reading]) -> dict[bytes, int]:
        rows = [self._row(firsts[digest]) for digest in sorted(firsts)]
        if self._privacy.copies:
            bare = [row for row in rows if row["raw"] is None]
            for row, copy in zip(bare, pack(firsts[row["digest"]].raw for row in bare), strict=True):
                row["raw"] = copy
        return dict(statements.insert(self._connection, message, rows, ignore_known=True, returning=["digest", "id"]))

    def _insert_duplicates(self, readings: Sequence[Reading], known: dict[bytes, tuple[int, str]]) -> None:
        rows = []
        for reading in readings:
            first, outcome = known[reading.digest]
            rows.append(self._row(reading) | {"duplicate_of": first, "outcome": outcome, "raw": None})
        statements.insert(self._connection, message, rows, ignore_known=True)

    def _offer_again(self, ids: Collection[int]) -> None:
        """A mailbox that offers a message again was not settled, whatever we remember: settle it again."""
        for part in chunks(sorted(ids)):
            statement = sa.update(message).where(among(self._connection, message.c.id, part))
            self._connection.execute(statement.values(settled_at=None, attempts=message.c.attempts + 1))

    # ---- events ----

    def _events(self, readings: Sequence[Reading], ids: Sequence[int | None]) -> tuple[list[int], list[Found]]:
        """Store the events of new messages; gives how many of each reading were new, and the evidence in them."""
        rows: dict[bytes, tuple[int, dict[str, Any]]] = {}
        found: dict[bytes, Found] = {}
        for number, (reading, message_id) in enumerate(zip(readings, ids, strict=True)):
            if message_id is None:
                continue
            origin = {"message_id": message_id, "received_at": reading.received_at, "recorded_at": self._now}
            for given in reading.events:
                one = Found.of(sane(given, reading.received_at), reading, self._keys)
                row = event_row(one.event, id_=one.id, key=one.key, privacy=self._privacy)
                rows.setdefault(one.id, (number, row | origin))
                found.setdefault(one.id, one)
        counts = [0] * len(readings)
        ordered = [rows[id_][1] for id_ in sorted(rows)]
        new = [
            id_ for (id_,) in statements.insert(self._connection, event, ordered, ignore_known=True, returning=["id"])
        ]
        for id_ in new:
            counts[rows[id_][0]] += 1
        return counts, [found[id_] for id_ in new]

    def _histories(self, found: Iterable[Found]) -> tuple[History, ...]:
        touched: dict[bytes, Touched] = {}
        for one in found:
            for subject in one.touches(self._keys, self._privacy):
                touched.setdefault(subject.key, subject).evidence.update(subject.evidence)
        found_, self._held = addresses.add_evidence(self._connection, touched, self._now)
        return found_
