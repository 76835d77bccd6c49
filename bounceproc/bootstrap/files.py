"""The way in by files: once, or watched."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from bounceproc.bootstrap.database import open_store
from bounceproc.bootstrap.flow import Tools, carry_out, nobody_asks, pipeline_of, planned
from bounceproc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from bounceproc.bootstrap.flow import OnBatch
    from bounceproc.config import Config, Disposal
    from bounceproc.ports import WatchedSource
    from bounceproc.service.run import Summary
    from bounceproc.service.watcher import Watch
    from bounceproc.sources.watched.folder import FolderSource
    from bounceproc.sources.watched.growing import MboxSource
    from bounceproc.store.store import Store


def run_files(
    config: Config, paths: Sequence[str], *, mbox: bool = False, dry_run: bool = False, on_batch: OnBatch | None = None
) -> Summary:
    """Ingest messages from files, or the one on standard input that an MTA delivers."""
    from bounceproc.service.run import Summary, run_once
    from bounceproc.sources.files import STDIN, FileSource
    from bounceproc.sources.piped import PipedSource

    source = PipedSource() if tuple(paths) == (STDIN,) and not mbox else FileSource(paths, mbox=mbox)
    summary = Summary(source.name)
    with open_store(config, dry_run=dry_run) as store:
        pipeline = pipeline_of(config, store)
        run_once(source, store.ledger, pipeline, summary, dry_run=dry_run, on_batch=on_batch or nobody_asks)
    return summary


def watch_files(
    load: Callable[[], Config], paths: Sequence[str], *, mbox: bool, on_report: str, interval: float
) -> tuple[int, list[Summary]]:
    """Process what comes into files and folders until a signal ends it; the exit code, and what was done at each of them.

    `load` reads the configuration, at each SIGHUP anew.

    Raises:
        UsageError: a path is nothing that can be watched.
        BounceprocError: the first configuration cannot serve, or the database refuses it.

    """
    from bounceproc.ports import Outcome
    from bounceproc.service.run import Summary

    disposal = _disposal(on_report)
    options = {
        "mbox": mbox,
        "disposals": {} if disposal is None else dict.fromkeys((Outcome.REPORT, Outcome.OWN_REFUSAL), disposal),
    }
    totals: dict[str, Summary] = {}

    def jobs(tools: Tools) -> Iterator[Watch]:
        for path in dict.fromkeys(paths):
            name = _watched(tools.store, path, options).name
            source = partial(_filling, tools.store, path, options)
            yield _file_watch(tools, source, totals.setdefault(name, Summary(name)), interval)

    code = carry_out(lambda: planned(load(), jobs, one="place", many="places"))
    return code, list(totals.values())


def _file_watch(
    tools: Tools, source: Callable[[], AbstractContextManager[WatchedSource]], total: Summary, interval: float
) -> Watch:
    from bounceproc.service.watcher import Watch

    return Watch(
        mailbox=total.source,
        folder=None,
        lease=partial(tools.store.lease, total.source, "files", wait=0.0),
        source=source,
        round_=tools.round,
        interval=interval,
        total=total,
    )


def _filling(store: Store, path: str, options: dict[str, Any]) -> AbstractContextManager[WatchedSource]:
    """A place under watch, from where it was left: only whoever holds its lease knows where that is."""
    from bounceproc.sources.watched.filling import filling

    return filling(_watched(store, path, options))


def _watched(store: Store, path: str, options: dict[str, Any]) -> FolderSource | MboxSource:
    from bounceproc.sources.watched.opening import watched

    return watched(path, known=store.ledger.known, checkpoint=store.ledger.checkpoint, **options)


def _disposal(text: str) -> Disposal | None:
    from bounceproc.config.values import Action, Disposal, WrongValueError

    try:
        found = Disposal.parse(text)
    except WrongValueError as error:
        raise UsageError(error.what, error.advice) from error
    return None if found.action is Action.LEAVE else found
