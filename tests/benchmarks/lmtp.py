"""How many messages a second an LMTP server records, with one client and with twenty: `python -m tests.benchmarks.lmtp`.

Clients and server share the machine; each message is a report about an address that nobody heard of, so that each changes the
list. A database in a temporary folder, or the one named by `--database`.
"""

from __future__ import annotations

import argparse
import smtplib
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.unit.mails import dsn

MESSAGES = 2_000
"""Messages of one run."""


def hand_over(place: str, client: int, count: int, run: str) -> None:
    """One client: one connection, one message after the other."""
    with smtplib.LMTP(place, timeout=60) as connection:
        for number in range(count):
            address = f"{run}-{client}-{number}@example.com"
            refused = connection.sendmail("", ["bounces@sender.example"], dsn(address, original=f"<{address}>"))
            assert not refused


def main() -> None:
    """Start a server, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", metavar="URL")
    database = parser.parse_args().database
    with tempfile.TemporaryDirectory() as folder:
        place = f"{folder}/lmtp"
        Path(folder, "bounceproc.toml").write_text("")
        command = [sys.executable, "-m", "bounceproc", "lmtp", "--listen", f"unix:{place}", "--log-level", "warning"]
        command += ["--database", database] if database else []
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as server:
            while not Path(place).exists():
                assert server.poll() is None, "it has ended"
                time.sleep(0.01)
            for clients in (1, 20):
                run = f"{time.time_ns()}"
                begun = time.perf_counter()
                with ThreadPoolExecutor(clients) as pool:
                    for done in [
                        pool.submit(hand_over, place, client, MESSAGES // clients, run) for client in range(clients)
                    ]:
                        done.result()
                print(f"{clients:2} clients: {MESSAGES / (time.perf_counter() - begun):6.0f} messages a second")
            server.terminate()


if __name__ == "__main__":
    main()
