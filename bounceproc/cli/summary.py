"""What a run of the poller or of ingest did, for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bounceproc.cli.output import harmless, out, say, table
from bounceproc.event import EventType, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bounceproc.service import Summary

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Read and say what would be found; record, move and flag nothing.")
]


def show_summaries(summaries: Sequence[Summary], *, dry_run: bool = False) -> None:
    """One line a source, then what could not be read."""
    if not summaries:
        return
    made = table(
        "source",
        "messages",
        "hard",
        "soft",
        "delays",
        "complaints",
        "unsubscribes",
        "auto-replies",
        "ordinary",
        "malformed",
        "list changed",
    )
    for summary in summaries:
        made.add_row(*_cells(summary))
    out().print(made)
    for summary in summaries:
        _remarks(summary, dry_run=dry_run)


def _cells(summary: Summary) -> list[str]:
    kinds, events, classes = summary.kinds, summary.events, summary.classes
    counts = [
        summary.messages, classes["hard"], classes["soft"], events[EventType.DELAY], events[EventType.COMPLAINT], events[EventType.UNSUBSCRIBE],
        kinds[Kind.AUTO_REPLY] + kinds[Kind.MDN], kinds[Kind.OTHER], kinds[Kind.MALFORMED], summary.suppressions,
    ]  # fmt: skip
    return [harmless(summary.source), *(str(count) for count in counts)]


def _remarks(summary: Summary, *, dry_run: bool) -> None:
    if dry_run:
        say(f"{summary.source}: dry run, nothing was recorded or touched")
    if not summary.messages:
        say(f"{summary.source}: no message that was not read before")
    if summary.duplicates:
        say(f"{summary.source}: {summary.duplicates} messages were recorded before and changed nothing")
    if summary.resumed:
        say(f"{summary.source}: {summary.resumed} messages of an earlier, interrupted run were settled now")
    for ref, error in summary.malformed:
        say(f"{summary.source}: {harmless(ref, 120)}: {harmless(error, 200)}")
