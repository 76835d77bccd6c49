"""`bounceproc poll`: fetch, record, decide, settle."""

from __future__ import annotations

from typing import Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration
from bounceproc.cli.output import Format, print_json, progress, say
from bounceproc.cli.summary import DryRunOption, show_summaries


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("poll")(poll)


def poll(
    *,
    once: Annotated[
        bool,
        typer.Option("--once", help="End when every folder is done. This is what it does anyway; say it in scripts."),
    ] = True,
    mailbox: Annotated[
        list[str] | None,
        typer.Option("--mailbox", "-m", metavar="NAME", help="Only this mailbox; may be given more than once."),
    ] = None,
    dry_run: DryRunOption = False,
    format_: Annotated[
        Format, typer.Option("--format", help="A summary for people, or one JSON object a mailbox.")
    ] = Format.TABLE,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Read the mailboxes: record every report, decide, commit, and only then move or flag the messages."""
    from bounceproc.bootstrap import run_mailboxes

    del once  # it is the only way there is; scripts may say so

    with progress("polling") as tick:
        runs = run_mailboxes(
            configuration(config, database),
            mailbox or [],
            dry_run=dry_run,
            on_batch=lambda _result, done, total: tick(done, total),
        )
    if format_.is_json:
        for summary in runs.summaries:
            print_json(summary.to_dict())
    else:
        show_summaries(runs.summaries, dry_run=dry_run, failed={name for name, _ in runs.failures})
    for name, error in runs.failures:
        what = error.what.removeprefix(f"mailbox {name}: ")
        say(f"mailbox {name}: {what}" + (f"\n  {error.advice}" if error.advice else ""))
    if runs.failures:
        raise typer.Exit(runs.exit_code)
