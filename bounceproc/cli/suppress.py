"""`bounceproc suppress`: change the list by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from bounceproc.cli.allow import ConsentOption, allow, allowed, disallow
from bounceproc.cli.importing import ActorOption, import_
from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration, moment, now
from bounceproc.cli.output import Format, harmless, out, print_json, say, table

app = typer.Typer(
    name="suppress", help="Add, lift and list suppressions by hand; who did it is recorded.", no_args_is_help=True
)

AddressesArgument = Annotated[
    list[str], typer.Argument(metavar="ADDRESS...", help="Addresses, or @domain for whole domains.")
]
NoteOption = Annotated[str | None, typer.Option("--note", help="A sentence that is kept with the entry.")]


@app.command()
def add(
    addresses: AddressesArgument,
    *,
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            help="bounce, complaint, unsubscribe, manual or import; any other text is kept as the note of a manual one.",
        ),
    ] = "manual",
    scope: Annotated[str, typer.Option("--scope", help="* for all mail, or stream:NAME.")] = "*",
    until: Annotated[
        str | None, typer.Option("--until", help="When it ends: 2027-01-31 or 30d. Default: never.")
    ] = None,
    note: NoteOption = None,
    actor: ActorOption = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Suppress addresses or whole domains. A decision by hand beats every automatic one."""
    from bounceproc.bootstrap.byhand import actor_for, manual_reason, scope_of, subject
    from bounceproc.bootstrap.database import open_store

    moment_ = now()
    ends = moment(until, since=moment_) if until else None
    if ends is not None and ends <= moment_:
        raise typer.BadParameter("it lies in the past", param_hint="--until")
    word, kept = manual_reason(reason, note)
    who, wanted = actor_for(actor), scope_of(scope)
    subjects = [subject(text) for text in addresses]
    with open_store(configuration(config, database)) as store:
        for each in subjects:
            changed = store.suppressions.suppress(
                each, scope=wanted, reason=word, until=ends, note=kept, actor=who, now=moment_
            )
            say(f"{each}: {'suppressed' if changed else 'was suppressed just so already'}")


@app.command()
def remove(
    addresses: AddressesArgument,
    *,
    scope: Annotated[
        str | None, typer.Option("--scope", help="Lift only this scope. Default: every entry of the address.")
    ] = None,
    note: NoteOption = None,
    reason: Annotated[str | None, typer.Option("--reason", help="The same as --note: why it is lifted.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Go on sending whatever is reported from now on, too: see `suppress allow`.")
    ] = False,
    until: Annotated[str | None, typer.Option("--until", help="With --keep: when that ends. Default: never.")] = None,
    consent: ConsentOption = None,
    actor: ActorOption = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Lift suppressions. What was reported until now counts no more; what is reported from now on does.

    A complaint is lifted only with --consent: how the recipient took it back.
    """
    from bounceproc.bootstrap.byhand import actor_for, scope_of, subject
    from bounceproc.bootstrap.database import open_store

    note = "; ".join(filter(None, (reason, note))) or None

    if keep:
        if not note:
            raise typer.BadParameter("say why with --note: whoever finds the reports later asks", param_hint="--keep")
        allow(
            addresses,
            reason=note,
            scope=scope or "*",
            until=until,
            consent=consent,
            actor=actor,
            config=config,
            database=database,
        )
        return
    if until:
        raise typer.BadParameter("it goes with --keep", param_hint="--until")
    subjects = [subject(text) for text in addresses]
    wanted = scope_of(scope) if scope else None
    missing, who = 0, actor_for(actor)
    with open_store(configuration(config, database)) as store:
        for each in subjects:
            lifted = store.suppressions.lift(each, scope=wanted, note=note, consent=consent, actor=who, now=now())
            missing += not lifted
            say(f"{each}: {f'{lifted} lifted' if lifted else 'was not suppressed'}")
    raise typer.Exit(1 if missing else 0)


@app.command("list")
def list_(
    *,
    format_: Annotated[
        Format, typer.Option("--format", help="A table for people, or one JSON object a line.")
    ] = Format.TABLE,
    expired: Annotated[
        bool, typer.Option("--expired", help="Show entries that are no longer in force as well.")
    ] = False,
    scope: Annotated[str | None, typer.Option("--scope", help="Only this scope: * or stream:NAME.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Only this reason.")] = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Show the list, and who changed each entry the last time."""
    from bounceproc.bootstrap.byhand import REASONS, scope_of
    from bounceproc.bootstrap.database import open_store

    if reason is not None and reason not in REASONS:
        raise typer.BadParameter(f"there are {', '.join(REASONS)}", param_hint="--reason")
    only = {"scope": scope_of(scope) if scope else None, "reason": reason}
    made = table("address", "scope", "reason", "category", "since", "until", "by", "note")
    shown = 0
    with open_store(configuration(config, database)) as store:
        for entry, by in store.suppressions.listing(now=now(), include_expired=expired, **only):
            shown += 1
            if format_.is_json:
                print_json({"address": entry.address, **entry.to_dict(), "actor": by})
                continue
            until = f"{entry.until:%Y-%m-%d}" if entry.until else "-"
            cells = [
                entry.address or "(forgotten)",
                entry.scope,
                entry.reason,
                entry.category or "-",
                f"{entry.since:%Y-%m-%d}",
                until,
                by or entry.origin,
            ]
            made.add_row(*(harmless(cell) for cell in cells), harmless(entry.note or "-", 80))
    if not format_.is_json:
        out().print(made if shown else "Nobody is suppressed.")


for command in (allow, disallow, allowed):
    app.command()(command)
app.command("import")(import_)
