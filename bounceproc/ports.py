"""What the flow asks of the world, as values and Protocols: mail sources, a ledger, readers of the suppression list."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from bounceproc.event import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from threading import Event as Signal

    from bounceproc.address import Address
    from bounceproc.event import Event, Kind
    from bounceproc.policy.history import History, Kept
    from bounceproc.policy.replay import PolicyEntry
    from bounceproc.policy.verdict import Verdict
    from bounceproc.rawmessage import RawMessage
    from bounceproc.returnpath import Token


# ---- mail in ---------------------------------------------------------------------------------------------------------


class Outcome(StrEnum):
    """What became of a message: decides where the source puts it."""

    REPORT = "report"  # dsn, arf, unsubscribe
    OWN_REFUSAL = (
        "own-refusal"  # a report of what we refused ourselves: it lies with the reports, and counts for nothing
    )
    AUTO_REPLY = "auto-reply"  # auto-reply, mdn
    UNRECOGNISED = "unrecognised"  # ordinary mail: not ours to touch
    MALFORMED = "malformed"  # a report that cannot be read: parked where a person can see it


class Settlement(NamedTuple):
    """What a source is told about one message, after the commit."""

    ref: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a folder was read. A change of `uidvalidity` makes `uid` meaningless (RFC 9051 2.3.1.1)."""

    folder: str
    uidvalidity: int
    uid: int
    modseq: int | None = None
    """Up to which change the folder was followed (RFC 7162), for a source that follows changes. None of ours does: new mail has a
    higher UID, and what becomes of the flags of mail that was read is nobody's concern here."""


@dataclass(frozen=True, slots=True)
class Flight:
    """Messages between their source and their record: one of them may be why a run ends without a word."""

    within: str
    """The source's `within`."""
    prefix: str
    """What their references begin with; the rest is a number."""
    numbers: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.numbers)

    @property
    def refs(self) -> tuple[str, ...]:
        """The references."""
        return tuple(f"{self.prefix}{number}" for number in self.numbers)


@dataclass(frozen=True, slots=True)
class Attempt:
    """How often a message was read without ever being recorded."""

    attempts: int
    reason: str
    """Of the last time."""


class Meaning(NamedTuple):
    """What one message says, as another process tells it, and what the ledger wants of it besides."""

    kind: Kind
    events: tuple[Event, ...]
    detector: str | None
    message_id: str | None
    reporting_mta: str | None
    error: str | None
    digest: bytes
    """The raw digest."""
    copy: bytes | None = None
    """The message as the ledger keeps it; None where it has still to be made, or none is kept."""
    token: Token | None = None
    """A valid token of which nobody that the report names is the recipient: only a hash of him stands in it."""


WORTH_A_READER: Final = 2000
"""Messages of one run for which it is worth while to start a process that reads them: it needs a tenth of a second."""


class Reader(Protocol):
    """Whoever reads messages beside this process."""

    def begin(self, messages: Sequence[RawMessage]) -> Callable[[], Sequence[Meaning]]:
        """Begin to read these messages; what it gives waits for what they say."""


READ_AHEAD: Final = 3
"""Batches that are read while one is recorded: as many as are recorded while the server moves many messages, and reads none."""


@dataclass(frozen=True, slots=True)
class MessageBatch:
    """Some messages of a source, and how far they reach."""

    messages: tuple[RawMessage, ...]
    checkpoint: Checkpoint | None = None
    """To be recorded with the batch; None for sources that have no cursor."""
    total: int | None = None
    """How many messages this run will give in all, where the source knows: for progress bars."""
    ahead: Flight | None = None
    """What may be read once this batch is recorded, until the next one is; None for sources that read nothing ahead."""
    alone: bool = False
    """Read nothing more ahead before this batch is recorded: it, or one that would be read, is suspected of ending runs."""
    suspected: bool = False
    """Its messages had attempts, which are forgotten with its record."""
    meanings: Callable[[], Sequence[Meaning]] | None = None
    """Gives what the messages say, once that is known, where somebody else is at it."""


class Source(Protocol):
    """A place that mail comes from."""

    @property
    def name(self) -> str:
        """The source's name in the ledger: a mailbox's name, or `files`."""

    def batches(self) -> Iterator[MessageBatch]:
        """The messages that are new since the checkpoint, in bounded batches.

        Raises:
            UnavailableError: the source does not answer.
            AccessError: it refuses us.

        """

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Move, flag or leave messages, after their commit. A message that is no longer there is settled already.

        Raises:
            UnavailableError: the source does not answer; the settlements stay due.

        """


class FolderSource(Source, Protocol):
    """A source that keeps its mail on a server, where it is read ahead while earlier messages are recorded.

    All calls but `interrupt` come from one thread, one after the other.
    """

    @property
    def folder(self) -> str:
        """The folder's name in the ledger's checkpoints."""

    @property
    def within(self) -> str:
        """What the references of all messages of this folder begin with."""

    @property
    def reading(self) -> Flight | None:
        """What the server was asked for and has not given yet; None in between."""

    def look(self, checkpoint: Checkpoint | None, attempts: Mapping[str, Attempt]) -> Flight:
        """See what is new behind the checkpoint, for `batches` to give; returns what it will read first.

        Messages with attempts are read in small batches of their own, in the end alone, and then no more.

        Raises:
            UnavailableError, AccessError: see `batches`.

        """

    def interrupt(self) -> None:
        """Break off whatever the source's thread is waiting for."""


class WatchedSource(Source, Protocol):
    """A source that can be read again and again, and knows how to wait for new mail in between."""

    def wait(self, timeout: float, stopped: Callable[[], bool]) -> None:
        """Return when there may be something new, soon after `stopped()` is true, and otherwise after some `timeout` seconds.

        A source whose server tells it of new mail may wait longer than that. `stopped` is asked at least once a second: each
        time it is, whoever looks after the source knows that it is alive.

        Raises:
            UnavailableError, AccessError: see `batches`.

        """

    def facts(self) -> Mapping[str, int | str]:
        """What there was at the last look, for the line that says why nothing was new: messages, cursor, UIDVALIDITY."""


# ---- the ledger ------------------------------------------------------------------------------------------------------


class Reading(NamedTuple):
    """One message, read, classified and dated: what the ledger records."""

    ref: str
    digest: bytes
    """The raw digest: BLAKE2b-256 of the message with line ends normalised."""
    received_at: datetime
    outcome: Outcome
    kind: Kind
    detector: str | None
    message_id: str | None
    reporting_mta: str | None
    events: tuple[Event, ...]
    raw: bytes
    error: str | None = None
    copy: bytes | None = None
    """`raw` as it is kept; None where that has still to be made."""
    token: Token | None = None
    """See `Meaning`."""


class Weigher(Protocol):
    """Holds what was reported against what can be proved."""

    def weighed(self, readings: Sequence[Reading]) -> tuple[Reading, ...]:
        """The same readings in order, events that there is proof of with more trust. Never raises; takes bounded time."""
        ...


class IncidentState(StrEnum):
    """What a person said of an incident."""

    OPEN = "open"  # nothing yet
    CONFIRMED = "confirmed"  # the mailboxes are gone: its events count
    REVERTED = "reverted"  # the provider was at fault: its events never count


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One wording of one provider that suddenly condemned very many recipients."""

    id: int
    provider: str
    wording: str
    """The words of the reply, without what differs from recipient to recipient."""
    usual: int
    """Recipients on the worst of the days before."""
    opened_at: datetime
    surged_at: datetime
    """When it was last that many."""
    state: IncidentState
    recipients: int
    """Different recipients whose events are part of it."""
    held: int
    """Those of them that nothing else suppresses."""
    decided_at: datetime | None = None
    decided_by: str | None = None
    note: str | None = None

    def to_dict(self) -> dict[str, str | int | None]:
        """The incident under the names that scripts rely on."""
        return {
            "id": self.id,
            "state": self.state.value,
            "provider": self.provider,
            "wording": self.wording,
            "recipients": self.recipients,
            "held": self.held,
            "usual": self.usual,
            "opened_at": iso(self.opened_at),
            "surged_at": iso(self.surged_at),
            "decided_at": iso(self.decided_at),
            "decided_by": self.decided_by,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording a batch changed."""

    new: int
    duplicates: int
    histories: tuple[History, ...]
    """Of every address and domain that has new evidence, the new evidence included."""
    events: tuple[int, ...]
    """For each reading in order, how many events of it were new (0 for a message seen before)."""
    added: tuple[Event, ...] = ()
    """The events that were new."""
    incidents: tuple[Incident, ...] = ()
    """What began with this batch: refusals that are held back, so that the histories are without them."""


class Sent(NamedTuple):
    """What the send ledger knows of one mail to one recipient."""

    stream: str | None
    reference: str | None


class LedgerBatch(Protocol):
    """One transaction of the ledger."""

    def sent(self, asked: Collection[tuple[str, Address]]) -> Mapping[tuple[str, Address], Sent]:
        """Which of these Message-IDs went to these recipients, by the send ledger."""

    def named(self, digests: Sequence[str]) -> Mapping[str, Address]:
        """The recipients that these hashes in return paths were made of, by the send ledger."""

    def record(self, readings: Sequence[Reading]) -> Recorded:
        """Store messages and events that are new, and give the histories they touch. Idempotent by raw digest and event id."""

    def apply(self, verdicts: Iterable[Verdict]) -> int:
        """Bring the policy's own suppressions in line with its verdicts; returns how many suppressions changed."""

    def observe(self, verdicts: Iterable[Verdict]) -> int:
        """Remember what the verdicts would change, and change nothing; returns how many suppressions that would be."""

    def review(self, verdicts: Iterable[Verdict], *, again: int) -> int:
        """Put before a person what the verdicts ask for; returns how many addresses are new on that list.

        What a person decided about stays decided until `again` pieces of evidence were received since.
        """

    def advance(self, checkpoint: Checkpoint) -> None:
        """Remember how far the source's folder was read."""

    def settled(self, refs: Sequence[str]) -> None:
        """Remember that these messages of earlier batches were settled in the source."""

    def announce(self, flight: Flight) -> None:
        """Remember what is read from now on, in place of what was said of this folder before."""

    def forgive(self, refs: Sequence[str]) -> None:
        """Forget the attempts of these messages: they are recorded now."""

    def count(self, counts: Mapping[str, int]) -> None:
        """Raise the source's counters."""


class Recorder(Protocol):
    """What takes the flow's batches."""

    def batch(self, source: str) -> AbstractContextManager[LedgerBatch]:
        """One transaction: committed when the block ends, rolled back when it raises."""


class Ledger(Recorder, Protocol):
    """What the flow remembers from run to run."""

    def checkpoint(self, source: str, folder: str) -> Checkpoint | None:
        """How far the folder was read in earlier runs."""

    def unsettled(self, source: str, within: str = "") -> list[Settlement]:
        """What was committed and, for a crash in between, never settled in the source, of the references that begin so."""

    def settled(self, source: str, refs: Sequence[str]) -> None:
        """Remember that these messages were settled in the source."""

    def announce(self, source: str, flight: Flight) -> None:
        """Remember what is read from now on, before anything of it is."""

    def landed(self, source: str, within: str) -> None:
        """Nothing of this folder is being read any more."""

    def stranded(self, source: str, within: str) -> None:
        """Count an attempt for what an earlier run announced and neither recorded nor gave back: it ended in the middle."""

    def failed(self, source: str, within: str, refs: Sequence[str], reason: str) -> None:
        """Count an attempt for these messages, and nothing of their folder is being read any more."""

    def attempts(self, source: str, within: str) -> dict[str, Attempt]:
        """The messages of this folder that were tried and never recorded, by reference."""


# ---- the list --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """One entry of the list: an address or a whole domain that must not be mailed, in one scope, for one reason."""

    address: str | None
    """The plaintext (`@domain` for a whole domain); None where it was forgotten or never stored."""
    key: bytes
    scope: str
    """`*` or `stream:NAME`."""
    reason: str
    """`bounce`, `complaint`, `unsubscribe`, `manual`, `import`."""
    origin: str
    """`policy`, `manual`, `import`, `api`."""
    since: datetime
    until: datetime | None
    category: str | None = None
    class_: str | None = None
    ref: str | None = None
    """The id of the event that decided, in hexadecimal."""
    note: str | None = None
    """What a person wrote, or what policy counted."""
    second_look: bool = False
    """It does not end at `until`: it becomes permanent then, unless a sign of delivery comes before."""

    def to_dict(self) -> dict[str, str | None]:
        """The entry under the names that scripts rely on."""
        return {
            "scope": self.scope,
            "reason": self.reason,
            "category": self.category,
            "class": self.class_,
            "since": iso(self.since),
            "until": iso(self.until),
            "ref": self.ref,
            "origin": self.origin,
            "note": self.note,
        }


REASONS: Final = ("manual", "complaint", "unsubscribe", "bounce", "import")
"""Strongest first: a person's own decision, what the recipient asked for, what a server said, what a list claims."""


def rank(scope: str, origin: str, reason: str) -> int:
    """How strong an entry is, the strongest lowest: every scope before one stream, a person before policy, then by reason."""
    place = REASONS.index(reason) if reason in REASONS else len(REASONS)
    return ((scope != "*") * 2 + (origin not in {"manual", "api"})) * (len(REASONS) + 1) + place


class Why(NamedTuple):
    """Why something is on the list, as many entries share it."""

    rank: int
    """The strongest has the lowest."""
    reason: str
    category: str
    """Empty where there is none."""
    scope: str
    origin: str = "policy"


class Standing(NamedTuple):
    """One entry in force, as little of it as whoever holds the whole list in memory needs."""

    key: bytes
    address: str | None
    """The normal form (`@domain` for a whole domain); None where it was forgotten or never stored."""
    why: Why
    is_domain: bool = False


class Spared(NamedTuple):
    """A person's decision to go on sending to an address, for whoever holds the whole list in memory or in a file."""

    key: bytes
    address: str | None
    """The normal form; None where it was forgotten or never stored."""
    kept: Kept


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """One event out of the ledger, for people to read."""

    id: str
    event: Event
    received_at: datetime
    source: str
    ref: str
    kind: str
    detector: str | None

    def to_dict(self) -> dict[str, str | int | None]:
        """The event under the names that scripts rely on."""
        where = {"id": self.id, "received_at": iso(self.received_at), "source": self.source, "ref": self.ref}
        ours = {"stream": self.event.stream, "reference": self.event.reference}
        return {**self.event.to_dict(), **ours, **where, "kind": self.kind, "detector": self.detector}


@dataclass(frozen=True, slots=True)
class AddressStatus:
    """The whole story of one address."""

    address: str
    suppressions: tuple[Suppression, ...]
    """In force at the moment asked for, strongest first, those of its domain included."""
    events: tuple[RecordedEvent, ...]
    """Newest first."""
    histories: tuple[History, ...] = ()
    """What policy counts with: of the address, then of its domain, where there is one."""
    kept: tuple[Mapping[str, str | None], ...] = ()
    """Decisions by hand to go on sending."""
    review: tuple[Mapping[str, str | int | None], ...] = ()
    """What waits for a person's decision, or had one."""

    def to_dict(self) -> dict[str, object]:
        """The story under the names that scripts rely on; the strongest suppression's fields stand at the top as well."""
        strongest = self.suppressions[0].to_dict() if self.suppressions else {}
        top = {name: strongest.get(name) for name in ("scope", "reason", "category", "class", "since", "until", "ref")}
        return {
            "address": self.address,
            "suppressed": bool(self.suppressions),
            **top,
            "suppressions": [suppression.to_dict() for suppression in self.suppressions],
            "events": [event.to_dict() for event in self.events],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of the feed: what changed, in commit order."""

    version: int
    at: datetime
    action: str
    """`add`, `change`, `remove`; `keep` and `unkeep` tell of a person's decision to go on sending, `forget` of an
    erasure of plaintext: they change no entry."""
    actor: str
    suppression: Suppression
    """As it is after the change, or as it was before a removal."""


@dataclass(frozen=True, slots=True)
class Wish:
    """An entry that a person or an import asks for."""

    subject: Address
    scope: str
    reason: str
    until: datetime | None = None
    note: str | None = None
    since: datetime | None = None
    """When the list that it comes from says that it began; None for now."""
    category: str | None = None
    class_: str | None = None


@dataclass(slots=True)
class Loaded:
    """What became of the rows of a list; those that ask for the same entry are counted each."""

    added: int = 0
    changed: int = 0
    known: int = 0
    """Stood there already, just so or further reaching."""
    kept: int = 0
    """A person decided to go on sending to them, which beats a list."""
    over: int = 0
    """They had ended before they were read."""

    def __add__(self, other: Loaded) -> Loaded:
        """Both together."""
        return Loaded(
            self.added + other.added,
            self.changed + other.changed,
            self.known + other.known,
            self.kept + other.kept,
            self.over + other.over,
        )


class SuppressionReader(Protocol):
    """Whoever answers "may I send to this address?"."""

    def check(self, addresses: Sequence[Address], *, stream: str | None, now: datetime) -> Mapping[str, Suppression]:
        """The strongest suppression in force of each suppressed address, by normal form. Without a stream, any scope counts."""

    def status(self, address: Address, *, stream: str | None, now: datetime) -> AddressStatus:
        """Everything that is known of one address."""

    def suppressions(self, *, now: datetime, include_expired: bool = False) -> Iterator[Suppression]:
        """The whole list, read in pages, in a stable order."""

    def changes(self, *, since: int) -> Iterator[Change]:
        """The feed behind a version, in commit order."""

    def spared(self, *, stream: str | None, now: datetime, delimiter: str | None = None) -> Iterator[Spared]:
        """The addresses that may be mailed by a person's decision alone: without it an entry of their domain would forbid it.

        With a `delimiter` of extensions, entries of the address without its extension count like those of the domain. Where the
        plaintext of the address is gone nobody can tell what its domain is: these come as well.
        """

    def version(self) -> int:
        """The newest version of the feed; 0 for an empty one."""


class SuppressionWriter(Protocol):
    """Whoever changes the list by hand."""

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
    ) -> bool:
        """Add or change an entry by hand; False when it stood there already just so."""

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
        """Lift every entry of an address (of one scope, or of all when None); returns how many were lifted.

        Raises:
            ConsentError: one is there for a complaint, and no consent is stated.

        """


# ---- what was recorded, read again -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recalled:
    """A bounce or delay as it was recorded."""

    id: bytes
    event: Event


@dataclass(frozen=True, slots=True)
class Subject:
    """All that policy knows of one address or domain, and what it made of it."""

    address: str | None
    """The plaintext; None where it is not kept."""
    history: History
    standing: tuple[PolicyEntry, ...]
    """Policy's own entries in force."""
    otherwise: tuple[str, ...]
    """The reasons of the entries in force that policy did not make."""
    events: tuple[Recalled, ...] = ()
    """The bounces and delays behind the history, where they were asked for and there is a text to judge."""


class Replays(Protocol):
    """What was recorded, for whoever wants to judge it anew."""

    def count(self) -> int:
        """How many addresses and domains there are."""

    def pages(self, now: datetime, *, with_events: bool = False) -> Iterator[list[Subject]]:
        """Every address and domain, some at a time, each with its entries in force and, on demand, the events behind it."""

    def rewrite(
        self,
        subjects: Sequence[Subject],
        judged: Mapping[bytes, Event],
        decide: Callable[[History], Verdict],
        *,
        actor: str,
        now: datetime,
    ) -> int:
        """Write newer judgements over events, by id, and bring policy's entries in line; returns how many entries changed."""


# ---- answering many questions ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ranked:
    """One entry as it stands in the list, ended or not, and where it ranks among others."""

    rank: tuple[int, bool, float, bool, float]
    """Sorts the strongest first."""
    suppression: Suppression
    ends: datetime | None
    """When it is over; None where no mere passing of time ends it."""

    def holds(self, stream: str | None, now: datetime) -> bool:
        """Whether it counts at this moment: for one stream, or for any scope without one."""
        counts = stream is None or self.suppression.scope in {"*", f"stream:{stream}"}
        return counts and (self.ends is None or self.ends > now)


Said: TypeAlias = "Ranked | Kept"
"""What the list has about one key: an entry, or a person's decision to go on sending."""


class Keyed(Protocol):
    """Makes keys of addresses; without its secret nobody can."""

    @property
    def id(self) -> str:
        """Tells secrets apart, and gives nothing away."""

    def of(self, address: Address) -> bytes:
        """The key of an address or of a whole domain."""

    def of_sha256(self, sha256: bytes) -> bytes:
        """The key of the address whose normal form has this SHA-256."""

    def of_names(self, names: Iterable[bytes]) -> list[bytes]:
        """The keys of the addresses and domains with these normal forms in UTF-8."""


class Place(NamedTuple):
    """How far the feed was read."""

    version: int
    mark: bytes
    """Proves that the feed is still the same: a hash of the change with this version (16 octets); zeros before the first."""


BEGINNING: Final = Place(0, bytes(16))
"""Nothing of a feed was read."""


class ListReader(Protocol):
    """What a server that holds the list's keys in memory asks of the list. Safe to call from any thread."""

    def prefixes(self) -> Iterator[bytes]:
        """The first 8 octets of every key of the list, ascending, many of them joined in each piece."""

    def kept(self) -> Iterator[bytes]:
        """The keys that a person decided about to go on sending: there are few."""

    def standing(self, keys: Sequence[bytes]) -> Mapping[bytes, tuple[Said, ...]]:
        """The entries with these keys and what a person decided about them, whether they still hold or not."""

    def touched(self, since: Place) -> tuple[Place, frozenset[bytes]] | None:
        """The keys that changes behind a place are about, some thousand at most, and the place up to which that is all.

        None where the feed is not the one that was read up to there: the database was put back from a backup, or is another.

        Raises:
            BounceprocError: the list cannot be asked.

        """

    def place(self) -> Place:
        """The end of the feed."""

    def listen(self, ring: Callable[[], None], stop: Signal) -> None:
        """Ring when the feed may have grown, until `stop`; return at once where the database tells nobody."""

    def page(self, after: int, limit: int, now: datetime) -> tuple[list[Suppression], int | None]:
        """Entries in force behind a place, in the order in which they were added, and the place to go on from; None at the end."""


class SentLedger(Protocol):
    """Whoever remembers what was sent."""

    def sent(self, messages: Sequence[Mapping[str, object]]) -> int:
        """Remember messages: `message_id`, `recipient`, `stream`, `reference`, `sent_at`; returns how many were new.

        Raises:
            BadDataError: one of them cannot be, and nothing is remembered; it says which.

        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a program asks to be done to one subject of the list."""

    subject: Address
    scope: str
    reason: str
    """Any words; those of the vocabulary become the entry's reason, others its note."""
    actor: str
    note: str | None = None
    until: datetime | None = None
    consent: str | None = None
    """How the recipient took a complaint back, where one is to be lifted."""


class ListWriter(Protocol):
    """Whoever changes the list for a program."""

    def put(self, wanted: Wanted) -> bool:
        """Add or change an entry; False when it stood there already just so."""

    def lift(self, wanted: Wanted, *, every_scope: bool) -> int:
        """Lift the entry of this scope, or of all; returns how many were lifted.

        Raises:
            ConsentError: one is there for a complaint, and no consent is stated.

        """
