"""`bounceproc ingest`: the same as polling, from files."""

from __future__ import annotations

from typing import Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration
from bounceproc.cli.output import Format, print_json, progress
from bounceproc.cli.summary import DryRunOption, show_summaries


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
    dry_run: DryRunOption = False,
    format_: Annotated[
        Format, typer.Option("--format", help="A summary for people, or one JSON object.")
    ] = Format.TABLE,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Record what messages in files say, and decide. Files are never changed; a message read before changes nothing."""
    from bounceproc.bootstrap import run_files

    with progress("ingesting") as tick:
        summary = run_files(
            configuration(config, database),
            paths,
            mbox=mbox,
            dry_run=dry_run,
            on_batch=lambda _result, done, total: tick(done, total),
        )
    if format_.is_json:
        print_json(summary.to_dict())
    else:
        show_summaries([summary], dry_run=dry_run)
