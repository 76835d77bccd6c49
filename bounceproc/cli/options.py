"""Options that many commands share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from bounceproc.config import Config

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The configuration file. Default: BOUNCEPROC_CONFIG, ./bounceproc.toml, the user's, the system's.",
    ),
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="The database, instead of the configured one: sqlite:///FILE or postgresql+psycopg://...",
    ),
]
StreamOption = Annotated[
    str | None, typer.Option("--stream", metavar="NAME", help="Ask for one stream. Default: any scope counts.")
]

UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}


class _Chosen:
    """What was given before the command's name: `bounceproc --config FILE poll`."""

    config: Path | None = None
    database: str | None = None


def choose(config: ConfigOption = None, database: DatabaseOption = None) -> None:
    """Take the options that stand before the command."""
    _Chosen.config = config
    _Chosen.database = database


def configuration(config: Path | None, database: str | None = None) -> Config:
    """The configuration in force; warnings go to standard error."""
    from bounceproc.bootstrap import not_served
    from bounceproc.cli.output import say
    from bounceproc.config import Config

    url = database or _Chosen.database
    loaded = Config.load(config or _Chosen.config, overrides={"database": {"url": url}} if url else {})
    for warning in (*loaded.warnings, *not_served(loaded)):
        say(f"warning: {warning}")
    return loaded


def now() -> datetime:
    """The moment of the call, UTC."""
    return datetime.now(UTC)


def moment(text: str, *, since: datetime) -> datetime:
    """A moment in the future: `2027-01-31`, `2027-01-31T12:00:00Z`, or a distance such as `12h`, `30d`, `4w`, `1y`.

    Raises:
        typer.BadParameter: it is neither.

    """
    unit = UNITS.get(text[-1:].lower())
    if unit and text[:-1].isdigit():
        return since + int(text[:-1]) * unit
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no moment: write 2027-01-31, 2027-01-31T12:00:00Z, or 30d") from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
