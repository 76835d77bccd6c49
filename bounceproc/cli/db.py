"""`bounceproc db`: the schema of the database."""

from __future__ import annotations

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration
from bounceproc.cli.output import say

app = typer.Typer(
    name="db", help="The schema of the database: bring it up to date, show it, compare it.", no_args_is_help=True
)


@app.command()
def upgrade(config: ConfigOption = None, database: DatabaseOption = None) -> None:
    """Bring the database to this program's schema. Back it up first, pepper file included."""
    from bounceproc.bootstrap.database import schema, seal_after_upgrade

    settings = configuration(config, database)
    before, after = schema(settings).upgrade()
    if before not in {None, after}:
        say(seal_after_upgrade(settings))
    say(f"the schema is at {after}" + (" already" if before == after else f" (it was at {before or 'nothing'})"))


@app.command()
def current(config: ConfigOption = None, database: DatabaseOption = None) -> None:
    """Print the revision that the database is at."""
    from bounceproc.bootstrap.database import schema

    typer.echo(schema(configuration(config, database)).current() or "empty")


@app.command()
def check(config: ConfigOption = None, database: DatabaseOption = None) -> None:
    """Compare the database with what this program expects. Exit code 1: they differ."""
    from bounceproc.bootstrap.database import schema

    differences = schema(configuration(config, database)).check()
    for difference in differences:
        typer.echo(difference)
    say("the database differs from what this program expects" if differences else "no drift")
    raise typer.Exit(1 if differences else 0)
