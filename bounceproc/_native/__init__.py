"""The core compiled: the same modules, translated to C by mypyc where the package is built on a machine with a C compiler.

Reading, classifying and deciding is nothing but work of the interpreter, a third of which a compiler takes away. Where nothing was
compiled, or the sources are newer than what was, or `BOUNCEPROC_PURE` is set, the sources run, and every answer is the same.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

COMPILED: Final = (
    "address",
    "event",
    "meaning",
    "rare",
    "rawmessage",
    "status",
    *(
        f"classify/{name}"
        for name in (
            "categories",
            "classification",
            "classifier",
            "events",
            "index",
            "letters",
            "providers",
            "rule",
            "words",
        )
    ),
    *(
        f"reports/{name}"
        for name in (
            "arf",
            "autoreply",
            "decode",
            "delay",
            "dsn",
            "fields",
            "mail",
            "mime",
            "original",
            "prose",
        )
    ),
    *(f"reports/{name}" for name in ("recognise", "report", "returnpath", "ses", "sought", "unsubscribe", "usual")),
    "sources/files",
    *(
        f"policy/{name}"
        for name in ("counting", "decide", "history", "incident", "rows", "secondlook", "settings", "verdict")
    ),
    *(f"store/{name}" for name in ("entries", "finds", "histories", "rows", "sealing")),
)
"""Modules that are asked for every message, without their suffix. Libraries that are not there while a wheel is built are
nobody's concern that only leads to them: what is not compiled itself is looked at in silence."""

SUFFIX: Final = EXTENSION_SUFFIXES[0]
"""What the name of a compiled module ends with, for this interpreter alone."""

VARIABLE: Final = "BOUNCEPROC_PURE"
"""The environment variable that makes the sources run."""


def prefer_sources_if_newer(package: Path) -> None:
    """Let a checkout run what its files say: a compiled module would stand before a source that was changed since."""
    if os.environ.get(VARIABLE) or _is_changed(package):
        for folder in {(package / name).parent for name in COMPILED}:
            sys.path_importer_cache[str(folder)] = FileFinder(str(folder), (SourceFileLoader, SOURCE_SUFFIXES))


def _is_changed(package: Path) -> bool:
    """Whether this is a checkout, and a source is newer than what was compiled of it, or was never compiled."""
    if not (package.parent / "pyproject.toml").exists():
        return False
    return any(_modified(package / f"{name}.py") > _modified(package / f"{name}{SUFFIX}") for name in COMPILED)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0  # all or nothing: where one is missing, none is used
