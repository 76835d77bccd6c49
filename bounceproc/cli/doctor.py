"""`bounceproc doctor`: is everything reachable, allowed and sane."""

from __future__ import annotations

from typing import Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration
from bounceproc.cli.output import Format, harmless, out, print_json, table

STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "failure": "bold red"}


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("doctor")(doctor)


def doctor(
    *,
    mailbox: Annotated[
        list[str] | None,
        typer.Option("--mailbox", "-m", metavar="NAME", help="Only this mailbox; may be given more than once."),
    ] = None,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Also send a sample bounce and complaint the whole way, and clear them away."),
    ] = False,
    format_: Annotated[Format, typer.Option("--format", help="A table, or one JSON object a finding.")] = Format.TABLE,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Look at database and mailboxes, and say of each finding what to do. Exit code 1: something failed."""
    from bounceproc.bootstrap.health import examine

    made = table("level", "where", "what was looked at", "finding")
    failed = False
    for found in examine(configuration(config, database), mailbox or [], deep=deep):
        failed = failed or found.level == "failure"
        if format_.is_json:
            print_json(found.to_dict())
        else:
            text = harmless(found.what) + (f"\n  {harmless(found.advice)}" if found.advice else "")
            style = STYLES[found.level]
            made.add_row(found.level, harmless(found.subject), harmless(found.check), text, style=style)
    if not format_.is_json:
        out().print(made)
    raise typer.Exit(1 if failed else 0)
