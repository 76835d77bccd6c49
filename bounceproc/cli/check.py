"""`bounceproc check`: may these addresses be mailed? The answer is the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, StreamOption, configuration, now
from bounceproc.cli.output import Format, harmless, out, print_json, say
from bounceproc.errors import BadDataError, InvalidAddressError

if TYPE_CHECKING:
    from bounceproc.address import Address


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
    """Say which addresses must not be mailed. Exit code 0: none of them; 1: at least one; 65: some lines are no addresses."""
    from bounceproc.bootstrap import open_store, read_lines

    asked = [line for name in addresses for line in (filter(str.strip, read_lines("-")) if name == "-" else [name])]
    parsed, wrong = _parsed(asked, from_stdin="-" in addresses)
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
    raise typer.Exit(BadDataError.exit_code if wrong else 1 if found else 0)


def _parsed(texts: list[str], *, from_stdin: bool) -> tuple[list[Address], int]:
    """The addresses, and how many lines of standard input are none; what was typed as an argument must be one."""
    from bounceproc.address import Address

    parsed: list[Address] = []
    wrong = 0
    for text in texts:
        try:
            parsed.append(Address.parse(text))
        except InvalidAddressError as error:
            if not from_stdin:
                raise
            wrong += 1
            say(str(error))
    return parsed, wrong
