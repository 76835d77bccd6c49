"""`bounceproc classify`: what messages or bare SMTP replies say, with no database."""

from __future__ import annotations

from typing import Annotated

import typer

from bounceproc.cli.classifying import print_messages, print_replies
from bounceproc.cli.options import ConfigOption, RulesOption, rule_files
from bounceproc.cli.output import Format


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("classify")(classify)


def classify(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH...", help="Files (.eml, .mbox), Maildirs, folders of them, or - for standard input."
        ),
    ] = None,
    *,
    format_: Annotated[
        Format, typer.Option("--format", help="A table for people, or one JSON object a line.")
    ] = Format.TABLE,
    replies: Annotated[
        str | None,
        typer.Option(
            "--replies",
            metavar="FILE",
            help="Read SMTP replies or Diagnostic-Codes instead, one a line; - for standard input.",
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Processes that read at the same time; the order is kept.")
    ] = 1,
    mbox: Annotated[bool, typer.Option("--mbox", help="Read every file as an mbox.")] = False,
    rules: RulesOption = None,
    config: ConfigOption = None,
) -> None:
    """Say what each message means: who, what, why, by which rule. Nothing is recorded."""
    if replies is not None and paths:
        raise typer.BadParameter("give either messages or --replies", param_hint="PATH")
    own = rule_files(config, rules)
    if replies is not None:
        print_replies(replies, format_, own)
    elif paths:
        print_messages(paths, format_, jobs=jobs, mbox=mbox, rules=own)
    else:
        raise typer.BadParameter("name at least one file or folder, or - for standard input", param_hint="PATH")
