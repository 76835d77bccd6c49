"""`bounceproc status`: the whole story of one address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, StreamOption, configuration, now
from bounceproc.cli.output import Format, harmless, out, print_json, table

if TYPE_CHECKING:
    from rich.console import Console

    from bounceproc.ports import RecordedEvent, Suppression
    from bounceproc.story import Story


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
    from bounceproc.bootstrap.byhand import subject
    from bounceproc.bootstrap.database import open_store
    from bounceproc.policies import policy_of
    from bounceproc.story import tell

    loaded, moment = configuration(config, database), now()
    with open_store(loaded) as store:
        known = store.suppressions.status(subject(address), stream=stream, now=moment)
    story = tell(known, policy_of(loaded), moment)
    if format_.is_json:
        print_json(story.to_dict())
    else:
        show(out(), story)


def show(console: Console, story: Story) -> None:
    """Print one story for a person."""
    status_ = story.status
    verdict = "suppressed: do not mail" if status_.suppressions else "not suppressed: may be mailed"
    console.print(f"{harmless(status_.address)}  {verdict}", style="bold red" if status_.suppressions else "bold green")
    for entry in status_.suppressions:
        _show_entry(console, entry)
    for keep in status_.kept:
        until = f" until {keep['until']}" if keep["until"] else ""
        console.print(harmless(f"goes on being mailed{until}, whatever is reported: {keep['reason']} ({keep['by']})"))
    for one in status_.review:
        console.print(harmless(f"on the review list, {one['state']}: {one['reason']}, {one['why']}"))
    if not status_.events:
        console.print("  Nothing was ever reported about this address.")
        return
    console.print()
    made = table("when (UTC)", "event", "class", "category", "status", "trust", "rule", "counted", "what was said")
    for recorded in status_.events:
        *cells, said = _cells(recorded)
        made.add_row(*cells, harmless(story.of(recorded.id)), said)
    console.print(made)
    for progress in story.progress:
        console.print(harmless(str(progress)))


def _show_entry(console: Console, entry: Suppression) -> None:
    from bounceproc.bootstrap.reading import category_info
    from bounceproc.story import lifted_by

    scope = "all mail" if entry.scope == "*" else entry.scope
    until = f"until {entry.until:%Y-%m-%d %H:%M}" if entry.until else "until somebody lifts it"
    kind = f"{entry.reason}, {entry.category} ({entry.class_})" if entry.category else entry.reason
    console.print(f"  {kind}: {scope}, since {entry.since:%Y-%m-%d %H:%M}, {until}")
    by = "hand" if entry.origin == "manual" else entry.origin
    console.print(f"    decided by {by}" + (f": {harmless(entry.note)}" if entry.note else ""))
    console.print(f"    lifted by: {lifted_by(entry)}")
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
