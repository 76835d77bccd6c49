"""Options that many commands share."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bounceproc.config import Config
    from bounceproc.explain import Prove

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
RulesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--rules", metavar="FILE", help="A rule file of your own, asked before the configured and the built-in ones."
    ),
]


DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Read and say what would be found; record, move and flag nothing.")
]
LogFormatOption = Annotated[
    str | None,
    typer.Option(
        "--log-format", metavar="FORM", help="Log lines on standard error: text or json. Default: [log] format."
    ),
]
LogLevelOption = Annotated[
    str | None,
    typer.Option("--log-level", metavar="LEVEL", help="debug, info, warning or error. Default: [log] level."),
]


def _printable(text: str | None) -> str | None:
    if text is not None and not text.isprintable():
        raise typer.BadParameter("it has signs that cannot be printed")
    return text


StreamOption = Annotated[
    str | None,
    typer.Option(
        "--stream", metavar="NAME", help="Ask for one stream. Default: any scope counts.", callback=_printable
    ),
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


def configuration(
    config: Path | None,
    database: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    quiet: bool = False,
) -> Config:
    """The configuration in force; warnings go to standard error, unless the caller has a log for them."""
    from bounceproc.cli.loading import load

    return load(chosen(config), database_url(database), overrides, quiet=quiet)


def chosen(config: Path | None) -> Path | None:
    """The configuration file that was named, behind the command's name or before it."""
    return config or _Chosen.config


def database_url(database: str | None) -> str | None:
    """The database that was named, likewise.

    Raises:
        typer.BadParameter: its name is empty.

    """
    url = database if database is not None else _Chosen.database
    if url is not None and not url.strip():
        raise typer.BadParameter("it is empty: an unset variable would mean another database", param_hint="--database")
    return url


def rule_files(config: Path | None, given: Sequence[Path] | None = None) -> tuple[Path, ...]:
    """The operator's rule files: those named on the command line, then those of the configuration, where there is one."""
    from bounceproc.config.finding import find

    path = chosen(config)
    if find(path, os.environ, Path.cwd()) is None:
        return tuple(given or ())
    return (*(given or ()), *configuration(path).classify.rule_files)


def proofs(config: Path | None) -> Prove | None:
    """What finds the proof of a report, where one is configured that makes a difference."""
    from bounceproc.bootstrap.ours import evidence_of
    from bounceproc.config.finding import find

    path = chosen(config)
    if find(path, os.environ, Path.cwd()) is None:
        return None
    evidence = evidence_of(configuration(path))
    return None if evidence is None else evidence.proofs


def now() -> datetime:
    """The moment of the call, UTC."""
    return datetime.now(UTC)


def moment(text: str, *, since: datetime) -> datetime:
    """A moment in the future: `2027-01-31`, `2027-01-31T12:00:00Z`, or a distance such as `12h`, `30d`, `4w`, `1y`.

    Raises:
        typer.BadParameter: it is neither.

    """
    unit = UNITS.get(text[-1:].lower())
    try:
        if unit and text[:-1].isdecimal():
            return since + int(text[:-1]) * unit
        when = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no moment: write 2027-01-31, 2027-01-31T12:00:00Z, or 30d") from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
