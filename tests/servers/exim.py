"""A real Exim for tests: its program alone, which expands strings and plays SMTP sessions without a server."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.servers import require

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER: Final = "EXIM_FOR_TESTS"
"""The environment variable that names a folder into which Exim's package was unpacked: it cannot be installed beside Postfix.
It does not begin with BOUNCEPROC_, which the program would take for a setting of its own."""
TIMEOUT: Final = 60
"""Seconds that one call may take."""
MAIN: Final = """\
exim_user = mail
exim_group = mail
keep_environment =
spool_directory = {folder}/spool
log_file_path = {folder}/spool/%slog
primary_hostname = mx.sender.test
acl_smtp_rcpt = check_rcpt
"""


def expand(folder: Path, text: str) -> str:
    """What Exim makes of an expansion string: `exim -be`."""
    return _run(folder, "", "-be", text).strip()


def session(folder: Path, acl: str, recipients: Sequence[str]) -> list[str]:
    """What Exim answers to each recipient in an SMTP session that it plays: `exim -bh`, with the rules above an `accept`."""
    lines = ["EHLO client.example", "MAIL FROM:<us@sender.test>", *(f"RCPT TO:<{each}>" for each in recipients), "QUIT"]
    said = _run(
        folder, f"begin acl\ncheck_rcpt:\n{acl}\n  accept\n", "-bh", "192.0.2.1", given="\r\n".join([*lines, ""])
    )
    answers = re.findall(r"^\d{3} .*$", said, re.MULTILINE)
    return answers[3:-1]


def _run(folder: Path, acl: str, *arguments: str, given: str = "") -> str:
    unpacked = os.environ.get(FOLDER)
    program = Path(unpacked, "usr/sbin/exim4") if unpacked else Path(require("exim4", "exim4-daemon-heavy"))
    libraries = {path.parent for path in Path(unpacked).rglob("lib*.so*")} if unpacked else set()
    (folder / "spool").mkdir(exist_ok=True)
    (folder / "spool").chmod(0o777)  # it drops its rights
    (folder / "exim.conf").write_text(MAIN.format(folder=folder) + acl)
    done = subprocess.run(
        [program, "-C", folder / "exim.conf", *arguments],
        env={"LD_LIBRARY_PATH": os.pathsep.join(map(str, sorted(libraries)))},
        input=given,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    if "failed to find uid for user name" in done.stderr:
        pytest.fail(f"Exim wants its user: {done.stderr}")
    return done.stdout or done.stderr
