"""`bounceproc lmtp`: an MTA hands its bounces over, and hears 250 when they are committed."""

from __future__ import annotations

from typing import Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration
from bounceproc.cli.output import Format, print_json, say
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
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Listen for an MTA that hands mail over by LMTP, until SIGTERM. It is told 250 when a message is committed, not before."""
    from bounceproc.bootstrap import serve_lmtp

    summary = serve_lmtp(
        configuration(config, database),
        listen=listen,
        on_ready=lambda place: say(f"listening on {place}"),
        on_stop=lambda: say("stopping: what is being received will be finished"),
        on_batch=lambda _result: None,
    )
    if format_.is_json:
        print_json(summary.to_dict())
    else:
        show_summaries([summary])
