"""`bounceproc export`: the suppression list, or what changed, for those who cannot ask."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration, now
from bounceproc.cli.output import progress, say


class ExportFormat(StrEnum):
    """What others read."""

    CSV = "csv"
    JSONL = "jsonl"
    JSON = "json"
    TXT = "txt"


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("export")(export)


def export(
    *,
    format_: Annotated[
        ExportFormat,
        typer.Option("--format", help="csv with a head line, one JSON object a line, or one address a line."),
    ] = ExportFormat.CSV,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write here, all or nothing. Default: standard output."),
    ] = None,
    since: Annotated[
        int | None, typer.Option("--since", metavar="VERSION", help="Only what changed after this version of the feed.")
    ] = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Write the suppression list, every entry with its scope."""
    from bounceproc.bootstrap import open_store
    from bounceproc.lookup.export import export as write

    with open_store(configuration(config, database)) as store, progress("exporting") as tick:
        summary = write(store.suppressions, format_.value, output, now=now(), since=since, progress=tick)
    if summary.without_address:
        say(
            f"{summary.without_address} entries have no plaintext address (forgotten or hash only) and could not be listed"
        )
    if output is not None:
        say(f"{summary.written} lines in {output}, version {summary.version}")
