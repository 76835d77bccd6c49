"""`bounceproc poll`: fetch, record, decide, settle; once, or for years."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from bounceproc.cli.options import (
    ConfigOption,
    DatabaseOption,
    DryRunOption,
    LogFormatOption,
    LogLevelOption,
    chosen,
    configuration,
    database_url,
)
from bounceproc.cli.output import Format
from bounceproc.cli.polling import poll_once


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
    if watch:
        if once or dry_run:
            raise typer.BadParameter(f"it does not go with {'--once' if once else '--dry-run'}", param_hint="--watch")
        from bounceproc.bootstrap import mailboxes
        from bounceproc.cli.collecting import spare_the_collector

        spare_the_collector()
        log = {"log": {"format": log_format, "level": log_level}}
        load = partial(configuration, config, database, log, quiet=True)
        raise typer.Exit(mailboxes.watch_mailboxes(load, mailbox or []))
    code = poll_once(
        mailbox or [],
        format_=format_,
        config=chosen(config),
        database=database_url(database),
        dry_run=dry_run,
        log_format=log_format,
        log_level=log_level,
    )
    if code:
        raise typer.Exit(code)
