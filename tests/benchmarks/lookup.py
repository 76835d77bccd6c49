"""Lookups against Redis in one run, side by side, medians of five: `python -m tests.benchmarks.lookup [--keys N]`.

Socketmap and HTTP at 50 connections, one question at a time, against GET under `redis-benchmark -c 50`; bulk questions of
10,000 addresses. Requests are made before the clock starts; the client is C, and its speed against Redis is printed as well.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bounceproc.lookup.follower import REBUILD_AT
from tests.stories.serving import free_port, netstring, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stories.serving import Served

CONNECTIONS = 50
ROUNDS = 5
QUESTIONS = 60_000
"""In one round."""
SNAPSHOT = 'snapshot_file = "index"\n'
SINCE = "2026-11-20 00:00:00.000000"
MB = 1e6


def storm(client: Path, port: int, requests: list[bytes], count: int, ends: str) -> tuple[float, float, float]:
    """Answers a second, and the median and 99th percentile of their times in milliseconds."""
    command = [str(client), str(port), str(CONNECTIONS), str(count), ends]
    done = subprocess.run(command, input=b"\0".join(requests), stdout=subprocess.PIPE, check=True)
    speed, middle, late = map(float, done.stdout.split())
    return speed, middle / 1000, late / 1000


def compiled(folder: Path) -> Path:
    """The client: one thread in C, so that what is measured is the server."""
    client = folder / "storm"
    subprocess.run(["cc", "-O2", "-o", client, Path(__file__).with_name("storm.c")], check=True)
    return client


def redis_gets(port: int) -> float:
    """GETs a second as `redis-benchmark` has them."""
    command = ["redis-benchmark", "-p", str(port), "-c", str(CONNECTIONS), "-n", "100000", "-t", "get", "--csv"]
    done = subprocess.run([*command, "-r", "1000000"], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1].split(",")[1].strip('"'))


def bulk(served: Served, asked: list[bytes]) -> float:
    """Addresses a second over one connection."""
    with served.connect(served.http) as client:
        begun = time.perf_counter()
        for body in asked:
            client.sendall(b"POST /v1/check HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            data = client.recv(1 << 20)
            head, _, rest = data.partition(b"\r\n\r\n")
            left = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]) - len(rest)
            while left > 0:
                left -= len(client.recv(1 << 20))
        return len(asked) * 10_000 / (time.perf_counter() - begun)


@contextmanager
def redis() -> Iterator[int]:
    """A Redis that keeps nothing."""
    port = free_port()
    program = shutil.which("redis-server")
    assert program, "redis-server is not installed"
    command = [program, "--port", str(port), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        time.sleep(1)
        try:
            yield port
        finally:
            process.terminate()


def fill(database: Path, keys: int) -> None:
    """A list of so many entries whose addresses nobody knows: keys are what an index is made of."""
    chance = random.Random(1)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        rows = sorted(chance.randbytes(16) for _ in range(keys))
        connection.executemany(
            "INSERT INTO suppression (key, is_domain, scope, reason, origin, since, changed_at) "
            "VALUES (?, 0, '*', 'bounce', 'import', ?, ?)",
            ((key, SINCE, SINCE) for key in rows),
        )
        connection.commit()


def change(database: Path, changes: int) -> None:
    """So many lines of the feed that an index has to be made anew."""
    chance = random.Random(2)
    with closing(sqlite3.connect(database)) as connection:
        (version,) = connection.execute("SELECT coalesce(max(version), 0) FROM suppression_change").fetchone()
        connection.executemany(
            "INSERT INTO suppression_change (version, at, actor, action, key, scope, reason, origin) "
            "VALUES (?, ?, 'benchmark', 'add', ?, '*', 'bounce', 'import')",
            ((version + number, SINCE, chance.randbytes(16)) for number in range(1, changes + 1)),
        )
        connection.commit()


def main() -> None:
    """Start both, measure them in turns, print ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=1000)
    keys = parser.parse_args().keys
    with tempfile.TemporaryDirectory() as name, redis() as port:
        folder = Path(name)
        client = compiled(folder)
        (folder / "bounceproc.toml").write_text("")
        subprocess.run(
            [sys.executable, "-m", "bounceproc", "db", "upgrade"], cwd=folder, check=True, capture_output=True
        )
        base, _ = start(folder, "an empty list")
        fill(folder / "bounceproc.db", keys)
        for place in ("the database", "the snapshot"):
            start(folder, f"{keys:,} keys from {place}", base)
        with serving(folder, SNAPSHOT) as served:
            measure(served, client, port)
            rebuild(served, base)


def start(folder: Path, label: str, base: int = 0) -> tuple[int, float]:
    """Start a server: how much memory it takes, in octets, and how many seconds until it listens."""
    if not base:
        (folder / "index").unlink(missing_ok=True)
    begun = time.perf_counter()
    with serving(folder, SNAPSHOT) as served:
        took = time.perf_counter() - begun
        memory, peak = served.memory(), served.peak_memory()
        beside = f", {(memory - base) / MB:.0f} MB beside that, {(peak - base) / MB:.0f} MB at most" if base else ""
        print(f"{label}: listening after {took:.2f} s, {memory / MB:.0f} MB{beside}", flush=True)
    if not base:
        (folder / "index").unlink()
    return memory, took


def rebuild(served: Served, base: int) -> None:
    """Have the index made anew beside the old one."""
    begun = time.perf_counter()
    change(served.house.database, REBUILD_AT)
    while "bounceproc_index_rebuilds_total 1" not in served.request("GET", "/metrics")[1]:
        time.sleep(0.2)
    took, peak = time.perf_counter() - begun, served.peak_memory()
    print(
        f"{REBUILD_AT:,} changes: index made anew after {took:.1f} s, {(peak - base) / MB:.0f} MB at most beside the base"
    )


def measure(served: Served, client: Path, port: int) -> None:
    """Rounds of all, in turns."""
    names = [f"user{number}@example{number % 50}.com" for number in range(20_000)]
    maps = [netstring(f"suppressed {name}".encode()) for name in names]
    gets = [f"GET /v1/addresses/{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for name in names]
    plain = [f"GET key:{number:012d}\r\n".encode() for number in range(20_000)]
    asked = [
        json.dumps({"addresses": [f"u{number}.{part}@example{number % 50}.com" for number in range(10_000)]}).encode()
        for part in range(10)
    ]
    reference, client_alone, ours, web, many = [], [], [], [], []
    for _ in range(ROUNDS):
        reference.append(redis_gets(port))
        ours.append(storm(client, served.socketmap, maps, QUESTIONS, ","))
        client_alone.append(storm(client, port, plain, QUESTIONS, "\r\n"))
        web.append(storm(client, served.http, gets, QUESTIONS // 2, "}"))
        many.append(bulk(served, asked))
    base = statistics.median(reference)
    print(f"redis GET: {base:,.0f}/s as redis-benchmark has it, which all ratios are of")
    for label, rounds in (("redis GET by our client", client_alone), ("socketmap", ours), ("HTTP single", web)):
        speed, middle, late = (statistics.median(row[place] for row in rounds) for place in range(3))
        ratio = statistics.median(row[0] / one for row, one in zip(rounds, reference, strict=True))
        print(
            f"{label}: {speed:,.0f}/s, {ratio:.2f} of Redis; median {middle:.2f} ms, p99 {late / middle:.1f} times that"
        )
    print(
        f"HTTP bulk: {statistics.median(many):,.0f} addresses a second ({max(many):,.0f} in the best round)", flush=True
    )


if __name__ == "__main__":
    main()
