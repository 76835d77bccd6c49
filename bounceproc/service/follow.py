"""Sources that keep filling: run through again and again, one failing never stopping the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from bounceproc.errors import BounceprocError, ConfigError
from bounceproc.ports import Source
from bounceproc.service.run import Summary, run_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from threading import Event

    from bounceproc.pipeline import BatchResult, Pipeline
    from bounceproc.ports import Ledger, MessageBatch, Settlement

SOON: Final = 1.0
"""Seconds until a source is looked at again that has something unfinished, and until a failure is tried again."""
MAX_PAUSE: Final = 60.0
"""Seconds that a failure is left alone at most."""


class Filling(Source, Protocol):
    """A source that is never at its end."""

    is_waiting: bool
    """Whether something there is not finished yet."""


@dataclass(slots=True)
class Followed:
    """One such source and what was done with it."""

    source: Filling
    summary: Summary
    failures: int = 0
    """In a row."""


class _UntilStopped:
    """The same source, at its end when we are asked to stop: behind the batch that is being worked on."""

    def __init__(self, source: Source, stop: Event) -> None:
        self._source = source
        self._stop = stop

    @property
    def name(self) -> str:
        return self._source.name

    def batches(self) -> Iterator[MessageBatch]:
        for batch in self._source.batches():
            yield batch
            if self._stop.is_set():
                return

    def settle(self, settlements: Sequence[Settlement]) -> None:
        self._source.settle(settlements)


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """How sources are followed."""

    ledger: Ledger
    pipeline: Pipeline
    stop: Event
    interval: float
    """Seconds after which every source is looked at, whatever nobody told."""
    on_batch: Callable[[str, BatchResult], None]
    on_failure: Callable[[str, BounceprocError], None]

    def run(self, followed: Sequence[Followed], wait: Callable[[float], None]) -> None:
        """Run through all sources whenever `wait` returns, until `stop`. What fails is tried again, later each time.

        Raises:
            ConfigError: nothing but somebody's hand can help (a newer database, a wrong pepper).

        """
        while not self.stop.is_set():
            pauses = [self._once(one) for one in followed if not self.stop.is_set()]
            if not self.stop.is_set():
                wait(min(pauses))

    def _once(self, one: Followed) -> float:
        """One run through one source; gives the seconds after which it should be looked at again whatever happens."""
        name = one.source.name
        source = _UntilStopped(one.source, self.stop)
        try:
            run_once(
                source,
                self.ledger,
                self.pipeline,
                one.summary,
                on_batch=lambda result, _done, _total: self.on_batch(name, result),
            )
        except ConfigError:
            raise
        except BounceprocError as error:
            self.on_failure(name, error)
            one.failures += 1
            return float(min(SOON * 2 ** min(one.failures, 10), MAX_PAUSE))
        one.failures = 0
        return SOON if one.source.is_waiting else self.interval
