"""Where the configuration names a running server, read without pydantic: asking it must not take longer than its answer.

Nothing is checked here. Where anything is not as simple as it looks there is no server, and the usual way says what is wrong.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Final

from bounceproc.config.finding import find
from bounceproc.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLE: Final = "BOUNCEPROC_SERVE__HTTP"
LIMIT: Final = 1024 * 1024
"""Octets that a configuration may have."""

_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - what a server listens on
_HERE: Final = ("127.", "localhost", "[::1]")


def named_server(path: Path | None, environ: Mapping[str, str], cwd: Path) -> str | None:
    """The URL of the server that `[serve] http` names on this machine; None where it names none."""
    try:
        source = find(path, environ, cwd)
        named = environ.get(VARIABLE) or (_in_file(source) if source else None)
    except (ConfigError, OSError, ValueError):
        return None
    folder = source.parent if source else cwd
    return _url(named, folder) if isinstance(named, str) else None


def _in_file(source: Path) -> object:
    with source.open("rb") as file:
        content = file.read(LIMIT)
    if b"[serve]" not in content:  # most files: not even TOML has to be read
        return None
    table = tomllib.loads(content.decode()).get("serve")
    return table.get("http") if isinstance(table, dict) else None


def _url(named: str, folder: Path) -> str | None:
    if named.startswith("unix:"):
        return f"unix:{folder / named.removeprefix('unix:')}"
    host, _, port = named.rpartition(":")
    host = _EVERYWHERE.get(host, host)
    return f"http://{host}:{port}" if host.startswith(_HERE) and port.isdecimal() else None
