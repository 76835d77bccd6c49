"""`bounceproc demo`: the whole flow on sample mail, with nothing configured."""

from __future__ import annotations

import shlex
import shutil
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bounceproc.cli.output import harmless, out, progress, table

if TYPE_CHECKING:
    from bounceproc.demo.story import Story


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("demo")(demo)


def demo(
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            help="Where database and configuration are left. Default: bounceproc-demo, or the next free bounceproc-demo-N.",
        ),
    ] = None,
) -> None:
    """Show the whole flow: a real IMAP server in memory, sample mail, a real poll, a real SQLite database."""
    from bounceproc.demo.story import run

    if folder is not None and folder.exists():
        raise typer.BadParameter(f"{folder} exists already; name a new folder", param_hint="--folder")
    names = (Path("bounceproc-demo") if n == 1 else Path(f"bounceproc-demo-{n}") for n in count(1))
    target = folder or next(name for name in names if not name.exists())
    with progress("polling") as tick:
        story = run(target, lambda _result, done, total: tick(done, total))
    _show(story, target)


def _show(story: Story, folder: Path) -> None:
    console = out()
    console.print(
        "\nA return-path mailbox was polled over IMAP into a database. What each message said, and what follows:\n"
    )
    made = table("message", "address", "says", "decision")
    for line in story.lines:
        style = "red" if line.suppressed else None
        made.add_row(
            *(harmless(cell) for cell in (line.sample, line.recipient, line.said, line.decision)),
            style=style,
        )
    console.print(made)
    places = ", ".join(f"{number} in {name}" for name, number in story.folders.items())
    console.print(
        f"{story.summary.messages} messages read, {story.summary.suppressions} addresses suppressed. Where the mail is now: {places}."
    )
    console.print(
        f"\nThe database stays in {folder}/bounceproc.db (with its key beside it: bounceproc.pepper). Try next:\n"
    )
    program = _program()
    config = shlex.quote(str(story.config_file))
    for command in (
        f"status anna@example.com --config {config}",
        f"check carla@example.org dora@example.net --config {config}",
        f"suppress list --config {config}",
        f"export --format csv --config {config}",
    ):
        console.print(f"  {program} {command}", style="bold", soft_wrap=True)
    console.print(f"\nThen point it at a mailbox of your own: {program} poll --help\n")


def _program() -> str:
    """How the person at the terminal calls this program: by its name where the shell finds it, else by its path."""
    if Path(sys.argv[0]).name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m bounceproc"
    found = shutil.which("bounceproc")
    return "bounceproc" if found and Path(found).samefile(sys.argv[0]) else shlex.quote(sys.argv[0])
