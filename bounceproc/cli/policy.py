"""`bounceproc policy`: what turns events into suppressions: the numbers in force, and whether others could be."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration
from bounceproc.cli.outlooks import LIMIT, LimitOption, show_outlooks
from bounceproc.cli.output import Format, harmless, out, print_json, progress, say, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import Console

app = typer.Typer(
    name="policy", help="How much evidence suppresses whom, where and for how long.", no_args_is_help=True
)


class Shape(StrEnum):
    """How a policy is printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    TOML = "toml"


@app.command()
def show(
    *,
    format_: Annotated[
        Shape, typer.Option("--format", help="A table, one JSON object, or TOML for a configuration file.")
    ] = Shape.TABLE,
    config: ConfigOption = None,
) -> None:
    """Show the policy in force, defaults included."""
    from bounceproc.config.toml import write
    from bounceproc.policies import shown

    plain = shown(configuration(config))
    if format_ is Shape.TOML:
        typer.echo(write({"policy": plain}), nl=False)
    elif format_ is Shape.TABLE:
        _table(out(), plain)
    else:
        print_json(plain)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A configuration, or a file with a [policy] alone.")],
) -> None:
    """Say whether a policy can be; nothing is changed. Exit code 78: it cannot, and each wrong place gets a line."""
    from bounceproc.config import Config
    from bounceproc.policies import policy_of

    policy_of(Config.load(file, environ={}))
    say(f"{file}: fine")


@app.command()
def due(
    *,
    format_: Annotated[Format, typer.Option("--format", help="A line for people, or one JSON object.")] = Format.TABLE,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Do what falls due: second looks, ends, old reviews. A poller does it in its idle time; this is for where none runs."""
    from bounceproc.bootstrap.database import open_store
    from bounceproc.policies import policy_of

    loaded = configuration(config, database)
    with open_store(loaded) as store:
        done = store.due.work(policy_of(loaded))
    if format_.is_json:
        print_json(done.to_dict())
        return
    typer.echo(
        f"{done.permanent} became permanent, {done.lifted} were lifted, {done.expired} were over; {done.ended} decisions to "
        f"go on sending ended, {done.dropped} reviews were dropped"
    )


@app.command()
def apply(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say who would enter or leave the list, and why; change nothing.")
    ] = False,
    format_: Annotated[
        Format, typer.Option("--format", help="With --dry-run: a table for people, or JSON lines.")
    ] = Format.TABLE,
    limit: LimitOption = LIMIT,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Bring the list in line with the policy in force, by all that was recorded: after other numbers, or from observe to enforce.

    What comes from now on is decided by the policy in any case; this is about what came before. See first what it would do:
    `bounceproc policy apply --dry-run`. Entries made by hand or by an import stay, and so do those whose evidence is gone.
    """
    from bounceproc.bootstrap import byhand, judging

    loaded = configuration(config, database)
    if dry_run:
        with judging.simulated_policy(loaded, None) as found:
            show_outlooks(found, format_, limit)
        return
    with progress("deciding") as tick:
        changed = judging.apply_policy(loaded, actor=byhand.actor(), on_progress=tick)
    say(f"suppressions changed: {changed}")


@app.command()
def observed(
    *,
    regretted: Annotated[bool, typer.Option("--regretted", help="Only what took mail later.")] = False,
    summary: Annotated[bool, typer.Option("--summary", help="How many, by reason and category.")] = False,
    format_: Annotated[
        Format, typer.Option("--format", help="A table for people, or one JSON object a line.")
    ] = Format.TABLE,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Show what `mode = "observe"` would have suppressed, and what it would have regretted: addresses that took mail later.

    To have it in force, set `mode = "enforce"`, look at `bounceproc policy apply --dry-run`, and run it without.
    """
    from bounceproc.bootstrap.database import open_store

    loaded = configuration(config, database)
    with open_store(loaded) as store:
        rows = (
            store.observing.summary()
            if summary
            else (one.to_dict() for one in store.observing.listing(regretted=regretted))
        )
        _print(rows, format_)
        total = store.observing.summary()
    if not format_.is_json:
        counts = {name: sum(int(row[name] or 0) for row in total) for name in ("suppressed", "lifted", "regretted")}
        say("would have suppressed {suppressed}, lifted {lifted} again, and regretted {regretted}".format(**counts))
        if loaded.policy.mode == "enforce" and total:
            say("the policy enforces now what comes; `policy apply --dry-run` says what it makes of what came before")


def _print(rows: Iterable[Mapping[str, str | int | None]], format_: Format) -> None:
    """Rows with the same keys."""
    made = None
    for row in rows:
        if format_.is_json:
            print_json(dict(row))
            continue
        made = made if made is not None else table(*(name.replace("_at", "") for name in row))
        made.add_row(*(harmless(value if value is not None else "-", 120) for value in row.values()))
    if not format_.is_json:
        out().print(made if made is not None else "Nothing was observed.")


def _table(console: Console, plain: Mapping[str, Any]) -> None:
    made = table("what", "messages", "on days", "spanning", "within", "then")
    for name, row in plain.items():
        if name in {"mode", "trust", "review", "incident"}:
            continue
        what = f"{name} ({row['addresses']} addresses)" if "addresses" in row else name
        counts = [str(row["messages"]), str(row["days"]), _days(row["span_days"]), _days(row["within_days"])]
        made.add_row(what, *counts, _then(row))
    console.print(made)
    trust, review = plain["trust"], plain["review"]
    for level in ("signed", "matched", "reported", "heuristic"):
        console.print(f"{level}: {_weight(trust, trust[level])}")
    console.print(
        f"review list: {review['again']} new reports bring back what was dismissed; "
        f"an address stays for {review['keep_days']} days"
    )
    incident = plain["incident"]
    surge = f"{incident['recipients']} recipients in a day, more than {incident['factor']} times the worst of {incident['days']} days"
    console.print(f"incidents: {surge if incident['enabled'] else 'off'}")
    console.print(f"mode: {plain['mode']}" + (" (nothing is suppressed)" if plain["mode"] == "observe" else ""))


def _days(number: int) -> str:
    return f"{number} d" if number else "-"


def _then(row: Mapping[str, Any]) -> str:
    if not row["suppress"]:
        return "nothing"
    what = "suppress the domain" if "addresses" in row else "suppress"
    parts = [f"{what} for {row['expires_days']} d" if row["expires_days"] else what]
    if row.get("scope") == "stream":
        parts.append("in its stream where that is known")
    if row.get("second_look_days"):
        parts.append(f"with a second look after {row['second_look_days']} d")
    return ", ".join(parts)


def _weight(trust: Mapping[str, Any], weight: str) -> str:
    if weight == "counts":
        return f"counts, from {trust['messages']} messages on {trust['days']} days of receipt on"
    return {"acts": "acts", "reviews": "only puts the address on the review list", "ignored": "is ignored"}[weight]


@app.command()
def simulate(
    *,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy", metavar="FILE", help="A file with the table [policy] to try. Default: the one in force."
        ),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="A table for people, or JSON lines.")] = Format.TABLE,
    limit: LimitOption = LIMIT,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Decide everything that was recorded by another policy: who would enter or leave the list, and why. Nothing is changed."""
    from bounceproc.bootstrap.judging import simulated_policy

    with simulated_policy(configuration(config, database), policy) as found:
        show_outlooks(found, format_, limit)
