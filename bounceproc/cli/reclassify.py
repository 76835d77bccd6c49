"""`bounceproc reclassify`: judge what was recorded by today's rules and policy."""

from __future__ import annotations

from typing import Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, DryRunOption, configuration
from bounceproc.cli.outlooks import LIMIT, LimitOption, show_outlooks
from bounceproc.cli.output import Format, progress, say


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("reclassify")(reclassify)


def reclassify(
    *,
    dry_run: DryRunOption = False,
    format_: Annotated[
        Format, typer.Option("--format", help="With --dry-run: tables for people, or JSON lines.")
    ] = Format.TABLE,
    limit: LimitOption = LIMIT,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Judge recorded bounces by the rules and the policy in force, and bring the list in line.

    See first what it would do: `bounceproc reclassify --dry-run`. Entries made by hand or by an import stay as they are, and
    so do those whose evidence was purged.
    """
    from bounceproc.bootstrap import byhand, judging

    loaded = configuration(config, database)
    if dry_run:
        with judging.simulated_rules(loaded, ()) as found:
            show_outlooks(found, format_, limit)
        return
    with progress("judging") as tick:
        events, entries = judging.reclassify(loaded, actor=byhand.actor(), on_progress=tick)
    say(f"events judged otherwise: {events}; suppressions changed: {entries}")
