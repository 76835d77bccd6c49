"""`bounceproc service`: files for systemd and containers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bounceproc.cli.output import say

app = typer.Typer(
    name="service", help="Files that let systemd or a container run this for years.", no_args_is_help=True
)


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="bounceproc-poll.service, ...-poll-once.service, ...-poll-once.timer, ...-lmtp.service, Containerfile.",
        ),
    ],
) -> None:
    """Print a file as it has to be for this installation."""
    from bounceproc.service.install import render

    typer.echo(render(name), nl=False)


@app.command()
def install(
    *,
    folder: Annotated[Path, typer.Option("--dir", metavar="FOLDER", help="Where the units go.")] = Path(
        "/etc/systemd/system"
    ),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that somebody edited.")] = False,
) -> None:
    """Write the units of systemd; starting them is left to you."""
    from bounceproc.service.install import install as write
    from bounceproc.service.install import plan

    steps = plan(folder)
    if not dry_run:
        write(steps, force=force)
    for step in steps:
        say(f"{step.path}: {step.action}")
    if not dry_run:
        say(
            "Next: systemctl daemon-reload && systemctl enable --now bounceproc-poll.service (or bounceproc-poll-once.timer, bounceproc-lmtp.service)."
        )
