"""`bounceproc suppress import`: a list of another service, or of people, onto ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bounceproc.cli.collecting import spare_the_collector
from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration, moment, now
from bounceproc.cli.output import Format, harmless, print_json, progress, say
from bounceproc.errors import BadDataError

if TYPE_CHECKING:
    from bounceproc.service.importing import Imported

ActorOption = Annotated[
    str | None,
    typer.Option("--actor", metavar="NAME", help="For whom, as a name or a ticket; your user is recorded as well."),
]


def import_(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="CSV with a head line, JSON, or one address a line; - is standard input."),
    ],
    *,
    from_format: Annotated[
        str | None,
        typer.Option(
            "--from-format",
            metavar="NAME",
            help="Whose list it is: csv, jsonl, txt, ses, sendgrid, mailgun, postmark, sparkpost. Default: seen from its columns.",
        ),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(
            "--reason",
            help="bounce, complaint, unsubscribe, manual or import, for all rows. Default: as each row says.",
        ),
    ] = None,
    scope: Annotated[str, typer.Option("--scope", help="For rows without one: * for all mail, or stream:NAME.")] = "*",
    until: Annotated[
        str | None,
        typer.Option("--until", help="When rows without an end do: 2027-01-31 (30d moves on if you repeat it)."),
    ] = None,
    note: Annotated[str | None, typer.Option("--note", help="A sentence for rows that bring none.")] = None,
    actor: ActorOption = None,
    rejects: Annotated[
        Path | None,
        typer.Option("--rejects", metavar="OUT", help="Where bad rows go. Default: FILE.rejects.csv beside the list."),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option("--encoding", metavar="NAME", help="Of a list that is neither UTF-8 nor has a byte order mark."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; change and write nothing.")] = False,
    format_: Annotated[
        Format, typer.Option("--format", help="A summary for people, or one JSON object.")
    ] = Format.TABLE,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Take a list of suppressions in: your own, or an export of SES, SendGrid, Mailgun, Postmark or SparkPost.

    Good rows are loaded; bad ones go with the reason into a file that can be mended and imported in turn, and the exit code is
    65. The same list again changes nothing. Nothing is shortened or lifted, and who is sent to by `suppress allow` still is.
    """
    from bounceproc.bootstrap.byhand import REASONS, actor_for, scope_of
    from bounceproc.bootstrap.intake import import_list
    from bounceproc.lookup.intake.makes import Defaults

    moment_ = now()
    ends = moment(until, since=moment_) if until else None
    if ends is not None and ends <= moment_:
        raise typer.BadParameter("it lies in the past", param_hint="--until")
    if reason is not None and reason not in REASONS:
        raise typer.BadParameter(f"there are {', '.join(REASONS)}; other words go into --note", param_hint="--reason")
    given = Defaults(reason or "import", scope_of(scope), ends, note, forced_reason=reason is not None)
    spare_the_collector()
    with progress("importing", octets=True) as tick:
        done = import_list(
            configuration(config, database),
            file,
            given,
            actor=actor_for(actor),
            make=from_format,
            encoding=encoding,
            rejects=rejects,
            dry_run=dry_run,
            on_progress=tick,
        )
    _tell(done, format_, dry_run=dry_run)
    raise typer.Exit(BadDataError.exit_code if done.bad else 0)


def _tell(done: Imported, format_: Format, *, dry_run: bool) -> None:
    loaded = done.loaded
    counts = {
        "added": loaded.added,
        "changed": loaded.changed,
        "known": loaded.known,
        "kept": loaded.kept,
        "over": loaded.over,
        "bad": done.bad,
    }
    if format_.is_json:
        where = str(done.rejects) if done.rejects else None
        print_json({"format": done.make, "rows": done.rows, **counts, "rejects": where, "dry_run": dry_run})
    would = "would be " if dry_run else ""
    said = [f"{loaded.added} {would}added", f"{loaded.changed} {would}changed", f"{loaded.known} known already"]
    said += [f"{loaded.kept} left alone: you decided to go on sending"] if loaded.kept else []
    said += [f"{loaded.over} had ended"] if loaded.over else []
    say(f"{done.rows} rows, read as {done.make}: {', '.join(said)}, {done.bad} bad")
    if not loaded.added + loaded.changed:
        say("Nothing would change." if dry_run else "Nothing changed.")
    for row in done.first:
        say(f"  line {row.line}: {harmless(row.why)}: {harmless(row.raw, 60)}")
    if done.bad > len(done.first):
        say(f"  and {done.bad - len(done.first)} more")
    if done.rejects:
        say(f"The bad rows are in {done.rejects}: mend them and import that file.")
