"""`bounceproc policy`: what decides, and what would if it were otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration
from bounceproc.cli.outlooks import LIMIT, LimitOption, show_outlooks
from bounceproc.cli.output import Format

app = typer.Typer(name="policy", help="When evidence becomes a suppression.", no_args_is_help=True)


@app.command()
def simulate(
    *,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy", metavar="FILE", help="A file with the table [policy] to try. Default: the one in force."
        ),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="A table for people, or JSON lines.")] = Format.TABLE,
    limit: LimitOption = LIMIT,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Decide everything that was recorded by another policy: who would enter or leave the list, and why. Nothing is changed."""
    from bounceproc.bootstrap import simulated_policy

    with simulated_policy(configuration(config, database), policy) as found:
        show_outlooks(found, format_, limit)
