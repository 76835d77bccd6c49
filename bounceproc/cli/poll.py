"""`bounceproc poll`: fetch, record, decide, settle; once, or for years."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, LogFormatOption, LogLevelOption, configuration
from bounceproc.cli.output import Format, print_json, progress, say
from bounceproc.cli.summary import DryRunOption, show_summaries
from bounceproc.errors import TemporaryError

if TYPE_CHECKING:
    from bounceproc.bootstrap.mailboxes import Runs


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("poll")(poll)


def poll(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when every folder is done. This is the default; say it in scripts.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Stay, and read new mail when it comes. SIGTERM ends it, SIGHUP reloads.")
    ] = False,
    mailbox: Annotated[
        list[str] | None,
        typer.Option("--mailbox", "-m", metavar="NAME", help="Only this mailbox; may be given more than once."),
    ] = None,
    dry_run: DryRunOption = False,
    format_: Annotated[
        Format, typer.Option("--format", help="A summary for people, or one JSON object a mailbox.")
    ] = Format.TABLE,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Read the mailboxes: record every report, decide, commit, and only then move or flag the messages."""
    from bounceproc.bootstrap import flow, mailboxes
    from bounceproc.cli.collecting import spare_the_collector
    from bounceproc.service.signals import listening

    spare_the_collector()
    log = {"log": {"format": log_format, "level": log_level}}
    if watch:
        if once or dry_run:
            raise typer.BadParameter(f"it does not go with {'--once' if once else '--dry-run'}", param_hint="--watch")
        load = partial(configuration, config, database, log, quiet=True)
        raise typer.Exit(mailboxes.watch_mailboxes(load, mailbox or []))
    loaded = configuration(config, database, log)
    # Its summaries say what there is to say: lines of the log only for whoever asks for them.
    flow.log_as(loaded, None if log_level or log_format else "error")
    with listening() as inbox, progress("polling") as tick:
        runs = mailboxes.run_mailboxes(
            loaded,
            mailbox or [],
            dry_run=dry_run,
            on_batch=lambda _result, done, total: tick(done, total),
            stop=lambda: inbox.is_ending,
        )
    _show(runs, format_, dry_run=dry_run)
    if inbox.is_ending:
        say("ended after the current batch, as asked; the next run goes on there")
        raise typer.Exit(TemporaryError.exit_code)
    if runs.failures:
        raise typer.Exit(runs.exit_code)


def _show(runs: Runs, format_: Format, **options: Any) -> None:
    if format_.is_json:
        for summary in runs.summaries:
            print_json(summary.to_dict())
    else:
        show_summaries(runs.summaries, failed={name for name, _ in runs.failures}, reasons=runs.reasons, **options)
    for name, error in runs.failures:
        what = error.what.removeprefix(f"mailbox {name}: ")
        say(f"mailbox {name}: {what}" + (f"\n  {error.advice}" if error.advice else ""))
