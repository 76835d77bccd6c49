"""`bounceproc suppress allow`, `disallow`, `allowed`: a person goes on sending, whatever is reported."""

from __future__ import annotations

from typing import Annotated

import typer

from bounceproc.cli.importing import ActorOption
from bounceproc.cli.options import ConfigOption, DatabaseOption, configuration, moment, now
from bounceproc.cli.output import Format, harmless, out, print_json, say, table

AddressesArgument = Annotated[
    list[str], typer.Argument(metavar="ADDRESS...", help="Addresses, or @domain for whole domains.")
]
ConsentOption = Annotated[
    str | None,
    typer.Option(
        "--consent",
        help="How the recipient said that they want the mail: without it no complaint is lifted or overruled.",
    ),
]


def allow(
    addresses: AddressesArgument,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept, and shown with the reports to come.")],
    scope: Annotated[str, typer.Option("--scope", help="* for all mail, or stream:NAME.")] = "*",
    until: Annotated[
        str | None, typer.Option("--until", help="When it ends: 2027-01-31 or 30d. Default: never.")
    ] = None,
    consent: ConsentOption = None,
    actor: ActorOption = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Go on sending: lift what stands, and let no report suppress these addresses again until then.

    What policy would have suppressed goes to the review list instead. Complaints and unsubscribes act all the same, unless
    --consent says how the recipient took them back. For a domain it beats what is reported about the domain as a whole.
    """
    from bounceproc.bootstrap.byhand import actor_for, scope_of, subject
    from bounceproc.bootstrap.database import open_store

    moment_ = now()
    ends = moment(until, since=moment_) if until else None
    if ends is not None and ends <= moment_:
        raise typer.BadParameter("it lies in the past", param_hint="--until")
    subjects = [subject(text) for text in addresses]
    wanted, who = scope_of(scope), actor_for(actor)
    with open_store(configuration(config, database)) as store:
        for each in subjects:
            lifted = store.keeping.keep(
                each, scope=wanted, until=ends, note=reason, consent=consent, actor=who, now=moment_
            )
            say(f"{each}: goes on being mailed" + (f", {lifted} lifted" if lifted else ""))


def disallow(
    addresses: AddressesArgument,
    *,
    scope: Annotated[str | None, typer.Option("--scope", help="Only this scope. Default: all of them.")] = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """End such decisions. What is reported from now on counts; what was reported meanwhile does not."""
    from bounceproc.bootstrap.byhand import actor, scope_of, subject
    from bounceproc.bootstrap.database import open_store

    subjects = [subject(text) for text in addresses]
    missing = 0
    with open_store(configuration(config, database)) as store:
        for each in subjects:
            ended = store.keeping.end(each, scope=scope_of(scope) if scope else None, actor=actor(), now=now())
            missing += not ended
            say(f"{each}: {'reports count again' if ended else 'nobody had decided to go on sending'}")
    raise typer.Exit(1 if missing else 0)


def allowed(
    *,
    format_: Annotated[
        Format, typer.Option("--format", help="A table for people, or one JSON object a line.")
    ] = Format.TABLE,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Show the addresses that are mailed by such a decision."""
    from bounceproc.bootstrap.database import open_store

    made = table("address", "scope", "since", "until", "by", "reason", "consent")
    shown = 0
    with open_store(configuration(config, database)) as store:
        for one in store.keeping.listing(now=now()):
            shown += 1
            if format_.is_json:
                print_json(one.to_dict())
                continue
            keep = one.keep
            until = f"{keep.until:%Y-%m-%d}" if keep.until else "-"
            cells = (one.address or "(forgotten)", keep.scope, f"{keep.since:%Y-%m-%d}", until, keep.actor)
            made.add_row(
                *(harmless(cell) for cell in cells), harmless(keep.note, 80), harmless(keep.consent or "-", 80)
            )
    if not format_.is_json:
        out().print(made if shown else "No such decision is in force.")
