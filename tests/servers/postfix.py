"""A real Postfix for tests: one instance on a free loopback port, with one domain that it hands over by LMTP."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.servers import require

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE: Final = "postfix"
DOMAIN: Final = "bounces.sender.test"
"""Mail for it goes to the port that a test names; all other mail is refused."""
START_TIMEOUT: Final = 30
"""Seconds that a start or a stop may take; each takes about one on an idle machine."""

MAIN: Final = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log
maillog_file_prefixes = /var, /tmp
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = mx.sender.test
mydestination =
local_recipient_maps =
local_transport = error:no local delivery
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
disable_dns_lookups = yes
smtp_host_lookup = native
transport_maps = inline:{{ {{ {domain} = lmtp:inet:127.0.0.1:{target} }} }}
default_transport = error:5.1.2 no route in test
relay_domains = {domain}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_reject_unlisted_recipient = no
queue_run_delay = 1s
minimal_backoff_time = 2s
maximal_backoff_time = 2s
transport_retry_time = 1s
"""
"""Nothing is looked up in DNS, no map is a file, and what is deferred is tried again every two seconds. After one second its file may still be
locked by the last try: Postfix then says "skipped, still being delivered", and leaves it alone until a restart."""

MASTER: Final = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup     unix n - n 60 1 pickup
cleanup    unix n - n - 0 cleanup
qmgr       unix n - n 300 1 qmgr
tlsmgr     unix - - n 1000? 1 tlsmgr
rewrite    unix - - n - - trivial-rewrite
bounce     unix - - n - 0 bounce
defer      unix - - n - 0 bounce
trace      unix - - n - 0 bounce
proxymap   unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
error      unix - - n - - error
retry      unix - - n - - error
lmtp       unix - - n - - lmtp
smtp       unix - - n - - smtp
anvil      unix - - n - 1 anvil
scache     unix - - n - 1 scache
showq      unix n - n - - showq
postlog    unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    """A running instance, whole in one temporary folder."""

    folder: Path
    port: int

    def send(self, recipient: str, message: bytes) -> None:
        """Hand a bounce to it, as a mail system elsewhere does."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=START_TIMEOUT) as client:
            assert client.sendmail("", [recipient], message) == {}

    def queued(self, name: str | None = None) -> list[str]:
        """The recipients that its queue, or this part of it, still holds a message for: one entry for each message."""
        found = [json.loads(line) for line in self._postqueue("-j").splitlines()]
        return [to["address"] for mail in found if name in {None, mail["queue_name"]} for to in mail["recipients"]]

    def flush(self) -> None:
        """Have all that was deferred tried again, now."""
        self._postqueue("-f")

    def _postqueue(self, option: str) -> str:
        command = [require("postqueue", PACKAGE), "-c", str(self.folder / "etc"), option]
        return subprocess.run(command, capture_output=True, text=True, timeout=START_TIMEOUT, check=True).stdout

    def wait_for(self, words: str) -> str:
        """The line of its log that has these words."""
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            for line in (self.folder / "log").read_text(errors="replace").splitlines():
                if words in line:
                    return line
            time.sleep(0.05)
        raise AssertionError(f"Postfix does not say {words!r}:\n{(self.folder / 'log').read_text(errors='replace')}")


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def postfix_to(target: int, more: str = "") -> Iterator[Postfix]:
    """An instance that hands mail for DOMAIN over to this port, stopped with the block. `more` are lines for main.cf: the last one counts."""
    binary = require("postfix", PACKAGE)
    if os.geteuid() != 0:
        pytest.skip("Postfix starts for root only")
    folder, port = Path(tempfile.mkdtemp(prefix="bp-postfix-", dir="/tmp")), free_port()
    try:
        folder.chmod(0o755)  # its daemons drop their rights
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir(mode=0o755)
        os.chown(folder / "data", pwd.getpwnam("postfix").pw_uid, 0)
        (folder / "etc/main.cf").write_text(MAIN.format(folder=folder, domain=DOMAIN, target=target) + more)
        (folder / "etc/master.cf").write_text(MASTER.format(port=port))
        _run(binary, folder, "start")
        try:
            server = Postfix(folder, port)
            server.wait_for("daemon started")
            yield server
        finally:
            _run(binary, folder, "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(binary: str, folder: Path, command: str) -> None:
    done = subprocess.run(
        [binary, "-c", str(folder / "etc"), command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=START_TIMEOUT,
        check=False,
    )
    if done.returncode:
        log = folder / "log"
        pytest.fail(f"postfix {command} failed:\n{log.read_text(errors='replace') if log.exists() else ''}")
