"""A real rspamd for tests: one worker on a free loopback port, with multimap alone."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.servers import require
from tests.servers.postfix import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT: Final = 60
"""Seconds that a start may take; it takes about three on an idle machine."""
CONFIG: Final = """\
options {{
  filters = ""; pidfile = "{folder}/pid"; dynamic_conf = "{folder}/dynamic"; history_file = "{folder}/history";
  cache_file = "{folder}/cache"; hs_cache_dir = "{folder}"; control_socket = "{folder}/control mode=0600";
  dns {{ nameserver = ["127.0.0.1:1:1"]; }}
}}
logging {{ type = "file"; filename = "{folder}/log"; level = "warning"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
metric {{ actions {{ reject = 15; }} }}
modules {{ path = "/usr/share/rspamd/plugins/multimap.lua"; }}
multimap {{
{multimap}
}}
lua = "/usr/share/rspamd/rules/rspamd.lua";
"""
"""Nothing is looked up in DNS, and all that it writes lies in one folder."""


@dataclass(frozen=True)
class Rspamd:
    """A running instance."""

    port: int

    def action(self, recipient: str) -> str:
        """What is to be done with a message to this recipient."""
        found: dict[str, Any] = json.load(self._ask(recipient))
        return str(found["action"])

    def _ask(self, recipient: str) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/checkv2",
            data=b"From: us@sender.test\nSubject: x\n\nhello\n",
            headers={"Rcpt": recipient, "From": "us@sender.test"},
        )
        return urllib.request.urlopen(request, timeout=START_TIMEOUT)

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        """Until it answers."""
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                self.action("nobody@example.org")
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None, "rspamd ended"
                assert time.monotonic() < deadline, "rspamd does not answer"
                time.sleep(0.1)
            else:
                return


@contextmanager
def rspamd(multimap: str) -> Iterator[Rspamd]:
    """An instance with these rules, stopped with the block."""
    program = require("rspamd", "rspamd")
    with tempfile.TemporaryDirectory(prefix="bp-rspamd-", dir="/tmp") as name:
        folder, port = Path(name), free_port()
        (folder / "rspamd.conf").write_text(CONFIG.format(folder=folder, port=port, multimap=multimap))
        command = [program, "-f", "-i", "-c", str(folder / "rspamd.conf")]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                server = Rspamd(port)
                server.wait(process)
                yield server
            finally:
                process.terminate()
                process.wait(START_TIMEOUT)
