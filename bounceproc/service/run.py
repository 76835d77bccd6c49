"""Poll, process, settle, stop: one source from its first batch to its last."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from bounceproc.event import EventType
from bounceproc.ports import Outcome
from bounceproc.service.overlap import Overlapped, is_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from bounceproc.event import Kind
    from bounceproc.pipeline import BatchResult, Pipeline
    from bounceproc.ports import Ledger, Source

MALFORMED_SHOWN: Final = 20
"""Malformed messages named in a summary; the database has them all."""


@dataclass(slots=True)
class Summary:
    """What a run did, counted."""

    source: str
    messages: int = 0
    duplicates: int = 0
    """Messages that were recorded before, here or elsewhere: they changed nothing."""
    resumed: int = 0
    """Messages of an earlier run that were recorded then and settled only now."""
    own_refusals: int = 0
    """Reports that said nothing but what we had answered ourselves."""
    suppressions: int = 0
    """Entries of the list that were added, changed or lifted."""
    kinds: Counter[Kind] = field(default_factory=Counter)
    events: Counter[EventType] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    malformed: list[tuple[str, str]] = field(default_factory=list)
    """Reference and reason of the first messages that could not be read."""

    def add(self, result: BatchResult) -> None:
        """Count one batch."""
        self.messages += len(result.readings)
        self.duplicates += result.duplicates
        self.suppressions += result.changed
        self.own_refusals += result.outcomes[Outcome.OWN_REFUSAL]
        self.kinds.update([reading.kind for reading in result.readings])
        seen = Counter([(event.type, event.class_) for reading in result.readings for event in reading.events])
        for (type_, class_), count in seen.items():
            self.events[type_] += count
            if type_ is EventType.BOUNCE and class_ is not None:
                self.classes[class_.value] += count
        wrong = [(reading.ref, reading.error) for reading in result.readings if reading.error]
        self.malformed += wrong[: MALFORMED_SHOWN - len(self.malformed)]

    def include(self, other: Summary) -> None:
        """Count what another run did as well."""
        self.messages += other.messages
        self.duplicates += other.duplicates
        self.resumed += other.resumed
        self.own_refusals += other.own_refusals
        self.suppressions += other.suppressions
        self.kinds.update(other.kinds)
        self.events.update(other.events)
        self.classes.update(other.classes)
        self.malformed = [*self.malformed, *other.malformed][:MALFORMED_SHOWN]

    def to_dict(self) -> dict[str, object]:
        """For scripts: one JSON object."""
        return {
            "source": self.source,
            "messages": self.messages,
            "duplicates": self.duplicates,
            "resumed": self.resumed,
            "own_refusals": self.own_refusals,
            "suppressions_changed": self.suppressions,
            "kinds": {str(kind): count for kind, count in sorted(self.kinds.items())},
            "events": {str(event): count for event, count in sorted(self.events.items())},
            "bounces": dict(sorted(self.classes.items())),
            "malformed": [{"ref": ref, "error": error} for ref, error in self.malformed],
        }


OnBatch: TypeAlias = "Callable[[BatchResult, int, int | None], None]"


def run_once(
    source: Source,
    ledger: Ledger,
    pipeline: Pipeline,
    summary: Summary,
    *,
    dry_run: bool = False,
    on_batch: OnBatch = lambda _result, _done, _total: None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Read a source to its end: record, commit, and only then settle, batch by batch.

    A run that was killed between a commit and its settling is made good first. What was done is counted in `summary`, up to
    the moment of an error. `on_batch` gets each batch's result, the number of messages done and, where the source knows it,
    how many there are. Once `stop` says so, the run ends after the batch.

    Raises:
        UnavailableError: the source or the database is gone; what was committed stays committed, and is settled next time.
        AccessError: the source refuses us.

    """

    def done(result: BatchResult, total: int | None) -> bool:
        summary.add(result)
        on_batch(result, summary.messages, total)
        return stop()

    if dry_run:
        for batch in source.batches():
            if done(pipeline.preview(batch), batch.total):
                return
    elif is_folder(source):
        with Overlapped(source, ledger, pipeline) as run:
            summary.resumed = run.resume()
            run.read(done)
    else:
        _in_turn(source, ledger, pipeline, summary, done)


def _in_turn(
    source: Source,
    ledger: Ledger,
    pipeline: Pipeline,
    summary: Summary,
    done: Callable[[BatchResult, int | None], bool],
) -> None:
    """A source that costs no waiting: one thing after the other."""
    pending = ledger.unsettled(source.name)
    if pending:
        source.settle(pending)
        ledger.settled(source.name, [settlement.ref for settlement in pending])
        summary.resumed = len(pending)
    for batch in source.batches():
        result = pipeline.process(source.name, batch)
        enough = done(result, batch.total)
        source.settle(result.settlements)
        ledger.settled(source.name, [settlement.ref for settlement in result.settlements])
        if enough:
            return
