"""What a run of the poller or of ingest did, for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bounceproc.cli.output import harmless, out, say
from bounceproc.event import EventType, Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bounceproc.service.run import Summary


def show_summaries(
    summaries: Sequence[Summary],
    *,
    dry_run: bool = False,
    failed: Collection[str] = (),
    reasons: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """A few lines a source, then what could not be read. Of one that `failed`, only what was done.

    `reasons` say of a source why nothing in it was new.
    """
    console = out()
    for summary in summaries:
        if summary.source in failed and not summary.messages:
            continue
        console.print(_headline(summary))
        for line in (_reports(summary), _others(summary)):
            if line:
                console.print(f"  {line}")
        _remarks(summary, dry_run=dry_run, failed=summary.source in failed)
        for reason in (reasons or {}).get(summary.source, ()) if not summary.messages else ():
            say(f"{summary.source}: {reason}")


def _headline(summary: Summary) -> str:
    changes = _counted(summary.suppressions, "change")
    return f"{harmless(summary.source)}: {_counted(summary.messages, 'message')} read, {changes} to the list"


def _reports(summary: Summary) -> str:
    events, classes = summary.events, summary.classes
    counts = (
        (classes["hard"], "hard bounce"),
        (classes["soft"], "soft bounce"),
        (events[EventType.DELAY], "delay"),
        (events[EventType.DELIVERY], "success notice"),
        (events[EventType.COMPLAINT], "complaint"),
        (events[EventType.UNSUBSCRIBE], "unsubscribe"),
    )
    return ", ".join(_counted(count, what) for count, what in counts if count)


def _others(summary: Summary) -> str:
    kinds = summary.kinds
    counts = (
        (kinds[Kind.AUTO_REPLY], "automatic reply"),
        (kinds[Kind.MDN], "read receipt"),
        (kinds[Kind.OTHER], "ordinary message"),
        (kinds[Kind.MALFORMED], "malformed message"),
    )
    return ", ".join(_counted(count, what) for count, what in counts if count)


def _counted(count: int, what: str) -> str:
    if count != 1:
        what = "automatic replies" if what == "automatic reply" else f"{what}s"
    return f"{count} {what}"


def _remarks(summary: Summary, *, dry_run: bool, failed: bool) -> None:
    if dry_run:
        say(f"{summary.source}: dry run, nothing was recorded or touched")
    if not summary.messages and not failed:
        say(f"{summary.source}: no message that was not read before")
    if summary.duplicates:
        say(f"{summary.source}: {summary.duplicates} messages were recorded before and changed nothing")
    if summary.resumed:
        say(f"{summary.source}: {summary.resumed} messages of an earlier, interrupted run were settled now")
    if summary.own_refusals:
        say(f"{summary.source}: {summary.own_refusals} reports were about refusals of our own and count for nothing")
    for ref, error in summary.malformed:
        say(f"{summary.source}: {harmless(ref, 120)}: {harmless(error, 200)}")
