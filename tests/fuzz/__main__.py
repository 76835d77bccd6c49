"""Mutate the corpus and read what comes out: `python -m tests.fuzz [--seconds 60] [--seed N] [--inputs N]`.

Each input must give a report, nothing, or MalformedReportError; the same again with CRLF line ends; classified without an
exception; within a second. A finding is written to the current folder and named.

With `--inputs` the run ends after so many, and its last line, a digest of all answers, can be compared: with that of another
version, or of the sources (`BOUNCEPROC_PURE=1`), where the core was compiled.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

from bounceproc.classify.classifier import default_classifier
from bounceproc.classify.events import classified
from bounceproc.errors import MalformedReportError
from bounceproc.reports.recognise import recognise

CORPUS: Final = Path(__file__).parent.parent / "corpus"
LIMIT: Final = 1.0
"""Seconds that one message may take."""

TOKENS: Final = (
    b"\n", b"\n\n", b"\r", b"\x00", b"\xff", b"\x1b[2J", b":", b" :", b"--", b"=?utf-8?B?", b"?=", b"=?x?Q?=41?=", b"<", b">", b'"', b"@",
    b"@example.com", b"rfc822;", b"utf-8;", b"Final-Recipient: ", b"Original-Recipient: ", b"Action: failed\n", b"Status: 5.1.1\n",
    b"Diagnostic-Code: smtp; 550 ", b"Content-Type: multipart/report; boundary=x\n", b"Content-Transfer-Encoding: base64\n", b"\\x{65e5}",
    b"Content-Type: message/rfc822\n\n", b"Feedback-Type: abuse\n", b"Auto-Submitted: auto-replied\n", b"&#x10ffff;", b"<html>", b"A" * 5000,
)  # fmt: skip


def mutated(message: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """A message with a few things done to it."""
    data = bytearray(message)
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 2, 10, 100, 1000)))
        match rng.randrange(6):
            case 0:
                data[at:at] = rng.choice(TOKENS)
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = data[at:end] * rng.randint(1, 5)
            case 3:
                data[at:end] = rng.randbytes(end - at)
            case 4:
                other = rng.choice(others)
                start = rng.randrange(len(other))
                data[at:at] = other[start : start + rng.choice((20, 200, 2000))]
            case _:
                del data[at:]
        del data[200_000:]
    return bytes(data)


def answer(message: bytes) -> object:
    """What reading gives, in a form that can be compared."""
    try:
        report = recognise(message)
    except MalformedReportError as error:
        return str(error)
    if report is None:
        return None
    return (
        report.kind,
        report.detector,
        [classified(event, default_classifier()).to_dict() for event in report.events],
    )


def fault(message: bytes) -> str | None:
    """What is wrong with the answer to a message; None where nothing is."""
    start = time.perf_counter()
    try:
        first = answer(message)
        spent = time.perf_counter() - start
        plain = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        twins = (answer(plain), answer(plain.replace(b"\n", b"\r\n")))
    except Exception as error:  # noqa: BLE001 - any exception is a finding
        return f"{type(error).__name__}: {error}"
    if spent > LIMIT:
        return f"took {spent:.1f} s"
    if answer(message) != first:
        return "read twice, answered differently"
    return None if twins[0] == twins[1] else "line ends change the answer"


def main() -> int:
    """Run until the time is over; 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inputs", type=int, default=None)
    given = parser.parse_args()
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)  # as the program does
    rng = random.Random(given.seed)
    corpus = [content for path in sorted(CORPUS.rglob("*.eml")) if (content := path.read_bytes())]
    kinds: Counter[str] = Counter()
    answers = hashlib.blake2b(digest_size=8)
    end = time.monotonic() + given.seconds
    inputs = found = 0
    while time.monotonic() < end if given.inputs is None else inputs < given.inputs:
        message = mutated(rng.choice(corpus), corpus, rng)
        inputs += 1
        if (wrong := fault(message)) is not None:
            found += 1
            Path(f"finding-{given.seed}-{inputs}.eml").write_bytes(message)
            print(f"input {inputs}: {wrong}")
        else:
            read = answer(message)
            answers.update(repr(read).encode())
            kinds["nothing" if read is None else "malformed" if isinstance(read, str) else str(read[0])] += 1  # type: ignore[index]
    print(
        f"{inputs} inputs from {len(corpus)} messages, seed {given.seed}: {found} findings; {dict(kinds.most_common())}"
    )
    print(f"answers {answers.hexdigest()}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
