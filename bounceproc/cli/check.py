"""`bounceproc check`: may these addresses be mailed? The answer is the exit code."""

from __future__ import annotations

from typing import Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, StreamOption, configuration, now
from bounceproc.cli.output import Format, harmless, out, print_json


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("check")(check)


def check(
    addresses: Annotated[
        list[str],
        typer.Argument(metavar="ADDRESS...", help="Addresses, or - to read them from standard input, one a line."),
    ],
    *,
    stream: StreamOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing; only the exit code answers.")] = False,
    format_: Annotated[
        Format, typer.Option("--format", help="A line for each address, or one JSON object a line.")
    ] = Format.TABLE,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Say which addresses must not be mailed. Exit code 0: none of them; 1: at least one."""
    from bounceproc.address import Address
    from bounceproc.bootstrap import open_store, read_lines

    asked = [line for name in addresses for line in (filter(str.strip, read_lines("-")) if name == "-" else [name])]
    parsed = [Address.parse(text) for text in asked]
    with open_store(configuration(config, database)) as store:
        found = store.suppressions.check(parsed, stream=stream, now=now())
    if not quiet:
        console = out()
        for address in parsed:
            entry = found.get(address.normal)
            if format_.is_json:
                print_json(
                    {"address": address.text, "suppressed": entry is not None, **(entry.to_dict() if entry else {})}
                )
            elif entry is None:
                console.print(f"{harmless(address)}  send")
            else:
                why = f"{entry.reason}" + (f", {entry.category}" if entry.category else "")
                console.print(
                    f"{harmless(address)}  SUPPRESSED  {why}, scope {entry.scope}, since {entry.since:%Y-%m-%d}"
                )
    raise typer.Exit(1 if found else 0)
