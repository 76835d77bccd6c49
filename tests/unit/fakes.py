"""A source and a ledger in memory that remember what was asked of them, in order."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bounceproc.policy.history import Evidence, History
from bounceproc.ports import READ_AHEAD, Attempt, Checkpoint, Flight, MessageBatch, Reading, Recorded, Settlement
from bounceproc.rawmessage import RawMessage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from bounceproc.address import Address
    from bounceproc.policy.verdict import Verdict
    from bounceproc.ports import Sent


@dataclass
class FakeSource:
    """Gives its batches once, and writes into `log` what is settled."""

    given: list[MessageBatch]
    log: list[str]
    name: str = "fake"
    fail_settling: Exception | None = None

    def batches(self) -> Iterator[MessageBatch]:
        yield from self.given

    def settle(self, settlements: Sequence[Settlement]) -> None:
        if self.fail_settling is not None:
            raise self.fail_settling
        self.log.append("settle " + " ".join(f"{s.ref}={s.outcome}" for s in settlements))


@dataclass
class FakeFolder(FakeSource):
    """The same, kept on a server: numbered messages, and one that breaks the reading off wherever it lies."""

    folder: str = "INBOX"
    within: str = "m"
    reading: Flight | None = None
    breaks: Exception | None = None
    asked: bool = True
    """Whether it breaks off after the last message was asked for, or before."""

    def look(self, checkpoint: Checkpoint | None, attempts: Mapping[str, Attempt]) -> Flight:
        return self._flight(0, 1 + READ_AHEAD)

    def batches(self) -> Iterator[MessageBatch]:
        for number, batch in enumerate(self.given):
            if self.breaks is not None and number == len(self.given) - 1:
                self.reading = self._flight(number, number + 1) if self.asked else None
                raise self.breaks
            yield replace(batch, ahead=self._flight(number + 1, number + 2 + READ_AHEAD))

    def interrupt(self) -> None:
        self.log.append("interrupt")

    def _flight(self, first: int, last: int) -> Flight:
        refs = [message.ref for batch in self.given[first:last] for message in batch.messages]
        return Flight(self.within, "m", tuple(int(ref[1:]) for ref in refs))


@dataclass
class FakeLedger:
    """One transaction at a time; keys are plaintext."""

    log: list[str]
    histories: dict[str, History] = field(default_factory=dict)
    digests: set[bytes] = field(default_factory=set)
    pending: list[Settlement] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    fail_on: bytes | None = None
    error: Exception | None = None
    counts: Counter[str] = field(default_factory=Counter)
    announced: Flight | None = None
    tried: dict[str, Attempt] = field(default_factory=dict)
    mails: dict[tuple[str, Address], Sent] = field(default_factory=dict)
    people: dict[str, Address] = field(default_factory=dict)

    @contextmanager
    def batch(self, source: str) -> Iterator[FakeLedger]:
        self.log.append(f"begin {source}")
        try:
            yield self
        except BaseException:
            self.log.append("rollback")
            raise
        self.log.append("commit")

    def record(self, readings: Sequence[Reading]) -> Recorded:
        touched: dict[str, History] = {}
        counts = []
        added = []
        for reading in readings:
            if self.error is not None and self.fail_on is not None and self.fail_on in reading.raw and reading.events:
                raise self.error
            known = reading.digest in self.digests
            self.digests.add(reading.digest)
            counts.append(0 if known else len(reading.events))
            for event in () if known else reading.events:
                added.append(event)
                if event.recipient is None:
                    continue
                key = event.recipient.normal
                history = self.histories.get(key, History(key.encode()))
                evidence = Evidence.of(
                    event, id_=event.identity(key.encode()), received_at=reading.received_at, original=b""
                )
                self.histories[key] = touched[key] = history.with_evidence([evidence])
        self.log.append(f"record {len(readings)}")
        return Recorded(len(counts), 0, tuple(touched.values()), tuple(counts), tuple(added))

    def sent(self, asked: Collection[tuple[str, Address]]) -> dict[tuple[str, Address], Sent]:
        self.log.append(f"sent {len(asked)}")
        return {pair: self.mails[pair] for pair in asked if pair in self.mails}

    def named(self, digests: Sequence[str]) -> dict[str, Address]:
        self.log.append(f"named {len(digests)}")
        return {digest: self.people[digest] for digest in digests if digest in self.people}

    def apply(self, verdicts: Iterable[Verdict]) -> int:
        found = [verdict for verdict in verdicts if verdict.decisions]
        self.verdicts += found
        return len(found)

    def observe(self, verdicts: Iterable[Verdict]) -> int:
        self.log.append("observe")
        return sum(bool(verdict.decisions) for verdict in verdicts)

    def review(self, verdicts: Iterable[Verdict], *, again: int) -> int:
        return sum(len(verdict.reviews) for verdict in verdicts)

    def advance(self, checkpoint: Checkpoint) -> None:
        self.log.append(f"advance {checkpoint.uid}")

    def count(self, counts: Mapping[str, int]) -> None:
        self.counts.update(counts)

    def forgive(self, refs: Sequence[str]) -> None:
        self.log.append(f"forgive {' '.join(refs)}")
        for ref in refs:
            self.tried.pop(ref, None)

    def checkpoint(self, source: str, folder: str) -> Checkpoint | None:
        return None

    def unsettled(self, source: str, within: str = "") -> list[Settlement]:
        return [settlement for settlement in self.pending if settlement.ref.startswith(within)]

    def settled(self, *source_and_refs: Any) -> None:
        *_source, refs = source_and_refs  # without a source in a batch, which knows it
        if refs:
            self.log.append(f"settled {' '.join(refs)}")

    def announce(self, *source_and_flight: Any) -> None:
        flight: Flight = source_and_flight[-1]
        self.log.append(f"announce {' '.join(flight.refs)}".strip())
        self.announced = flight or None

    def landed(self, source: str, within: str) -> None:
        self.log.append("landed")
        self.announced = None

    def stranded(self, source: str, within: str) -> None:
        if self.announced is not None:
            self.failed(source, within, self.announced.refs, "stranded")

    def failed(self, source: str, within: str, refs: Sequence[str], reason: str) -> None:
        self.log.append(f"failed {' '.join(refs)}")
        self.announced = None
        for ref in refs:
            self.tried[ref] = Attempt(self.tried.get(ref, Attempt(0, "")).attempts + 1, reason)

    def attempts(self, source: str, within: str) -> dict[str, Attempt]:
        return dict(self.tried)


def batch_of(*messages: bytes, start: int = 1, checkpoint: bool = False) -> MessageBatch:
    """A batch of these messages, with references m1, m2, ..."""
    raw = tuple(RawMessage(f"m{start + n}", message, None) for n, message in enumerate(messages))
    return MessageBatch(raw, Checkpoint("INBOX", 1, start + len(messages) - 1) if checkpoint else None, len(messages))
