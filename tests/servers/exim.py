"""A real Exim for tests: its program alone, which expands strings and needs no server."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.servers import require

FOLDER: Final = "BOUNCEPROC_TEST_EXIM"
"""The environment variable that names a folder into which Exim's package was unpacked: it cannot be installed beside Postfix."""
TIMEOUT: Final = 30
"""Seconds that one expansion may take."""


def expand(folder: Path, text: str) -> str:
    """What Exim makes of an expansion string: `exim -be`."""
    unpacked = os.environ.get(FOLDER)
    program = Path(unpacked, "usr/sbin/exim4") if unpacked else Path(require("exim4", "exim4-daemon-light"))
    libraries = {path.parent for path in Path(unpacked).rglob("lib*.so*")} if unpacked else set()
    (folder / "exim.conf").write_text(
        "exim_user = mail\nexim_group = mail\nkeep_environment =\nlog_file_path = syslog\n"
    )
    done = subprocess.run(
        [program, "-C", folder / "exim.conf", "-be", text],
        env={"LD_LIBRARY_PATH": os.pathsep.join(map(str, sorted(libraries)))},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    if "failed to find uid for user name" in done.stderr:
        pytest.fail(f"Exim wants its user: {done.stderr}")
    return done.stdout.strip() or done.stderr.strip()
