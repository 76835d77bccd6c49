"""`bounceproc incident`: surges of a provider's refusals that wait for a person's word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration, now
from bounceproc.cli.output import Format, harmless, out, print_json, say, table

if TYPE_CHECKING:
    from bounceproc.ports import Incident

app = typer.Typer(
    name="incident",
    help="When a provider suddenly refuses very many recipients with the same words, they are held back until you decide.",
    no_args_is_help=True,
)

NumberArgument = Annotated[int, typer.Argument(metavar="NUMBER", help="The incident's number in `incident list`.")]
NoteOption = Annotated[str | None, typer.Option("--note", help="A sentence that is kept with the decision.")]
FormatOption = Annotated[Format, typer.Option("--format", help="A table for people, or JSON.")]
SHOWN = 20


@app.command("list")
def list_(
    *, format_: FormatOption = Format.TABLE, config: ConfigOption = None, database: DatabaseOption = None
) -> None:
    """Show all incidents, the newest first. Exit code 1: some wait for a decision."""
    from bounceproc.bootstrap.database import open_store

    with open_store(configuration(config, database)) as store:
        incidents = store.incidents.all()
    made = table("incident", "state", "provider", "recipients", "held", "usual", "since", "last", "wording")
    for one in incidents:
        if format_.is_json:
            print_json(one.to_dict())
            continue
        numbers = (str(one.recipients), str(one.held), str(one.usual))
        times = (f"{one.opened_at:%Y-%m-%d %H:%M}", f"{one.surged_at:%Y-%m-%d %H:%M}")
        cells = (str(one.id), one.state.value, one.provider, *numbers, *times)
        made.add_row(*(harmless(cell) for cell in cells), harmless(one.wording, 60))
    if not format_.is_json:
        out().print(made if incidents else "There was no incident.")
    raise typer.Exit(1 if any(one.state == "open" for one in incidents) else 0)


@app.command()
def show(
    number: NumberArgument,
    *,
    format_: FormatOption = Format.TABLE,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Show one incident with its recipients, and what can be done about it."""
    from bounceproc.bootstrap.database import open_store

    with open_store(configuration(config, database)) as store:
        incident = store.incidents.get(number)
        addresses = store.incidents.addresses(number)
    if format_.is_json:
        print_json({**incident.to_dict(), "addresses": addresses})
        return
    for line in _told(incident):
        typer.echo(harmless(line))
    for address in addresses[:SHOWN]:
        typer.echo(harmless(f"  {address or '(forgotten)'}"))
    if len(addresses) > SHOWN:
        typer.echo(f"  and {len(addresses) - SHOWN} more; all of them with --format json")


def _told(incident: Incident) -> list[str]:
    lines = [
        f"incident {incident.id} at {incident.provider}, {incident.state}",
        f"since {incident.opened_at:%Y-%m-%d %H:%M} UTC, last seen as a surge {incident.surged_at:%Y-%m-%d %H:%M} UTC",
        f"{incident.recipients} recipients were refused; on the worst day before it were {incident.usual}",
        f"{incident.held} of them are not suppressed",
        f"the words: {incident.wording}",
    ]
    if incident.decided_by and incident.decided_at:
        note = f": {incident.note}" if incident.note else ""
        return [*lines, f"{incident.state} by {incident.decided_by} on {incident.decided_at:%Y-%m-%d %H:%M} UTC{note}"]
    return [
        *lines,
        f"Look at the provider's status page. Then `bounceproc incident revert {incident.id}` if it was at fault,",
        f"or `bounceproc incident confirm {incident.id}` if these mailboxes are gone.",
    ]


@app.command()
def confirm(
    number: NumberArgument, *, note: NoteOption = None, config: ConfigOption = None, database: DatabaseOption = None
) -> None:
    """The mailboxes are gone: what was held back counts from now on."""
    from bounceproc.bootstrap.byhand import actor
    from bounceproc.bootstrap.judging import confirm_incident

    changed = confirm_incident(configuration(config, database), number, actor=actor(), note=note)
    say(f"incident {number} is confirmed: {changed} suppressions changed")


@app.command()
def revert(
    number: NumberArgument, *, note: NoteOption = None, config: ConfigOption = None, database: DatabaseOption = None
) -> None:
    """The provider was at fault: its refusals never count, and what they suppressed is as it was before."""
    from bounceproc.bootstrap.byhand import actor
    from bounceproc.bootstrap.database import open_store

    with open_store(configuration(config, database)) as store:
        changed = store.incidents.revert(number, actor=actor(), note=note, now=now())
    say(f"incident {number} is taken back: {changed} suppressions are as they were")
