"""`bounceproc filter`: a list in, the rows that may be mailed out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bounceproc.cli.collecting import spare_the_collector
from bounceproc.cli.options import ConfigOption, DatabaseOption, StreamOption, configuration, now
from bounceproc.cli.output import progress, say

if TYPE_CHECKING:
    from bounceproc.lookup.bulk.sift import Sifted


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("filter")(filter_)


def filter_(
    source: Annotated[
        Path,
        typer.Argument(metavar="[IN]", help="One address a line, or CSV with a head line. Default: standard input."),
    ] = Path("-"),
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="OUT", help="What may be mailed, as it stood there. Default: standard output."
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(
            "--column", metavar="NAME", help="The column of the address. Default: one named email, address, ..."
        ),
    ] = None,
    rejected: Annotated[
        Path | None,
        typer.Option("--rejected", metavar="OUT", help="The other rows, with the reason of each behind them."),
    ] = None,
    stream: StreamOption = None,
    encoding: Annotated[
        str | None,
        typer.Option("--encoding", metavar="NAME", help="Of a list that is neither UTF-8 nor has a byte order mark."),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=256, help="Processes that judge at once.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; write nothing.")] = False,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Write the rows of a list that may be mailed, in their order. What is no address is not let through, either.

    The list may be of any length. Ends with 0 whatever was found; the counts are on standard error.
    """
    from bounceproc.bootstrap.database import judge_of
    from bounceproc.lookup.bulk.files import filter_files, size_of

    judge = judge_of(configuration(config, database), stream=stream, now=now())
    spare_the_collector()
    with progress("filtering", octets=True) as tick:
        total = size_of(source)
        found = filter_files(
            source,
            judge,
            out=output,
            rejected=rejected,
            dry_run=dry_run,
            column=column,
            encoding=encoding,
            jobs=jobs,
            progress=lambda octets: tick(octets, total),
        )
    say(_told(found))


def _told(found: Sifted) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in found.reasons.most_common())
    rejected = f"{found.rejected} rejected" + (f" ({reasons})" if reasons else "")
    return f"{found.rows} rows: {found.rows - found.rejected} kept, {rejected}"
