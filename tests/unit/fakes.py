"""A source and a ledger in memory that remember what was asked of them, in order."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bounceproc.policy.history import Evidence, History
from bounceproc.ports import Checkpoint, MessageBatch, RawMessage, Reading, Recorded, Settlement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bounceproc.policy.verdict import Verdict


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
class FakeLedger:
    """One transaction at a time; keys are plaintext."""

    log: list[str]
    histories: dict[str, History] = field(default_factory=dict)
    digests: set[bytes] = field(default_factory=set)
    pending: list[Settlement] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    fail_on: bytes | None = None
    error: Exception | None = None

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
        for reading in readings:
            if self.error is not None and self.fail_on is not None and self.fail_on in reading.raw and reading.events:
                raise self.error
            known = reading.digest in self.digests
            self.digests.add(reading.digest)
            counts.append(0 if known else len(reading.events))
            for event in () if known else reading.events:
                if event.recipient is None:
                    continue
                key = event.recipient.normal
                history = self.histories.get(key, History(key.encode()))
                evidence = Evidence.of(
                    event, id_=event.identity(key.encode()), received_at=reading.received_at, original=b""
                )
                self.histories[key] = touched[key] = history.with_evidence([evidence])
        self.log.append(f"record {len(readings)}")
        return Recorded(len(counts), 0, tuple(touched.values()), tuple(counts))

    def apply(self, verdicts: Iterable[Verdict]) -> int:
        found = [verdict for verdict in verdicts if verdict.decisions]
        self.verdicts += found
        return len(found)

    def advance(self, checkpoint: Checkpoint) -> None:
        self.log.append(f"advance {checkpoint.uid}")

    def checkpoint(self, source: str, folder: str) -> Checkpoint | None:
        return None

    def unsettled(self, source: str) -> list[Settlement]:
        return self.pending

    def settled(self, source: str, refs: Sequence[str]) -> None:
        self.log.append(f"settled {' '.join(refs)}")


def batch_of(*messages: bytes, start: int = 1, checkpoint: bool = False) -> MessageBatch:
    """A batch of these messages, with references m1, m2, ..."""
    raw = tuple(RawMessage(f"m{start + n}", message, None) for n, message in enumerate(messages))
    return MessageBatch(raw, Checkpoint("INBOX", 1, start + len(messages) - 1) if checkpoint else None, len(messages))
