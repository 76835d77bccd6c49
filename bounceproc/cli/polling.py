"""What `bounceproc poll` does once, apart from how it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bounceproc.cli.collecting import spare_the_collector
from bounceproc.cli.loading import load
from bounceproc.cli.output import Format, print_json, progress, say
from bounceproc.errors import TemporaryError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bounceproc.bootstrap.mailboxes import Runs


def poll_once(
    names: Sequence[str],
    *,
    format_: Format,
    config: Path | None,
    database: str | None,
    dry_run: bool = False,
    log_format: str | None = None,
    log_level: str | None = None,
) -> int:
    """Read the mailboxes with these names, or all, to their end, and say what was done; returns the exit code."""
    from bounceproc.bootstrap import flow, mailboxes
    from bounceproc.service.signals import listening

    spare_the_collector()
    loaded = load(config, database, {"log": {"format": log_format, "level": log_level}})
    # Its summaries say what there is to say: lines of the log only for whoever asks for them.
    flow.log_as(loaded, None if log_level or log_format else "error")
    with listening() as inbox, progress("polling") as tick:
        runs = mailboxes.run_mailboxes(
            loaded,
            names,
            dry_run=dry_run,
            on_batch=lambda _result, done, total: tick(done, total),
            stop=lambda: inbox.is_ending,
        )
    _show(runs, format_, dry_run=dry_run)
    if inbox.is_ending:
        say("ended after the current batch, as asked; the next run goes on there")
        return TemporaryError.exit_code
    return runs.exit_code


def _show(runs: Runs, format_: Format, **options: Any) -> None:
    if format_.is_json:
        for summary in runs.summaries:
            print_json(summary.to_dict())
    else:
        from bounceproc.cli.summary import show_summaries

        show_summaries(runs.summaries, failed={name for name, _ in runs.failures}, reasons=runs.reasons, **options)
    for name, error in runs.failures:
        what = error.what.removeprefix(f"mailbox {name}: ")
        say(f"mailbox {name}: {what}" + (f"\n  {error.advice}" if error.advice else ""))
