"""How fast `bounceproc classify` is, and how much memory a large message takes, as ratios within one run.

    python -m tests.benchmarks.classify [--messages 16000] [--rounds 5] [--corpus FOLDER] [--only mixed,dsn,jobs,replies,large]

`mixed`    whole processes in turns over the same files of all kinds: the email package and flufl.bounce, which give addresses,
           against `bounceproc classify --jobs 1`, which gives addresses, reasons and rules. Goal: 3.5 times as fast.
`dsn`      the same over notifications of RFC 3464. Goal: 4 times, aim 5.
`jobs`     `--jobs 2` against `--jobs 1`. Goal: 1.6 times on two processors that nobody else uses.
`replies`  bare SMTP replies a second in one process, and how many of them the email package could parse a message in.
`large`    one notification that returns a mail of 50 MB, with CRLF: seconds, and peak memory against its size, that of
           the same process without it taken off. Goal: below one second, below three times its size.

The messages are copies of a corpus, each with addresses and identifiers of its own, so that no answer can be remembered.
Left out are those that the email package cannot parse (a thousand multiparts in each other) and those above 200 kB.
Seconds differ with the machine and its other work; the ratios are medians over pairs run one after the other.
"""

from __future__ import annotations

import argparse
import email
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bounceproc.classify.classifier import default_classifier

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPUS: Final = Path(__file__).parent.parent / "corpus"

LARGE: Final = 50_000_000
"""Octets of the large message, a little below what is read whole."""

PEER: Final = """
import logging, os, sys
from email import message_from_bytes
from flufl.bounce import all_failures
logging.disable()  # some of its detectors trip over headers that are missing, and tracebacks would cost it time
for folder in sys.argv[1:]:
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            message = message_from_bytes(file.read())
        try:
            temporary, permanent = all_failures(message)
        except Exception:  # a multipart without parts, a charset that is none
            temporary = permanent = ()
        sys.stdout.write(f"{name} {sorted(temporary)} {sorted(permanent)}\\n")
"""
"""The peer: parse with the standard library, ask flufl.bounce, print. It gives addresses and no reason at all."""


WATCHER: Final = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""A small process between: a child's peak begins with what its parent held."""


def copies(count: int, corpus: Path, *, only: bytes = b"") -> Iterator[bytes]:
    """`count` messages made from a corpus, each with addresses of its own."""
    samples = [path.read_bytes() for path in sorted(corpus.rglob("*.eml"))]
    samples = [sample for sample in samples if only in sample.lower() and len(sample) < 200_000 and parses(sample)]
    for number, sample in enumerate(islice(cycle(samples), count)):
        # Every domain gets a label in front, so that addresses, Message-IDs and hosts are new in each copy.
        yield sample.replace(b"@example", b"@x%d.example" % number)


def make_messages(folder: Path, count: int, corpus: Path, *, only: bytes = b"") -> int:
    """Write them as files; returns their octets."""
    size = 0
    for number, content in enumerate(copies(count, corpus, only=only)):
        (folder / f"{number:06}.eml").write_bytes(content)
        size += len(content)
    return size


def parses(sample: bytes) -> bool:
    """Whether the email package can read it at all."""
    try:
        email.message_from_bytes(sample)
    except RecursionError:
        return False
    return True


def timed(command: list[str]) -> float:
    """Seconds that one process takes, its output read and thrown away."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def classify(path: Path, jobs: int = 1) -> list[str]:
    """The command that is measured."""
    return [sys.executable, "-m", "bounceproc", "classify", "--jobs", str(jobs), "--format", "jsonl", str(path)]


def compare(slow: list[str], fast: list[str], rounds: int) -> tuple[float, float, float]:
    """Median seconds of two commands run in turns, and the median of the ratios of each pair."""
    timed(slow), timed(fast)  # once for the page cache
    pairs = [(timed(slow), timed(fast)) for _ in range(rounds)]
    first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
    return first, second, statistics.median(one / other for one, other in pairs)


def against_the_peer(name: str, only: bytes, given: argparse.Namespace) -> None:
    """The same messages through both."""
    with tempfile.TemporaryDirectory() as folder:
        size = make_messages(Path(folder), given.messages, given.corpus, only=only)
        theirs, ours, ratio = compare([sys.executable, "-c", PEER, folder], classify(Path(folder)), given.rounds)
    print(
        f"{name}: {given.messages} messages, {size / given.messages / 1000:.1f} kB each: email + flufl.bounce {theirs:.2f} s "
        f"({theirs / given.messages * 1e6:.0f} us a message), bounceproc {ours:.2f} s ({ours / given.messages * 1e6:.0f} us), "
        f"ratio {ratio:.2f}"
    )


def two_jobs(given: argparse.Namespace) -> None:
    """What a second process gains."""
    with tempfile.TemporaryDirectory() as folder:
        make_messages(Path(folder), given.messages, given.corpus)
        one, two, ratio = compare(classify(Path(folder)), classify(Path(folder), jobs=2), given.rounds)
    print(f"jobs: one {one:.2f} s, two {two:.2f} s, ratio {ratio:.2f} on {os.cpu_count()} processors")


def replies() -> None:
    """Bare texts a second, in this process."""
    classifier = default_classifier()
    texts = [f"550 5.1.1 <u{n}@example.com> user unknown; see case {n}" for n in range(5_000)]
    texts += [f"421 4.7.0 [{n}] try again later, too many connections from your IP" for n in range(5_000)]
    texts += [f"552 5.2.2 mailbox u{n} is over its quota" for n in range(5_000)]
    start = time.perf_counter()
    for text in texts:
        classifier.classify(text)
    spent = (time.perf_counter() - start) / len(texts)
    sample = (CORPUS / "dsn" / "001-unknown-user.eml").read_bytes()
    start = time.perf_counter()
    for _ in range(1000):
        email.message_from_bytes(sample)
    parsing = (time.perf_counter() - start) / 1000
    print(
        f"replies: {1 / spent:,.0f} texts a second ({spent * 1e6:.1f} us each), {parsing / spent:.1f} for one email parsed"
    )


def large() -> None:
    """A notification that returns all of a very large mail."""
    sample = (CORPUS / "dsn" / "001-unknown-user.eml").read_bytes()
    end = sample.rindex(b"\n--")
    line = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODkr\n"
    with tempfile.TemporaryDirectory() as folder:
        small, big = Path(folder, "small.eml"), Path(folder, "big.eml")
        small.write_bytes(sample.replace(b"\n", b"\r\n"))
        content = b"%b\n%b%b" % (sample[:end], line * (LARGE // (len(line) + 1)), sample[end:])
        big.write_bytes(content.replace(b"\n", b"\r\n"))
        size = big.stat().st_size
        seconds, peak = measured(classify(big))
        base_seconds, base = measured(classify(small))
    print(
        f"large: {size / 1e6:.0f} MB in {seconds:.2f} s ({seconds / base_seconds:.1f} times a small message), "
        f"peak memory {(peak - base) / size:.2f} times its size"
    )


def measured(command: list[str]) -> tuple[float, int]:
    """Seconds and peak resident octets of one process."""
    done = subprocess.run([sys.executable, "-c", WATCHER, *command], check=True, capture_output=True, text=True)
    seconds, peak = done.stdout.split()
    return float(seconds), int(peak) * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Run the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=16_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--only", default="mixed,dsn,jobs,replies,large")
    given = parser.parse_args()
    wanted = given.only.split(",")
    if "mixed" in wanted:
        against_the_peer("mixed", b"", given)
    if "dsn" in wanted:
        against_the_peer("RFC 3464", b"message/delivery-status", given)
    if "jobs" in wanted:
        two_jobs(given)
    if "replies" in wanted:
        replies()
    if "large" in wanted:
        large()


if __name__ == "__main__":
    main()
