"""The command line: every command by name."""

from __future__ import annotations

import typer

from bounceproc.cli.options import choose

app = typer.Typer(
    name="bounceproc",
    help="Bounces and complaints from a return-path mailbox become a suppression list that every sender can ask.",
    epilog="Start with `bounceproc demo`. Each command explains itself with --help.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


app.callback()(choose)


def add_commands() -> None:
    """Hang all commands into the program."""
    from bounceproc.cli import (
        audit,
        check,
        classify,
        config,
        db,
        demo,
        doctor,
        explain,
        export,
        filtering,
        forget,
        incident,
        ingest,
        lmtp,
        policy,
        poll,
        purge,
        reclassify,
        review,
        rules,
        sent,
        serve,
        service,
        snippet,
        status,
        suppress,
        token,
    )

    for module in (
        demo,
        poll,
        ingest,
        lmtp,
        classify,
        explain,
        check,
        filtering,
        status,
        export,
        snippet,
        serve,
        reclassify,
        forget,
        purge,
        doctor,
    ):
        module.add_to(app)
    for module in (suppress, audit, review, incident, policy, rules, db, config, service, token, sent):
        app.add_typer(module.app)
