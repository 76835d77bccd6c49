"""`bounceproc check`: may these addresses be mailed? The answer is the exit code."""

from __future__ import annotations

from typing import Annotated

import typer

from bounceproc.cli import checking
from bounceproc.cli.options import ConfigOption, DatabaseOption, StreamOption, chosen, database_url
from bounceproc.cli.output import Format


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("check")(check)


def check(
    addresses: Annotated[
        list[str],
        typer.Argument(metavar="ADDRESS...", help="Addresses, or - to read them from standard input, one a line."),
    ],
    *,
    stream: StreamOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing; only the exit code answers.")] = False,
    format_: Annotated[
        Format, typer.Option("--format", help="A line for each address, or one JSON object a line.")
    ] = Format.TABLE,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Say which addresses must not be mailed. Exit code 0: none of them; 1: at least one; 65: some lines are no addresses."""
    raise typer.Exit(
        checking.check(
            addresses,
            stream=stream,
            quiet=quiet,
            format_=format_,
            config=chosen(config),
            database=database_url(database),
        )
    )
