"""`bounceproc config`: the values in force, and whether they can be."""

from __future__ import annotations

from typing import Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration
from bounceproc.cli.output import Format, print_json, say

app = typer.Typer(name="config", help="The configuration: show the values in force, check them.", no_args_is_help=True)


@app.command()
def show(
    *,
    format_: Annotated[Format, typer.Option("--format", help="TOML for people, or one JSON object.")] = Format.TABLE,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Show every value in force, defaults included; secrets are not shown."""
    loaded = configuration(config, database)
    if format_.is_json:
        print_json(loaded.redacted())
        return
    typer.echo(f"# {loaded.source or 'no file: defaults and environment'}")
    typer.echo(loaded.to_toml())


@app.command()
def check(config: ConfigOption = None, database: DatabaseOption = None) -> None:
    """Read the configuration and every secret it names; each wrong place gets a line. Exit code 78: something is wrong."""
    loaded = configuration(config, database)
    for warning in loaded.verify_secrets():
        say(f"warning: {warning}")
    say(f"{loaded.source or 'no file, the defaults'}: fine")
