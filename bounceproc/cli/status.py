"""`bounceproc status`: the whole story of one address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, StreamOption, configuration, now
from bounceproc.cli.output import Format, harmless, out, print_json, table

if TYPE_CHECKING:
    from rich.console import Console

    from bounceproc.ports import AddressStatus, RecordedEvent, Suppression


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("status")(status)


def status(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The address, or @domain for a whole domain.")],
    *,
    stream: StreamOption = None,
    format_: Annotated[Format, typer.Option("--format", help="A page for people, or one JSON object.")] = Format.TABLE,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Tell whether an address is suppressed, since when, until when, why, and everything that happened to it."""
    from bounceproc.bootstrap import open_store, subject

    with open_store(configuration(config, database)) as store:
        story = store.suppressions.status(subject(address), stream=stream, now=now())
    if format_.is_json:
        print_json(story.to_dict())
    else:
        show(out(), story)


def show(console: Console, story: AddressStatus) -> None:
    """Print one story for a person."""
    verdict = "suppressed: do not mail" if story.suppressions else "not suppressed: may be mailed"
    console.print(f"{harmless(story.address)}  {verdict}", style="bold red" if story.suppressions else "bold green")
    for entry in story.suppressions:
        _show_entry(console, entry)
    if not story.events:
        console.print("  Nothing was ever reported about this address.")
        return
    console.print()
    made = table("when (UTC)", "event", "class", "category", "status", "trust", "rule", "what was said")
    for recorded in story.events:
        made.add_row(*_cells(recorded))
    console.print(made)


def _show_entry(console: Console, entry: Suppression) -> None:
    from bounceproc.bootstrap import category_info

    scope = "all mail" if entry.scope == "*" else entry.scope
    until = f"until {entry.until:%Y-%m-%d %H:%M}" if entry.until else "until somebody lifts it"
    kind = f"{entry.reason}, {entry.category} ({entry.class_})" if entry.category else entry.reason
    console.print(f"  {kind}: {scope}, since {entry.since:%Y-%m-%d %H:%M}, {until}")
    by = "hand" if entry.origin == "manual" else entry.origin
    console.print(f"    decided by {by}" + (f": {harmless(entry.note)}" if entry.note else ""))
    info = category_info(entry.category)
    if info is not None:
        console.print(f"    {info.meaning}. {info.advice}")


def _cells(recorded: RecordedEvent) -> list[str]:
    event = recorded.event
    when = event.occurred_at or recorded.received_at
    return [
        f"{when:%Y-%m-%d %H:%M}",
        event.type.value,
        event.class_.value if event.class_ else "-",
        str(event.category or "-"),
        str(event.status or event.smtp_code or "-"),
        event.trust.value,
        harmless(event.rule or "-"),
        harmless(event.diagnostic or "-", 160),
    ]
