"""`bounceproc review`: reports that nobody can vouch for, for a person to confirm or dismiss."""

from __future__ import annotations

from typing import Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration, now
from bounceproc.cli.output import Format, harmless, out, print_json, say, table

app = typer.Typer(
    name="review",
    help="Addresses that would be suppressed, if what was reported could be believed, or had nobody decided otherwise.",
    no_args_is_help=True,
)

AddressesArgument = Annotated[
    list[str], typer.Argument(metavar="ADDRESS...", help="Addresses, or @domain for whole domains.")
]
NoteOption = Annotated[str | None, typer.Option("--note", help="A sentence that is kept with the decision.")]


@app.command("list")
def list_(
    *,
    decided: Annotated[
        bool, typer.Option("--all", help="Also what was confirmed or dismissed, and is remembered.")
    ] = False,
    format_: Annotated[
        Format, typer.Option("--format", help="A table for people, or one JSON object a line.")
    ] = Format.TABLE,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Show who waits for a decision."""
    from bounceproc.bootstrap.database import open_store

    made = table("address", "reason", "scope", "reports", "first", "last", "what was counted", "why it waits")
    shown = 0
    with open_store(configuration(config, database)) as store:
        for one in store.reviews.listing(now=now(), decided=decided):
            shown += 1
            if format_.is_json:
                print_json(one.to_dict())
                continue
            cause = "you go on sending" if one.cause == "kept" else "not trusted"
            state = cause if one.state == "open" else f"{one.state} by {one.decided_by}"
            days = (f"{one.first_at:%Y-%m-%d}", f"{one.last_at:%Y-%m-%d}")
            cells = (one.address or "(forgotten)", one.reason, one.scope, str(one.count), *days, one.why, state)
            made.add_row(*(harmless(cell, 120) for cell in cells))
    if not format_.is_json:
        out().print(made if shown else "Nobody waits for a decision.")


@app.command()
def confirm(
    addresses: AddressesArgument,
    *,
    note: NoteOption = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Believe the reports: suppress these addresses by hand, citing the events. Exit code 1: one of them does not wait."""
    from bounceproc.bootstrap.byhand import actor, subject
    from bounceproc.bootstrap.database import open_store

    subjects = [subject(text) for text in addresses]
    missing = 0
    with open_store(configuration(config, database)) as store:
        for each in subjects:
            made = store.reviews.confirm(each, note=note, actor=actor(), now=now())
            missing += not made
            say(f"{each}: {'suppressed' if made else 'does not wait for a decision'}")
    raise typer.Exit(1 if missing else 0)


@app.command()
def dismiss(
    addresses: AddressesArgument,
    *,
    note: NoteOption = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Do not believe them. These reports never come back; [policy.review] says how many new ones do. Exit code 1: as above."""
    from bounceproc.bootstrap.byhand import actor, subject
    from bounceproc.bootstrap.database import open_store

    subjects = [subject(text) for text in addresses]
    missing = 0
    with open_store(configuration(config, database)) as store:
        for each in subjects:
            gone = store.reviews.dismiss(each, note=note, actor=actor(), now=now())
            missing += not gone
            say(f"{each}: {'dismissed' if gone else 'does not wait for a decision'}")
    raise typer.Exit(1 if missing else 0)
