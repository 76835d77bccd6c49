"""bounceproc as its users have it: a folder with a configuration, and the command line in a process of its own."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bounceproc.store.copies import unpack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.dovecot import MailUser

TIMEOUT = 120
"""Seconds that one command may take before the test gives up."""


@dataclass
class House:
    """One folder, one mailbox (or none), one SQLite file."""

    folder: Path
    user: MailUser | None = None
    extra: str = ""
    """More lines for the table of the mailbox."""
    port: int | None = None
    """Where the mailbox is reached, if not at the server's own port."""

    def __post_init__(self) -> None:
        text = ""
        if self.user is not None:
            (self.folder / "password").write_text(self.user.password + "\n")
            (self.folder / "password").chmod(0o600)
            text = f"""[[mailbox]]
name = "returns"
host = "{self.user.server.host}"
port = {self.port or self.user.server.port}
security = "none"
user = "{self.user.name}"
password_file = "password"
{self.extra}
"""
        (self.folder / "bounceproc.toml").write_text(text)

    @property
    def configuration(self) -> Path:
        """The configuration file."""
        return self.folder / "bounceproc.toml"

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / "bounceproc.db"

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Begin one command."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("BOUNCEPROC_")}
        command = [sys.executable, "-m", "bounceproc", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.folder, env=environ, stdin=pipe, stdout=pipe, stderr=pipe)

    def run(self, *arguments: str, code: int = 0, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
        """Run one command; its exit code must be `code`."""
        with self.start(*arguments) as process:
            try:
                out, err = process.communicate(stdin or b"", timeout=TIMEOUT)
            except BaseException:
                process.kill()
                raise
        result = subprocess.CompletedProcess(process.args, process.returncode, out.decode(), err.decode())
        assert result.returncode == code, (
            f"{arguments} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}"
        )
        assert "Traceback" not in result.stderr, result.stderr
        return result

    def json(self, *arguments: str, code: int = 0) -> list[Any]:
        """What a command prints, one object a line."""
        return [json.loads(line) for line in self.run(*arguments, code=code).stdout.splitlines()]

    def snapshot(self) -> dict[str, list[Any]]:
        """Every row of every table, but for the moments of recording."""
        with closing(sqlite3.connect(self.database)) as connection:
            connection.row_factory = sqlite3.Row
            names = [
                row[0]
                for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            ]
            return {name: [_content(row) for row in connection.execute(f"SELECT * FROM {name}")] for name in names}

    def everything(self) -> bytes:
        """All octets of the database's files, a dump of it, and its copies of messages as they were, in lower case."""
        with closing(sqlite3.connect(self.database)) as connection:
            dump = "\n".join(connection.iterdump()).encode(errors="surrogatepass")
            copies = [unpack(row[0]) for row in connection.execute("SELECT raw FROM message WHERE raw IS NOT NULL")]
        files = sorted(self.folder.glob(f"{self.database.name}*"))
        return b"\n".join([*(path.read_bytes() for path in files), dump, *copies]).lower()


def _content(row: sqlite3.Row) -> dict[str, Any]:
    return {name: row[name] for name in row.keys() if not name.endswith("_at")}  # noqa: SIM118 - a Row iterates over values
