"""`bounceproc forget`: erase the plaintext of people, and keep their suppression."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration, now
from bounceproc.cli.output import Format, harmless, out, print_json, progress, say, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bounceproc.address import Address

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be erased, and erase nothing.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask: nothing brings it back.")]


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("forget")(forget)


def forget(
    addresses: Annotated[
        list[str],
        typer.Argument(metavar="ADDRESS...", help="Addresses. Several at once cost one look through the copies."),
    ],
    *,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why: it is kept in the feed of changes, without these addresses.")
    ] = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    format_: Annotated[
        Format, typer.Option("--format", help="A table for people, or one JSON object a line.")
    ] = Format.TABLE,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Erase what is known of people in plaintext, and keep the keyed suppression: `check` answers as before.

    Erased are addresses, the texts of their events, what people wrote about them, and the raw copy of every message that
    names them. Then the database file is written anew, which takes as much room again for a while. See first what would go:
    `bounceproc forget --dry-run ADDRESS`. Backups, logs and exported lists are yours to look after.
    """
    from bounceproc.bootstrap import byhand, privacy

    subjects = [byhand.subject(text) for text in addresses]
    if not dry_run and not yes:
        _ask(subjects)
    with progress("looking through") as tick:
        erased = privacy.forget(
            configuration(config, database), subjects, reason=reason, now=now(), dry_run=dry_run, on_progress=tick
        )
    show("would be erased" if dry_run else "erased", erased, format_, addresses=addresses, dry_run=dry_run)


def show(what: str, counts: Mapping[str, int], format_: Format, **more: object) -> None:
    """Counts by what they are."""
    if format_.is_json:
        print_json({**more, "counts": counts, "total": sum(counts.values())})
        return
    made = table("what", what)
    for name, count in counts.items():
        made.add_row(harmless(name), str(count))
    if counts:
        out().print(made)
    say(f"{what}: {sum(counts.values())}" if counts else f"nothing {what}")


def _ask(subjects: list[Address]) -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter(
            "nobody is there to be asked, and nothing brings it back: say --yes", param_hint="--yes"
        )
    named = str(subjects[0]) if len(subjects) == 1 else f"{len(subjects)} addresses"
    typer.confirm(f"Erase all plaintext of {harmless(named)}? Nothing brings it back.", abort=True, err=True)
