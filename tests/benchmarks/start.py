"""How long small commands take as whole processes, as ratios to a bare Python: `python -m tests.benchmarks.start [--rounds 15]`.

`check` with the database (goal: at most 35 times), `check` with a server that answers at once (20), `--help` (14).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.unit.client.server import serving

PROGRAM = [str(Path(sys.executable).with_name("bounceproc"))]
BARE = [sys.executable, "-c", "pass"]


def timed(command: list[str], folder: str) -> float:
    """Seconds of one process."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BOUNCEPROC_")}
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environ, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def compare(name: str, command: list[str], folder: str, rounds: int) -> None:
    """The command and a bare Python in turns."""
    timed(command, folder)
    pairs = [(timed(command, folder), timed(BARE, folder)) for _ in range(rounds)]
    ours, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    print(f"{name}: {ours * 1000:.0f} ms, a bare Python {bare * 1000:.0f} ms, ratio {ratio:.1f}")


def main() -> None:
    """Run the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder, serving() as server:
        timed([*PROGRAM, "suppress", "add", "bad@example.com"], folder)
        compare("check, database", [*PROGRAM, "check", "bad@example.com"], folder, rounds)
        Path(folder, "bounceproc.toml").write_text(f'[serve]\nhttp = "{server.url.removeprefix("http://")}"\n')
        compare("check, server", [*PROGRAM, "check", "bad@example.com"], folder, rounds)
        assert server.requests
        compare("--help", [*PROGRAM, "--help"], folder, rounds)


if __name__ == "__main__":
    main()
