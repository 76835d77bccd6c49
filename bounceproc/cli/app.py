"""The command line: every command by name, and what its errors look like."""

from __future__ import annotations

import sys

import typer

from bounceproc.cli.options import choose
from bounceproc.errors import BounceprocError, ConfigError

app = typer.Typer(
    name="bounceproc",
    help="Bounces and complaints from a return-path mailbox become a suppression list that every sender can ask.",
    epilog="Start with `bounceproc demo`. Each command explains itself with --help.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


app.callback()(choose)


def _commands() -> None:
    from bounceproc.cli import check, classify, config, db, demo, export, ingest, poll, status, suppress

    for module in (demo, poll, ingest, classify, check, status, export):
        module.add_to(app)
    for module in (suppress, db, config):
        app.add_typer(module.app)


def main() -> None:
    """Run the command line; our own errors end with what happened, what to do and a number."""
    _commands()
    try:
        app()
    except BounceprocError as error:
        _complain(error)
        sys.exit(error.exit_code)


def _complain(error: BounceprocError) -> None:
    from bounceproc.cli.output import harmless_lines

    lines = [f"bounceproc: {error.what}"]
    if isinstance(error, ConfigError):
        lines += [f"  {problem}" for problem in error.problems]
    if error.advice:
        lines.append(f"  {error.advice}")
    sys.stderr.write(harmless_lines("\n".join(lines)) + "\n")
