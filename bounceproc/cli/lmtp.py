"""`bounceproc lmtp`: an MTA hands its bounces over, and hears 250 when they are committed."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, LogFormatOption, LogLevelOption, configuration
from bounceproc.cli.output import Format, print_json
from bounceproc.cli.summary import show_summaries


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("lmtp")(lmtp)


def lmtp(
    *,
    listen: Annotated[
        str | None,
        typer.Option("--listen", metavar="PLACE", help="127.0.0.1:2424 or unix:PATH, instead of the configured place."),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="At the end, a summary for people, or one JSON object.")
    ] = Format.TABLE,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Listen for an MTA that hands mail over by LMTP, until SIGTERM; SIGHUP reloads.

    It is told 250 when a message is committed, not before.
    """
    from bounceproc.bootstrap.lmtp import serve_lmtp

    log = {"log": {"format": log_format, "level": log_level}}
    load = partial(configuration, config, database, log, quiet=True)
    code, summary = serve_lmtp(load, listen=listen)
    if format_.is_json:
        print_json(summary.to_dict())
    else:
        show_summaries([summary])
    raise typer.Exit(code)
