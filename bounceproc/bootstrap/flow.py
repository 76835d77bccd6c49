"""What every way in shares: the pipeline, the reader beside it, and what goes on for years until a signal ends it."""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from itertools import repeat
from typing import TYPE_CHECKING, Any

from bounceproc.bootstrap.database import open_store, policy_of
from bounceproc.bootstrap.ours import evidence_of, identifier_of, identifier_with, not_served, our_mail
from bounceproc.bootstrap.privacy import limits
from bounceproc.bootstrap.reading import classifier_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from typing import BinaryIO, TypeAlias

    from bounceproc.config import Config
    from bounceproc.identity import OurMail
    from bounceproc.pipeline import BatchResult, Pipeline
    from bounceproc.ports import Meaning, Reader, Recorder, WatchedSource
    from bounceproc.rawmessage import RawMessage
    from bounceproc.service.beside import Beside
    from bounceproc.service.idle import Idle
    from bounceproc.service.run import Summary
    from bounceproc.service.supervisor import Plan
    from bounceproc.service.worker import Job
    from bounceproc.store.store import Store

    OnBatch: TypeAlias = Callable[[BatchResult, int, int | None], None]


def beside_mail(config: Config, store: Store, stop: Callable[[], bool]) -> dict[str, int]:
    """What a poller does when there is no mail: what is due, and a bit of what is over its time."""
    from bounceproc.store.purging import BIT

    done = store.due.work(policy_of(config), stop=stop).to_dict()
    purged = store.purging.work(limits(config), datetime.now(UTC), batches=BIT, stop=stop)
    return done | {f"{name} purged": count for name, count in purged.items()}


@dataclass(frozen=True, slots=True)
class Tools:
    """What all that goes on for years works with."""

    store: Store
    pipeline: Pipeline
    idle: Idle
    held: ExitStack
    """Closed when the work has ended."""

    def round(self, source: WatchedSource, summary: Summary, **options: Any) -> None:
        """Read a source to its end, and do what is due."""
        from bounceproc.service.run import run_once

        run_once(source, self.store.ledger, self.pipeline, summary, **options)
        self.idle.work(options["stop"])


def carry_out(plan: Callable[[], Plan]) -> int:
    """Do what a plan asks for until a signal ends it; returns the exit code."""
    from contextlib import closing

    from bounceproc.service.notify import Notifier
    from bounceproc.service.supervisor import supervise

    with closing(Notifier()) as notifier:
        return supervise(plan, notifier)


def planned(config: Config, jobs: Callable[[Tools], Iterable[Job]], **names: str) -> Plan:
    """All that a configuration asks for, checked and opened."""
    from bounceproc.service.idle import Idle
    from bounceproc.service.logs import tell
    from bounceproc.service.supervisor import Plan

    log_as(config)
    for warning in (*config.warnings, *not_served(config)):
        tell(logging.WARNING, warning)
    with ExitStack() as held:
        store = held.enter_context(open_store(config))
        pipeline = pipeline_of(config, store, reader=held.enter_context(reader_beside(config)))
        idle = Idle(partial(beside_mail, config, store))
        made = tuple(jobs(Tools(store, pipeline, idle, held)))
        return Plan(made, held.pop_all().close, **names)


def log_as(config: Config, level: str | None = None) -> None:
    """Write the log as the configuration says, and none of its secrets."""
    from bounceproc.service import logs

    logs.set_up(form=config.log.format.value, level=level or config.log.level.value, secrets=config.secret_texts())


def reader_beside(config: Config) -> Beside:
    """A process that reads messages while this one fetches and records: started where there is much to read.

    Nothing of what reads is loaded for it here: that takes its time, which a server needs for opening a folder.
    """
    from bounceproc.service.beside import Beside

    files = config.classify.rule_files
    if files:
        classifier_with(files)  # where they are wrong nothing is begun
    keep = "-" if config.privacy.hash_only else "keep"
    command = [sys.executable, "-m", "bounceproc.cli.beside", keep, *map(str, files)]

    @cache
    def means() -> Callable[[RawMessage], Meaning]:
        from bounceproc.pipeline import meant

        return partial(meant, classifier=classifier_with(files), identifier=identifier_of(config))

    return Beside(command, lambda messages: list(map(means(), messages)), our_mail(config))


def read_beside(questions: BinaryIO, answers: BinaryIO, rule_files: Sequence[Path], *, keep: bool) -> None:
    """What that process does. `keep` has the copies made that the ledger keeps."""
    from bounceproc.pipeline import meant
    from bounceproc.service.beside import serve
    from bounceproc.store.copies import pack

    classifier = classifier_with(rule_files)

    def read(messages: list[RawMessage], ours: OurMail | None) -> list[Meaning]:
        identifier = identifier_with(ours) if ours is not None else None
        copies = pack([raw.data for raw in messages]) if keep else repeat(None, len(messages))
        return [meant(raw, classifier, copy, identifier) for raw, copy in zip(messages, copies, strict=True)]

    serve(questions, answers, read)


def pipeline_of(config: Config, store: Store, ledger: Recorder | None = None, reader: Reader | None = None) -> Pipeline:
    """What reads, judges and records. `ledger` and `reader` are taken in place of the store's and its own, where they are given."""
    from bounceproc.pipeline import Pipeline

    return Pipeline(
        ledger=ledger or store.ledger,
        classifier=classifier_with(config.classify.rule_files),
        policy=policy_of(config),
        clock=lambda: datetime.now(UTC),
        reader=reader,
        identifier=identifier_of(config),
        weigher=evidence_of(config),
        sent=config.identity.ledger,
    )


def nobody_asks(_result: BatchResult, _done: int, _total: int | None) -> None:
    """Nobody wants to know how far it is."""
