"""`bounceproc purge`: let go of what is over its time."""

from __future__ import annotations

from typing import Annotated

import typer

from bounceproc.cli.forget import show
from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration, now
from bounceproc.cli.output import Format, progress

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Count what is over its time, and purge nothing.")]


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("purge")(purge)


def purge(
    *,
    dry_run: DryRunOption = False,
    format_: Annotated[
        Format, typer.Option("--format", help="A table for people, or one JSON object a line.")
    ] = Format.TABLE,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Purge what is over its time by [retention]: raw copies, events, reviews and more.

    Pollers do a bit of it whenever no mail comes; this does all of it at once, in small transactions beside them. It may be
    stopped at any time and goes on the next time. No suppression is lifted or changed by it. See first what would go:
    `bounceproc purge --dry-run`.
    """
    from bounceproc.bootstrap import privacy

    with progress("purging") as tick:
        purged = privacy.purge(configuration(config, database), now=now(), dry_run=dry_run, on_progress=tick)
    show("would be purged" if dry_run else "purged", purged, format_, dry_run=dry_run)
