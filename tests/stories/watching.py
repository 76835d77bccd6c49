"""A command that goes on for years, as systemd has it: a process with a notify socket, its log lines, and a bound for every wait."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.servers.dovecot import MailUser

PATIENCE: Final = 20.0
"""Seconds that anything may take before the test gives up; it takes one or two on an idle machine."""


def table(user: MailUser, name: str = "returns", **changes: Any) -> str:
    """A `[[mailbox]]` for this account."""
    keys = {
        "name": name,
        "host": user.server.host,
        "port": user.server.port,
        "security": "none",
        "user": user.name,
        "password": user.password,
    } | changes
    return "[[mailbox]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())


class Watched:
    """A running `poll --watch`, or another `command` of this kind."""

    def __init__(
        self, folder: Path, *arguments: str, command: Sequence[str] = ("poll", "--watch"), **environ: str
    ) -> None:
        self.folder = folder
        self._told: list[str] = []
        self._address = folder / f"notify-{time.monotonic_ns()}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._address))
        self._socket.setblocking(False)
        self._log = folder / f"log-{time.monotonic_ns()}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BOUNCEPROC_")}
        self.out = folder / "out"
        with self._log.open("wb") as errors, self.out.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bounceproc", *command, "--log-format", "json", *arguments],
                cwd=folder,
                env={**kept, "NOTIFY_SOCKET": str(self._address), "WATCHDOG_USEC": "400000", **environ},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
            )

    @property
    def text(self) -> str:
        """What it wrote to standard error."""
        return self._log.read_text()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its log so far."""
        whole = self.text.rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    @property
    def told(self) -> list[str]:
        """What it told systemd so far."""
        try:
            while True:
                self._told += self._socket.recv(4096).decode().splitlines()
        except BlockingIOError:
            return self._told

    def said(self, words: str, **fields: Any) -> list[dict[str, Any]]:
        """The lines with these words and fields."""
        return [line for line in self.lines if words in line["message"] and fields.items() <= line.items()]

    def until(self, what: Callable[[], Any], patience: float = PATIENCE) -> None:
        """Wait until it is so."""
        deadline = time.monotonic() + patience
        while not what():
            if time.monotonic() > deadline:
                pytest.fail(f"it never came to be; told {self.told[-5:]}:\n{self.text}")
            _ = self.told  # systemd listens: a full socket would hold the process up
            time.sleep(0.02)

    def until_said(self, words: str, **fields: Any) -> None:
        """Wait for a line."""
        self.until(lambda: self.said(words, **fields))

    def send(self, number: signal.Signals) -> None:
        """A signal."""
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; returns its exit code."""
        self.send(number)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """Whatever the test did, nothing of it stays."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._socket.close()


@contextmanager
def watching(folder: Path, configuration: str, *arguments: str, **environ: str) -> Iterator[Watched]:
    """A watch with this configuration, ended with the block."""
    (folder / "bounceproc.toml").write_text(configuration)
    (folder / "bounceproc.toml").chmod(0o600)
    watched = Watched(folder, *arguments, **environ)
    try:
        yield watched
    finally:
        watched.close()
