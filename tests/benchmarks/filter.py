"""How many rows a second `bounceproc filter` judges, as ratios within one run: `python -m tests.benchmarks.filter`.

    python -m tests.benchmarks.filter [--rows 1000000] [--held 1000000] [--rounds 5] [--only plain,csv,quoted,jobs,memory]

`plain`, `csv`, `quoted`  a list of each form, one row in ten suppressed, against a loop that only copies the lines. After the
                          list of suppressions is loaded. Goal: 500,000 rows a second in one process.
`jobs`                    two processes against one, on the quoted form.
`memory`                  peak memory of a process with ten times the rows against one with the rows. Goal: the same.

Seconds differ with the machine and its other work; the ratios are medians over pairs run one after the other.
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
from typing import TYPE_CHECKING

from bounceproc.cli.collecting import spare_the_collector
from bounceproc.lookup.bulk.files import filter_files
from bounceproc.lookup.bulk.judge import Judge
from bounceproc.ports import Standing, Why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WHY = Why(0, "bounce", "bad-mailbox", "*")


def address(number: int) -> str:
    """One of as many addresses as there are numbers, over some thousand domains."""
    return f"user.{number}@mail{number % 3001}.example"


def held(count: int) -> Iterator[Standing]:
    """Every tenth address, and one domain."""
    yield Standing(b"", "@gone.example", WHY)
    for number in range(count):
        yield Standing(b"", address(number * 10), WHY)


def make_list(path: Path, form: str, rows: int) -> None:
    """A list of addresses in an order that is none."""
    with path.open("w") as file:
        if form != "plain":
            file.write("id,email,name\n")
        for number in range(rows):
            name = address(number * 7919 % (10 * rows))
            if form == "plain":
                file.write(f"{name}\n")
            elif form == "csv":
                file.write(f"{number},{name},Somebody {number}\n")
            else:
                file.write(f'"{number}","{name}","Some ""body"", {number}"\n')


def copy(source: Path, out: Path) -> None:
    """What no filter in Python can be faster than."""
    with source.open("rb") as lines, out.open("wb") as file:
        for line in lines:
            file.write(line)


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def against(name: str, rows: int, rounds: int, other: Callable[[], object], ours: Callable[[], object]) -> None:
    """Both in turns."""
    pairs = [(timed(other), timed(ours)) for _ in range(rounds)]
    second = statistics.median(pair[1] for pair in pairs)
    ratio = statistics.median(mine / theirs for theirs, mine in pairs)
    print(
        f"{name}: {rows / second:,.0f} rows a second, {second / rows * 1e9:.0f} ns a row, {ratio:.2f} times the other's time"
    )


def memory(folder: Path, given: argparse.Namespace) -> None:
    """Whole processes over lists of two lengths, with an empty database."""
    peaks = []
    for rows in (given.rows, 10 * given.rows):
        make_list(folder / "list", "csv", rows)
        code = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        command = [sys.executable, "-m", "bounceproc", "filter", "list", "-o", "out", "--rejected", "rejected"]
        environ = {"PATH": os.environ["PATH"], "BOUNCEPROC_DATABASE__URL": f"sqlite:///{folder}/b.db"}
        environ["PYTHONPATH"] = str(Path(__file__).parents[2])
        done = subprocess.run(
            [sys.executable, "-c", code, *command], cwd=folder, env=environ, check=True, capture_output=True, text=True
        )
        peaks.append(int(done.stdout) / 1024)
    print(f"memory: {peaks[0]:.1f} MB with {given.rows:,} rows, {peaks[1]:.1f} MB with ten times as many")


def main() -> None:
    """Run the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--held", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="plain,csv,quoted,jobs,memory")
    given = parser.parse_args()
    wanted = given.only.split(",")
    judge = Judge(held(given.held), expected=given.held, key_of_sha256=lambda digest: digest)
    spare_the_collector()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, out = folder / "list", folder / "out"

        def ours(jobs: int = 1) -> Callable[[], object]:
            return lambda: filter_files(source, judge, out=out, rejected=folder / "rejected", jobs=jobs)

        for form in ("plain", "csv", "quoted"):
            if form in wanted:
                make_list(source, form, given.rows)
                against(f"{form} (other: copying)", given.rows, given.rounds, lambda: copy(source, out), ours())
        if "jobs" in wanted:
            make_list(source, "quoted", given.rows)
            against("two jobs (other: one)", given.rows, given.rounds, ours(), ours(2))
        if "memory" in wanted:
            memory(folder, given)


if __name__ == "__main__":
    main()
