"""`bounceproc snippet`: what to write into the configuration of a system that sends."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("snippet")(snippet)


def snippet(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[SYSTEM]", help="postfix, exim, kumomta, haraka or rspamd. Default: name them."),
    ] = None,
) -> None:
    """Print what makes a mail system ask before it sends, with the traps of each."""
    from bounceproc.lookup import snippets

    sys.stdout.write(snippets.snippet(name) if name else "".join(f"{each}\n" for each in snippets.NAMES))
