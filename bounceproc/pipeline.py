"""One batch of messages in, one outcome per message out."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import TYPE_CHECKING, Final

from bounceproc.errors import BadDataError
from bounceproc.event import EventType, Kind
from bounceproc.matching import matched
from bounceproc.meaning import interpret_raw
from bounceproc.policy.decide import decide
from bounceproc.ports import WORTH_A_READER, Meaning, MessageBatch, Outcome, Reading, Settlement
from bounceproc.rawmessage import RawMessage
from bounceproc.refusal import is_ours

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from bounceproc.classify.classifier import Classifier
    from bounceproc.identity import Identifier
    from bounceproc.policy.settings import Policy
    from bounceproc.policy.verdict import Verdict
    from bounceproc.ports import Incident, Reader, Recorded, Recorder, Weigher

OUTCOMES: Final = {
    Kind.DSN: Outcome.REPORT,
    Kind.ARF: Outcome.REPORT,
    Kind.UNSUBSCRIBE: Outcome.REPORT,
    Kind.AUTO_REPLY: Outcome.AUTO_REPLY,
    Kind.MDN: Outcome.AUTO_REPLY,
    Kind.OTHER: Outcome.UNRECOGNISED,
    Kind.MALFORMED: Outcome.MALFORMED,
}


_CR: Final = ord("\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What one batch changed."""

    readings: tuple[Reading, ...]
    settlements: tuple[Settlement, ...]
    duplicates: int = 0
    verdicts: tuple[Verdict, ...] = ()
    changed: int = 0
    """Suppressions that were added, changed or lifted."""
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    incidents: tuple[Incident, ...] = ()
    """Surges of a provider's refusals that began here: what they condemn is held back until a person decides."""


def raw_digest(message: bytes) -> bytes:
    """BLAKE2b-256 of the message with its line ends normalised: the same mail through CRLF and LF doors is the same."""
    if _CR in message:
        message = message.replace(b"\r\n", b"\n")
        if _CR in message:
            message = message.replace(b"\r", b"\n")
    return hashlib.blake2b(message, digest_size=32).digest()


def _digest(raw: RawMessage) -> bytes:
    return raw_digest(raw.data if raw.data or raw.error is None else raw.ref.encode())


def _with_usual_line_ends(raw: RawMessage) -> RawMessage:
    """The message as its digest and its readers both want it, so that neither of them has to make it so."""
    if _CR not in raw.data:
        return raw
    data = raw.data.replace(b"\r\n", b"\n")
    return RawMessage(raw.ref, data, raw.received_at, raw.error) if _CR not in data else raw


def meant(
    raw: RawMessage, classifier: Classifier, copy: bytes | None = None, identifier: Identifier | None = None
) -> Meaning:
    """What one message says, with all that the ledger wants of it."""
    raw = _with_usual_line_ends(raw)
    meaning = interpret_raw(raw, classifier, identifier)
    report = meaning.report
    if report is None:
        return Meaning(meaning.kind, meaning.events, None, None, None, meaning.error, _digest(raw), copy)
    found = (report.detector, report.message_id, report.reporting_mta)
    return Meaning(meaning.kind, meaning.events, *found, meaning.error, _digest(raw), copy, meaning.token)


def read(raw: RawMessage, meaning: Meaning, now: datetime) -> Reading:
    """One message as the ledger records it: what it says of our own refusals is left out."""
    received_at = raw.received_at or now
    events = tuple([event.dated(received_at) for event in meaning.events if not is_ours(event.diagnostic)])
    only_ours = len(events) < len(meaning.events) and not events
    return Reading(
        ref=raw.ref,
        digest=meaning.digest,
        received_at=received_at,
        outcome=Outcome.OWN_REFUSAL if only_ours else OUTCOMES[meaning.kind],
        kind=meaning.kind,
        detector=meaning.detector,
        message_id=meaning.message_id,
        reporting_mta=meaning.reporting_mta,
        events=events,
        raw=raw.data,
        error=meaning.error,
        copy=meaning.copy,
        token=meaning.token,
    )


class Pipeline:
    """The way of a batch: read everything first, then record, decide and apply in one transaction."""

    def __init__(
        self,
        *,
        ledger: Recorder,
        classifier: Classifier,
        policy: Policy,
        clock: Callable[[], datetime],
        reader: Reader | None = None,
        identifier: Identifier | None = None,
        weigher: Weigher | None = None,
        sent: bool = False,
    ) -> None:
        """`sent`: there is a send ledger, and reports are held against it."""
        self._ledger = ledger
        self._classifier = classifier
        self._policy = policy
        self._clock = clock
        self._reader = reader
        self._identifier = identifier
        self._weigher = weigher
        self._sent = sent

    def preview(self, batch: MessageBatch) -> BatchResult:
        """What the messages say, with nothing recorded: for dry runs."""
        now = self._clock()
        return _result(tuple(map(read, batch.messages, self._meanings(batch.messages), repeat(now))))

    def prepared(self, batch: MessageBatch) -> MessageBatch:
        """The batch with its reading begun beside this process, where there is enough of it and somebody to do it."""
        if self._reader is None or (batch.total or 0) < WORTH_A_READER or not batch.messages:
            return batch
        return replace(batch, meanings=self._reader.begin(batch.messages))

    def process(self, source: str, batch: MessageBatch, settled: Sequence[str] = ()) -> BatchResult:
        """Record a batch and what follows from it. When this returns it is committed, and the source may be touched.

        `settled` are messages of earlier batches that the source settled meanwhile.
        """
        meanings = batch.meanings() if batch.meanings is not None else self._meanings(batch.messages)
        now = self._clock()
        readings = tuple(map(read, batch.messages, meanings, repeat(now)))
        return self.record(source, readings, batch, settled)

    def _meanings(self, messages: Sequence[RawMessage]) -> list[Meaning]:
        return [meant(raw, self._classifier, None, self._identifier) for raw in messages]

    def record(
        self, source: str, readings: tuple[Reading, ...], batch: MessageBatch, settled: Sequence[str] = ()
    ) -> BatchResult:
        """The same for a batch whose messages were read already."""
        if self._weigher is not None:
            readings = self._weigher.weighed(readings)
        now = self._clock()
        try:
            return self._commit(source, readings, batch, settled, now)
        except BadDataError:
            # Some value in some message is more than the database takes: find it, park it, record the rest.
            parked = tuple(self._storable(source, reading, now) for reading in readings)
            return self._commit(source, parked, batch, settled, now)

    def _commit(
        self, source: str, readings: tuple[Reading, ...], batch: MessageBatch, settled: Sequence[str], now: datetime
    ) -> BatchResult:
        with self._ledger.batch(source) as ledger:
            if settled:
                ledger.settled(settled)
            if self._sent:
                readings = matched(readings, ledger)
            recorded = ledger.record(readings)
            verdicts = tuple(decide(history, self._policy, now) for history in recorded.histories)
            changed = ledger.apply(verdicts) if self._policy.enforce else 0
            observed = 0 if self._policy.enforce else ledger.observe(verdicts)
            ledger.review(verdicts, again=self._policy.review_again)
            if batch.checkpoint is not None:
                ledger.advance(batch.checkpoint)
            if batch.ahead is not None:
                ledger.announce(batch.ahead)
            if batch.suspected:
                ledger.forgive([reading.ref for reading in readings])
            if batch.messages:
                ledger.count(_counts(readings, recorded, changed=changed, observed=observed))
        return replace(
            _result(readings),
            duplicates=recorded.duplicates,
            verdicts=verdicts,
            changed=changed,
            incidents=recorded.incidents,
        )

    def _storable(self, source: str, reading: Reading, now: datetime) -> Reading:
        """The reading if the ledger takes it by itself, else a malformed one that says why and keeps the raw message."""
        try:
            self._commit(source, (reading,), MessageBatch(()), (), now)
        except BadDataError as error:
            bare = reading._replace(outcome=Outcome.MALFORMED, kind=Kind.MALFORMED, events=(), error=str(error))
            return bare._replace(message_id=None, reporting_mta=None, detector=None)
        return reading


def _counts(readings: Sequence[Reading], recorded: Recorded, *, changed: int, observed: int) -> Counter[str]:
    """What a batch adds to the counters: of events only those that were new."""
    counts = Counter(
        batches=1,
        messages=len(readings),
        duplicates=recorded.duplicates,
        parked=[reading.outcome for reading in readings].count(Outcome.MALFORMED),
        suppressions=changed,
        observed=observed,
    )
    for (type_, class_), count in Counter([(event.type, event.class_) for event in recorded.added]).items():
        counts[f"event:{type_.value}"] += count
        if type_ is EventType.BOUNCE and class_ is not None:
            counts[f"bounce:{class_.value}"] += count
    return +counts


def _result(readings: Sequence[Reading]) -> BatchResult:
    return BatchResult(
        readings=tuple(readings),
        settlements=tuple([Settlement(reading.ref, reading.outcome) for reading in readings]),
        outcomes=Counter([reading.outcome for reading in readings]),
    )
