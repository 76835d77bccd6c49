"""`bounceproc serve`: senders ask before they send, over HTTP, socketmap or Postfix's policy service."""

from __future__ import annotations

from typing import Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration
from bounceproc.cli.output import say


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("serve")(serve)


def serve(
    *,
    new_token: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--new-token",
            metavar="ROLE NAME",
            help="Make a token for HTTP (read or write), print it once, and the line for tokens_file; serve nothing.",
        ),
    ] = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Answer senders until SIGTERM, at the places that [serve] names (127.0.0.1, ports 8025 to 8027, unless told otherwise)."""
    from bounceproc.bootstrap import lookups

    if new_token is not None:
        token, line = lookups.new_token(new_token[1], new_token[0])
        say(f"For the file that [serve] tokens_file names: {line}")
        typer.echo(token)
        return
    lookups.serve_lookups(
        configuration(config, database),
        on_ready=lambda places: say(f"listening: {places}"),
        on_stop=lambda: say("stopping"),
    )
