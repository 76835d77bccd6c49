"""`bounceproc ingest`: the same as polling, from files."""

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
    configuration,
)
from bounceproc.cli.output import Format, print_json, progress
from bounceproc.cli.summary import show_summaries


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("ingest")(ingest)


def ingest(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Files (.eml, .mbox), Maildirs, folders of them, or - for one message on standard input.",
        ),
    ],
    *,
    mbox: Annotated[bool, typer.Option("--mbox", help="Read every file as an mbox.")] = False,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Stay, and read what comes into Maildirs, folders of .eml and mboxes. SIGTERM ends it, SIGHUP reloads.",
        ),
    ] = False,
    on_report: Annotated[
        str,
        typer.Option(
            "--on-report", metavar="ACTION", help="With --watch, in a Maildir: leave, or move:FOLDER after the commit."
        ),
    ] = "leave",
    interval: Annotated[
        float,
        typer.Option(
            "--interval",
            metavar="SECONDS",
            min=1,
            max=3600,
            help="With --watch: look again, even if nobody told of mail.",
        ),
    ] = 60,
    dry_run: DryRunOption = False,
    format_: Annotated[
        Format, typer.Option("--format", help="A summary for people, or one JSON object.")
    ] = Format.TABLE,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Record what messages in files say, and decide. Files are not changed; a message read before changes nothing.

    A message piped into `ingest -` by an MTA: exit code 0 when it is recorded, 75 whenever it is not.
    """
    from bounceproc.bootstrap import files, flow
    from bounceproc.cli.collecting import spare_the_collector

    log = {"log": {"format": log_format, "level": log_level}}
    code = 0
    if watch:
        if dry_run or "-" in paths:
            raise typer.BadParameter("it goes with neither --dry-run nor standard input", param_hint="--watch")
        load = partial(configuration, config, database, log, quiet=True)
        code, summaries = files.watch_files(load, paths, mbox=mbox, on_report=on_report, interval=interval)
    else:
        if on_report != "leave":
            raise typer.BadParameter("messages are moved with --watch only", param_hint="--on-report")
        if paths != ["-"]:
            spare_the_collector()
        loaded = configuration(config, database, log)
        # Its summary says what there is to say: lines of the log only for whoever asks for them.
        flow.log_as(loaded, None if log_level or log_format else "error")
        with progress("ingesting") as tick:
            summary = files.run_files(
                loaded, paths, mbox=mbox, dry_run=dry_run, on_batch=lambda _result, done, total: tick(done, total)
            )
        summaries = [summary]
    if format_.is_json:
        for summary in summaries:
            print_json(summary.to_dict())
    else:
        show_summaries(summaries, dry_run=dry_run)
    raise typer.Exit(code)
