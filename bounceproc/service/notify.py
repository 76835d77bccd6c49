"""Telling systemd how it goes: sd_notify(3), a datagram to the socket that it named."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SEND_TIMEOUT: Final = 1.0
"""Seconds that a full socket may hold us up: news for systemd is no reason to stop working."""
MAX_STATUS: Final = 400
"""Characters of a status line."""
MICROSECONDS: Final = 1_000_000


class Notifier:
    """Whoever started us and wants to know; nobody where NOTIFY_SOCKET is not set. Nothing here raises."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        # `@name` stands for Linux's abstract sockets, whose names begin with a zero octet.
        self._address = f"\0{name[1:]}" if name.startswith("@") else name if name.startswith("/") else ""
        self._socket: socket.socket | None = None
        self._status = ""
        self.watchdog: Final = _watchdog(environ)
        """Seconds between two signs of life; None where nobody waits for them."""

    def ready(self) -> None:
        """The start, or a reload, is done."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The configuration is being read again."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """All that works makes progress."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`, sent when it changes."""
        line = "".join(char if char.isprintable() else "\ufffd" for char in text)[:MAX_STATUS]
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with suppress(OSError, ValueError):  # nobody listens any more, or the name is none
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
                self._socket.settimeout(SEND_TIMEOUT)
            self._socket.sendto(text.encode(errors="replace"), self._address)

    def close(self) -> None:
        """Give the socket back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _watchdog(environ: Mapping[str, str]) -> float | None:
    """Half of what systemd waits, as sd_watchdog_enabled(3) says; None where it is for another process."""
    microseconds, process = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or not int(microseconds):
        return None
    if process and process != str(os.getpid()):
        return None
    return int(microseconds) / MICROSECONDS / 2
