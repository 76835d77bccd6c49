"""What to write into the configuration of the systems that send, so that they ask first; every text here is tried by a test."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from bounceproc.errors import UsageError

NAMES: Final = {
    "postfix": "postfix.cf",
    "exim": "exim.conf",
    "kumomta": "kumomta.lua",
    "haraka": "haraka.js",
    "rspamd": "rspamd.conf",
}
"""The file of each system."""


def snippet(name: str) -> str:
    """The text for one system.

    Raises:
        UsageError: there is none for it.

    """
    if name not in NAMES:
        raise UsageError(f"there is no snippet for {name!r}", f"There are: {', '.join(NAMES)}.")
    return files(__name__).joinpath(NAMES[name]).read_text(encoding="utf-8")
