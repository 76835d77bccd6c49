"""`bounceproc audit`: is the record of changes what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration
from bounceproc.cli.output import Format, print_json, progress, say

if TYPE_CHECKING:
    from bounceproc.store.auditing import Audited

app = typer.Typer(
    name="audit",
    help="Prove that the record of changes is what was written: who changed what in the list, when and why.",
    no_args_is_help=True,
)


@app.command()
def verify(
    *,
    expect: Annotated[
        str | None,
        typer.Option(
            "--expect",
            metavar="HEAD",
            help="What `audit head` printed earlier. Only so does it show when the newest lines are cut off.",
        ),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="A sentence for people, or one JSON object.")
    ] = Format.TABLE,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Read all changes and hold them against their seals. Exit code 1: one is not what was written, or is missing.

    What was erased by `forget` stays proved: seals cover texts only as hashes whose salt goes with them.
    """
    from bounceproc.bootstrap.database import head_of_audit, open_store

    noted = head_of_audit(expect) if expect is not None else None
    with open_store(configuration(config, database)) as store, progress("verifying") as tick:
        found = store.audit.verify(expect=noted, on_progress=tick)
    if format_.is_json:
        told = {name: getattr(found, name) for name in ("lines", "erased", "unsealed", "broken", "why")}
        print_json({"whole": found.is_whole, **told, "head": str(found.head)})
    else:
        typer.echo(_told(found))
        if noted is None and found.is_whole:
            say(
                "Whether newer ones were cut off shows only against a head that was noted elsewhere: audit head, --expect."
            )
    raise typer.Exit(0 if found.is_whole else 1)


def _told(found: Audited) -> str:
    if found.broken is not None:
        return f"BROKEN at version {found.broken}: {found.why}. {found.lines} changes before it are what was written."
    erased = f" ({found.erased} of them without their texts, which were erased)" if found.erased else ""
    proved = f"{found.lines} changes are what was written{erased}; head {found.head}"
    if not found.unsealed:
        return proved
    return f"{proved}\n{found.unsealed} behind them are not sealed: look at them, then run bounceproc audit seal"


@app.command()
def head(config: ConfigOption = None, database: DatabaseOption = None) -> None:
    """Print version and seal of the newest change. Keep it where nobody who can change the database can change it."""
    from bounceproc.bootstrap.database import open_store

    with open_store(configuration(config, database)) as store:
        typer.echo(str(store.audit.head()))


@app.command()
def seal(config: ConfigOption = None, database: DatabaseOption = None) -> None:
    """Seal changes that no program sealed: of before the upgrade, or of an older program that still ran beside a newer one.

    Changes are sealed as they are written, so that there is seldom anything to do. It vouches for them as they are now.
    """
    from bounceproc.bootstrap.database import open_store

    with open_store(configuration(config, database)) as store:
        first, count = store.audit.seal()
    say(f"{count} changes sealed, from version {first} on" if count else "everything is sealed already")
