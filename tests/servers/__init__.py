"""Real servers that the tests start for themselves."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def require(binary: str, package: str) -> str:
    """The path of a server's program; without it the test is skipped, and fails where CI promises to have it."""
    # Debian keeps PostgreSQL's programs apart, one folder for each major version: the newest is searched first.
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name.zfill(3), reverse=True
    )
    folders = [os.environ.get("PATH", ""), *map(str, versions), "/usr/sbin", "/usr/local/sbin"]
    path = shutil.which(binary, path=os.pathsep.join(folders))
    if path is None:
        reason = f"{binary} is not installed (package {package})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
