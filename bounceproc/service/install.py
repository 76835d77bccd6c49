"""Files for systemd and containers, made to fit this very installation, and put in their place."""

from __future__ import annotations

import errno
import os
import re
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bounceproc.errors import AccessError, ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

SYSTEMD: Final = Path("/etc/systemd/system")
"""Where an administrator's units lie."""
UNITS: Final = (
    "bounceproc-poll.service",
    "bounceproc-poll-once.service",
    "bounceproc-poll-once.timer",
    "bounceproc-lmtp.service",
)
FILES: Final = (*UNITS, "Containerfile")
HOMES: Final = (Path("/home"), Path("/root"), Path("/run/user"))
"""What `ProtectHome=yes` hides, a program that is installed there included."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_@/.,:=+-]+")


class Action(StrEnum):
    """What has to be done about a file."""

    WRITE = "write"
    KEEP = "keep"  # it stands there just so
    EDITED = "edited"  # somebody changed it


@dataclass(frozen=True, slots=True)
class Step:
    """One file of an installation."""

    path: Path
    text: str
    action: Action


def render(name: str, python: Path | None = None) -> str:
    """A file as it has to be for this installation (or for that of another interpreter).

    Raises:
        UsageError: there is none of this name.
        ConfigError: the program lies where no unit can name it.

    """
    if name not in FILES:
        raise UsageError(f"there is no file {name!r}", f"There are: {', '.join(FILES)}.")
    python = python or Path(
        sys.executable
    )  # not resolved: in a virtual environment it is a link, and means the environment
    if not _PLAIN.fullmatch(str(python)):
        raise ConfigError(f"a unit cannot name {python}", "Install the program below a path without spaces and signs.")
    is_home = any(python.is_relative_to(home) for home in HOMES)
    text = _read(name).replace("@HARDENING@", _read("hardening.conf"))
    text = text.replace("@PROGRAM@", f"{python} -m bounceproc")
    return text.replace("@PROTECT_HOME@", "read-only" if is_home else "yes")


def plan(folder: Path, names: Sequence[str] = UNITS) -> list[Step]:
    """What an installation into the folder would do."""
    steps = []
    for name in names:
        path, text = folder / name, render(name)
        there = _content(path)
        action = Action.WRITE if there is None else Action.KEEP if there == text else Action.EDITED
        steps.append(Step(path, text, action))
    return steps


def install(steps: Sequence[Step], *, force: bool = False) -> None:
    """Write what is missing; what somebody edited only when told to.

    Raises:
        ConfigError: some were edited; nothing was written.
        AccessError: the folder may not be written to.

    """
    edited = tuple(str(step.path) for step in steps if step.action is Action.EDITED)
    if edited and not force:
        raise ConfigError("files were edited, and nothing was written", "--force overwrites them.", edited)
    for step in steps:
        if step.action is not Action.KEEP:
            _write(step.path, step.text)


def _write(path: Path, text: str) -> None:
    """The whole file or none of it."""
    made = path.with_name(f".{path.name}.new")
    try:
        made.write_text(text, encoding="utf-8")
        made.chmod(0o644)
        os.replace(made, path)  # noqa: PTH105 - its sibling in pathlib says the same
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise UsageError(f"there is no folder {path.parent}", "Name one with --dir.") from error
        raise AccessError(
            f"{path} cannot be written: {error.strerror}", "Run it as root, or name a folder with --dir."
        ) from error


def _content(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AccessError(f"{path} cannot be read: {error.strerror}", "Run it as root.") from error


def _read(name: str) -> str:
    return (files("bounceproc.service") / "files" / name).read_text(encoding="utf-8")
