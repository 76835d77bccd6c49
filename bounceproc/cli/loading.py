"""The configuration in force for a command, with its warnings; no library of the command line is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bounceproc.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bounceproc.config import Config


def load(
    path: Path | None, url: str | None, overrides: Mapping[str, Any] | None = None, *, quiet: bool = False
) -> Config:
    """Load it; `url` is a database instead of the configured one. Warnings go to standard error unless the caller has a log for them."""
    from bounceproc.bootstrap.ours import not_served
    from bounceproc.config import Config

    given = {"database": {"url": url}} if url else {}
    loaded = Config.load(path, overrides={**(overrides or {}), **given})
    for warning in () if quiet else (*loaded.warnings, *not_served(loaded)):
        say(f"warning: {warning}")
    return loaded
