"""`bounceproc classify` against the email package and flufl.bounce on the same files, as whole processes, in turns.

    python -m tests.benchmarks.classify [--messages 16000] [--rounds 5] [--corpus FOLDER]

The messages are copies of a corpus, each with addresses and identifiers of its own, so that no answer can be remembered.
Printed: medians, and the ratio of the peer's time to ours.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from bounceproc.classify.classifier import default_classifier

CORPUS: Final = Path(__file__).parent.parent / "corpus"

PEER: Final = """
import os, sys
from email import message_from_bytes
from flufl.bounce import all_failures
for folder in sys.argv[1:]:
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            message = message_from_bytes(file.read())
        try:
            temporary, permanent = all_failures(message)
        except Exception:  # some of its detectors trip over headers that are missing
            temporary = permanent = ()
            sys.stdout.write(f"{name} {sorted(temporary)} {sorted(permanent)}\\n")
"""
"""The peer: parse with the standard library, ask flufl.bounce, print. It gives addresses and no reason at all."""


def make_messages(folder: Path, count: int, corpus: Path, *, only: bytes = b"") -> int:
    """Write `count` messages made from a corpus; returns their octets."""
    samples = [path.read_bytes() for path in sorted(corpus.rglob("*.eml"))]
    samples = [sample for sample in samples if only in sample.lower() and len(sample) < 200_000]
    size = 0
    for number, sample in enumerate(islice(cycle(samples), count)):
        # Every domain gets a label in front, so that addresses, Message-IDs and hosts are new in each copy.
        content = sample.replace(b"@example", b"@x%d.example" % number)
        (folder / f"{number:06}.eml").write_bytes(content)
        size += len(content)
    return size


def timed(command: list[str]) -> float:
    """Seconds that one process takes, its output read and thrown away."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def compare(name: str, folder: Path, count: int, size: int, rounds: int) -> None:
    """Run both in turns and print medians and their ratio."""
    ours = [sys.executable, "-m", "bounceproc", "classify", "--format", "jsonl", str(folder)]
    peer = [sys.executable, "-c", PEER, str(folder)]
    timed(ours), timed(peer)  # once for the page cache
    pairs = [(timed(peer), timed(ours)) for _ in range(rounds)]
    ratio = statistics.median(theirs / our for theirs, our in pairs)
    theirs, our = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"{name}: {count} messages, {size / count / 1000:.1f} kB each: email + flufl.bounce {theirs:.2f} s "
        f"({theirs / count * 1e6:.0f} us a message), bounceproc {our:.2f} s ({our / count * 1e6:.0f} us), ratio {ratio:.2f}"
    )


def replies() -> None:
    """Bare texts a second, in this process."""
    classifier = default_classifier()
    texts = [f"550 5.1.1 <u{n}@example.com> user unknown; see case {n}" for n in range(5_000)]
    texts += [f"421 4.7.0 [{n}] try again later, too many connections from your IP" for n in range(5_000)]
    texts += [f"552 5.2.2 mailbox u{n} is over its quota" for n in range(5_000)]
    start = time.perf_counter()
    for text in texts:
        classifier.classify(text)
    spent = time.perf_counter() - start
    print(f"replies: {len(texts) / spent:,.0f} texts a second ({spent / len(texts) * 1e6:.1f} us each)")


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=16_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    given = parser.parse_args()
    for name, only in (("mixed", b""), ("RFC 3464", b"message/delivery-status")):
        with tempfile.TemporaryDirectory() as folder:
            size = make_messages(Path(folder), given.messages, given.corpus, only=only)
            compare(name, Path(folder), given.messages, size, given.rounds)
    replies()


if __name__ == "__main__":
    main()
