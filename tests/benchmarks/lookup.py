"""Lookups against Redis in one run, side by side, medians of five: `python -m tests.benchmarks.lookup [--keys N]`.

Socketmap and HTTP at 50 connections, one question at a time, against GET under `redis-benchmark -c 50`; bulk questions of
10,000 addresses. The clients are one process on raw sockets with requests that are made before the clock starts.
"""

from __future__ import annotations

import argparse
import json
import random
import select
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.stories.serving import free_port, netstring, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stories.serving import Served

CONNECTIONS = 50
ROUNDS = 5
QUESTIONS = 60_000
"""In one round."""


def storm(port: int, requests: list[bytes], count: int, ends: bytes) -> tuple[float, float, float]:
    """Questions a second, and the median and 99th percentile of their times in milliseconds."""
    poll = select.epoll()
    clients: dict[int, socket.socket] = {}
    for _ in range(CONNECTIONS):
        client = socket.create_connection(("127.0.0.1", port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setblocking(False)
        poll.register(client.fileno(), select.EPOLLIN)
        clients[client.fileno()] = client
    sent_at = dict.fromkeys(clients, 0.0)
    times: list[float] = []
    clock, sent = time.perf_counter, 0
    begun = clock()
    for number, client in clients.items():
        sent_at[number] = clock()
        client.send(requests[sent % len(requests)])
        sent += 1
    while len(times) < count:
        for number, _ in poll.poll():
            client = clients[number]
            if not client.recv(4096).endswith(ends):
                continue  # head and body of HTTP come one after the other
            now = clock()
            times.append(now - sent_at[number])
            if sent < count:
                sent_at[number] = now
                client.send(requests[sent % len(requests)])
                sent += 1
    took = clock() - begun
    for client in clients.values():
        client.close()
    poll.close()
    times.sort()
    return count / took, times[count // 2] * 1000, times[count * 99 // 100] * 1000


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


def fill(folder: Path, keys: int) -> None:
    """A list of so many entries whose addresses nobody knows: keys are what an index is made of."""
    database = folder / "bounceproc.db"
    subprocess.run([sys.executable, "-m", "bounceproc", "db", "upgrade"], cwd=folder, check=True, capture_output=True)
    chance = random.Random(1)
    since = "2026-11-20 00:00:00.000000"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        rows = sorted(chance.randbytes(16) for _ in range(keys))
        connection.executemany(
            "INSERT INTO suppression (key, is_domain, scope, reason, origin, since, changed_at) "
            "VALUES (?, 0, '*', 'bounce', 'import', ?, ?)",
            ((key, since, since) for key in rows),
        )
        connection.commit()


def main() -> None:
    """Start both, measure them in turns, print ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=1000)
    keys = parser.parse_args().keys
    with tempfile.TemporaryDirectory() as name, redis() as port:
        folder = Path(name)
        (folder / "bounceproc.toml").write_text("")
        fill(folder, keys)
        for start in ("from the database", "from the snapshot"):
            begun = time.perf_counter()
            with serving(folder, 'snapshot_file = "index"\n') as served:
                took = time.perf_counter() - begun
                print(f"{keys:,} keys: listening {start} after {took:.2f} s, {served.memory() >> 20} MB in all")
        with serving(folder, 'snapshot_file = "index"\n') as served:
            measure(served, port)


def measure(served: Served, port: int) -> None:
    """Rounds of all, in turns."""
    names = [f"user{number}@example{number % 50}.com" for number in range(20_000)]
    maps = [netstring(f"suppressed {name}".encode()) for name in names]
    gets = [f"GET /v1/addresses/{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for name in names]
    asked = [
        json.dumps({"addresses": [f"u{number}.{part}@example{number % 50}.com" for number in range(10_000)]}).encode()
        for part in range(10)
    ]
    reference, ours, web, many = [], [], [], []
    for _ in range(ROUNDS):
        reference.append(redis_gets(port))
        ours.append(storm(served.socketmap, maps, QUESTIONS, b"12:NOTFOUND ,"[-3:]))
        web.append(storm(served.http, gets, QUESTIONS // 2, b"}"))
        many.append(bulk(served, asked))
    base = statistics.median(reference)
    print(f"redis GET: {base:,.0f}/s")
    for label, rounds in (("socketmap", ours), ("HTTP single", web)):
        speed, middle, late = (statistics.median(row[place] for row in rounds) for place in range(3))
        print(
            f"{label}: {speed:,.0f}/s, {speed / base:.2f} of Redis; median {middle:.2f} ms, p99 {late / middle:.1f} times that"
        )
    print(f"HTTP bulk: {statistics.median(many):,.0f} addresses a second")


if __name__ == "__main__":
    main()
