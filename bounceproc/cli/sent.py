"""`bounceproc sent`: the send ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration
from bounceproc.cli.output import Format, print_json, progress, say

app = typer.Typer(
    name="sent",
    help="The send ledger: bounces of mail that stands in it are believed, with no token in the return path.",
    no_args_is_help=True,
)


@app.callback()
def described() -> None:
    """Keep the group a group: it has one command only."""


@app.command("import")
def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV with a head line, or JSONL; - for standard input.")],
    *,
    rejects: Annotated[
        Path | None,
        typer.Option("--rejects", metavar="OUT", help="Where bad rows go. Default: FILE.rejects.csv beside the file."),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="A line for people, or one JSON object.")] = Format.TABLE,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Remember what was sent: columns message_id and recipient, and stream, reference, sent_at where there are.

    It can be repeated: what is known already stays as it was. Exit code 65: some rows are bad; the good ones are in.
    """
    from bounceproc.bootstrap.intake import import_sent

    with progress("remembering", octets=True) as tick:
        done = import_sent(configuration(config, database), file, rejects=rejects, on_progress=tick)
    if format_.is_json:
        print_json(done.to_dict())
    else:
        say(f"{done.new} new, {done.known} known before, {done.bad} bad")
        if done.rejects is not None:
            say(f"The bad rows are in {done.rejects}, with reasons.")
    raise typer.Exit(65 if done.bad else 0)
