"""Commands that run in bulk, once a message or every few minutes, in their plain form.

The library of the command line starts slower than they run.

What is not plain (another option, a wrong value, a configuration file in force) is left to that library, which also says what
is wrong: here nothing is ever refused.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bounceproc.cli.output import Format

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


_SOURCES = "BOUNCEPROC_PURE"
"""The one variable that configures nothing: it makes the sources run where they were compiled."""


def command(arguments: Sequence[str]) -> Callable[[], None] | None:
    """What a plain command line asks for, ready to be called; None where it is not plain."""
    if arguments[:1] == ["check"]:
        return _check(arguments[1:])
    if arguments[:1] == ["poll"]:
        return _poll(arguments[1:])
    if arguments[:1] != ["classify"] or _has_configuration():
        return None
    return _classify(arguments[1:])


def _check(arguments: Sequence[str]) -> Callable[[], None] | None:
    """Unlike `classify` it reads a configuration, which takes no library of the command line either."""
    quiet = {"-q", "--quiet"} & set(arguments)
    names = {"--stream": "stream", "--format": "format", "--config": "config", "-c": "config", "--database": "database"}
    read = _read([argument for argument in arguments if argument not in {"-q", "--quiet"}], names)
    if read is None:
        return None
    options, addresses = read
    stream, format_ = options.get("stream", ""), options.get("format", Format.TABLE.value)
    if not addresses or format_ not in set(Format) or not stream.isprintable() or "" in options.values():
        return None
    from bounceproc.cli.checking import check

    def run() -> None:
        sys.exit(
            check(
                addresses,
                stream=options.get("stream"),
                quiet=bool(quiet),
                format_=Format(format_),
                config=Path(options["config"]) if "config" in options else None,
                database=options.get("database"),
            )
        )

    return run


def _poll(arguments: Sequence[str]) -> Callable[[], None] | None:
    names = {"--format": "format", "--mailbox": "mailbox", "-m": "mailbox", "--config": "config", "-c": "config"}
    read = _read([argument for argument in arguments if argument != "--once"], names | {"--database": "database"})
    if read is None:
        return None
    options, rest = read
    format_ = options.get("format", Format.TABLE.value)
    is_repeated = sum(argument.startswith(("-m", "--mailbox")) for argument in arguments) > 1
    if rest or is_repeated or format_ not in set(Format) or not all(map(str.strip, options.values())):
        return None
    from bounceproc.cli.polling import poll_once

    def run() -> None:
        sys.exit(
            poll_once(
                [options["mailbox"]] if "mailbox" in options else [],
                format_=Format(format_),
                config=Path(options["config"]) if "config" in options else None,
                database=options.get("database"),
            )
        )

    return run


def _classify(arguments: Sequence[str]) -> Callable[[], None] | None:
    read = _read(arguments, {"--format": "format", "--jobs": "jobs", "-j": "jobs"})
    if read is None:
        return None
    options, paths = read
    jobs = options.get("jobs", "1")
    if not paths or options.get("format") not in set(Format) or not jobs.isdecimal() or not 0 < int(jobs) < 1000:
        return None
    from bounceproc.cli.classifying import print_messages

    return lambda: print_messages(paths, Format(options["format"]), jobs=int(jobs))


def _read(arguments: Sequence[str], known: Mapping[str, str]) -> tuple[dict[str, str], list[str]] | None:
    """Options with a value each, by name, and what stands between them; None where anything else is there."""
    options: dict[str, str] = {}
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "-" or not argument.startswith("-"):
            rest.append(argument)
            continue
        name, equals, value = argument.partition("=")
        given = value if equals and name.startswith("--") else None if equals else next(waiting, None)
        if name not in known or given is None or given.startswith("-"):
            return None
        options[known[name]] = given
    return options, rest


def _has_configuration() -> bool:
    from bounceproc.config.finding import find

    return (
        any(name.startswith("BOUNCEPROC_") and name != _SOURCES for name in os.environ)
        or find(None, os.environ, Path.cwd()) is not None
    )
