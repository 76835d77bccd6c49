"""`bounceproc token`: signed return paths, made and read."""

from __future__ import annotations

from typing import Annotated

import typer

from bounceproc.cli.options import ConfigOption, configuration, moment, now
from bounceproc.cli.output import Format, harmless, print_json

app = typer.Typer(
    name="token",
    help="Signed return paths: reports that come back to one are believed, forged ones are not.",
    no_args_is_help=True,
)


@app.command()
def make(
    recipient: Annotated[str, typer.Argument(help="Whom the mail goes to.")],
    *,
    mailbox: Annotated[
        str | None,
        typer.Option("--mailbox", help="Where bounces go. Default: bounces@ the first of [identity] domains."),
    ] = None,
    stream: Annotated[str | None, typer.Option("--stream", help="The kind of mail: a-z 0-9 _ -.")] = None,
    valid: Annotated[str, typer.Option("--valid", help="How long it is good: 30d, or a day.")] = "30d",
    header: Annotated[bool, typer.Option("--header", help="A field for senders that cannot choose it.")] = False,
    config: ConfigOption = None,
) -> None:
    """Print the return path (MAIL FROM) of one mail to RECIPIENT, signed with [identity] token_secret.

    The mail system must deliver address extensions to the mailbox (Postfix: recipient_delimiter = +; Exim: local_part_suffix;
    Google does so by itself). In a program: `from bounceproc.returnpath import make`.
    """
    from bounceproc import returnpath
    from bounceproc.bootstrap.ours import return_path_mailbox, token_delimiter, token_secrets

    found = configuration(config)
    began = now()
    secrets, term = token_secrets(found), moment(valid, since=began) - began
    if header:
        value = returnpath.make_header(recipient, secrets=secrets, now=began, valid=term, stream=stream)
        typer.echo(f"{returnpath.HEADER}: {value}")
        return
    place, delimiter = return_path_mailbox(found, mailbox), token_delimiter(found)
    typer.echo(
        returnpath.make(recipient, place, secrets=secrets, now=began, valid=term, stream=stream, delimiter=delimiter)
    )


@app.command()
def read(
    path: Annotated[str, typer.Argument(metavar="ADDRESS", help="A return path, or the value of the header field.")],
    *,
    format_: Annotated[Format, typer.Option("--format", help="A table for people, or one JSON object.")] = Format.TABLE,
    config: ConfigOption = None,
) -> None:
    """Say whom a token was made for and until when it is good; ends with 65 where it is forged, changed or too old."""
    from bounceproc import returnpath
    from bounceproc.bootstrap.ours import token_secrets

    reader = returnpath.read if "@" in path else returnpath.read_header
    token = reader(path, secrets=token_secrets(configuration(config)), now=now())
    row = {
        "recipient": token.recipient.text if token.recipient else None,
        "digest": token.digest or None,
        "stream": token.stream,
        "expires": token.expires.isoformat(),
    }
    if format_.is_json:
        print_json(row)
        return
    for name, value in row.items():
        if value is not None:
            typer.echo(f"{name:9}  {harmless(value)}")
