"""`bounceproc export`: the suppression list, or what changed, for those who cannot ask."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bounceproc.cli.collecting import spare_the_collector
from bounceproc.cli.options import ConfigOption, DatabaseOption, StreamOption, configuration, now
from bounceproc.cli.output import out, progress, say, table

if TYPE_CHECKING:
    from bounceproc.lookup.export import ExportSummary


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("export")(export)


def export(
    *,
    format_: Annotated[
        str,
        typer.Option("--format", metavar="NAME", help="What it is for; `--format list` tells them all."),
    ] = "csv",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write here, all or nothing. Default: standard output."),
    ] = None,
    since: Annotated[
        int | None, typer.Option("--since", metavar="VERSION", help="Only what changed after this version of the feed.")
    ] = None,
    stream: StreamOption = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Write the suppression list, every entry with its scope."""
    if format_ == "list":
        show_formats()
        return
    from bounceproc.bootstrap.database import delimiter_of, open_store
    from bounceproc.lookup.export import Format
    from bounceproc.lookup.export import export as write

    Format.parse(format_)
    spare_the_collector()
    loaded = configuration(config, database)
    with open_store(loaded) as store, progress("exporting") as tick:
        summary = write(
            store.suppressions,
            format_,
            output,
            now=now(),
            since=since,
            stream=stream,
            delimiter=delimiter_of(loaded),
            progress=tick,
        )
    for count, what in left_out(summary):
        if count:
            say(f"{count} {what}")
    if output is not None:
        say(f"{summary.written} lines in {output}, version {summary.version}")


def show_formats() -> None:
    """Print every format and who reads it."""
    from bounceproc.lookup.export.formats import FORMATS

    made = table("format", "for", "--since")
    for name, each in FORMATS.items():
        made.add_row(name, each.about, "changes" if each.feed else "additions" if each.delta else "-")
    out().print(made)


def left_out(summary: ExportSummary) -> tuple[tuple[int, str], ...]:
    """How much is not in the list, and why."""
    return (
        (summary.without_address, "entries have no plaintext address (forgotten or hash only) and could not be listed"),
        (summary.unwritable, "entries have an address that this format cannot hold"),
        (summary.domains, "whole domains are not in it: this format knows addresses only"),
        (summary.others, "addresses belong into another list of this service: export that, too"),
        (
            summary.lifted,
            "addresses were lifted since then, which this format cannot say: take them off there, or import the whole list",
        ),
        (
            summary.overruled,
            "addresses that a person goes on sending to (`suppress allowed` shows them) stand below their domain, which this format cannot say: take the domain's line for all but them, or ask a server",
        ),
    )
