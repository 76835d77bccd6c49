"""What it costs to hold reports against signatures, and that nobody pays for it whom it does not help.

    python -m tests.benchmarks.evidence [--messages 500] [--rounds 5]

`check`    milliseconds for one DKIM signature (RSA of 2048 bits, a complaint of about a kilobyte), the key remembered.
`results`  microseconds for Authentication-Results in the same message.
`plain`    a batch of reports that policy would judge no differently (nothing is known of our mail; or spam blocks and delays with
           `[identity] domains`), recorded by a ledger that does nothing: with evidence against without. Goal: no signature is
           verified, no name is looked up, and it takes less than 1.1 times as long.
`signed`   the same of hard bounces that return our signed mail: how many times as long, as each of them is verified.

Times are those of the processor, and differ with the machine; the ratios are medians over pairs run one after the other.
"""

from __future__ import annotations

import argparse
import statistics
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bounceproc.classify.classifier import default_classifier
from bounceproc.event import Trust
from bounceproc.evidence import verifying
from bounceproc.evidence.letter import Letter
from bounceproc.evidence.operators import Operator, Operators
from bounceproc.evidence.results import claims
from bounceproc.evidence.signature import signatures
from bounceproc.evidence.weighing import Evidence
from bounceproc.pipeline import Pipeline
from bounceproc.policies import deciding_on_trust
from bounceproc.policy.settings import Policy
from bounceproc.ports import MessageBatch, Recorded
from bounceproc.rawmessage import RawMessage
from tests.unit.evidence.signing import Zone, sign
from tests.unit.mails import complaint, dsn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW: Final = datetime(2026, 11, 26, tzinfo=UTC)
COUNTING: Final = Policy(
    acts=frozenset({Trust.SIGNED, Trust.MATCHED}),
    counts=frozenset({Trust.REPORTED}),
    reviews=frozenset({Trust.HEURISTIC}),
)
OURS: Final = "sender.example"


class NoLedger:
    """Takes everything and does nothing."""

    @contextmanager
    def batch(self, source: str) -> Iterator[NoLedger]:
        yield self

    def record(self, readings: Any) -> Recorded:
        return Recorded(len(readings), 0, (), ())

    def apply(self, verdicts: Any) -> int:
        return len(verdicts)

    def __getattr__(self, name: str) -> Callable[..., int]:
        return lambda *_, **__: 0


def spam_block(number: int) -> bytes:
    """A report that says nothing of the address."""
    return dsn(
        f"user{number}@example.com",
        status="5.7.1",
        diagnostic="smtp; 550 5.7.1 Message rejected as spam",
        original=f"<{number}@sender.example>",
    )


def hard_bounce(number: int) -> bytes:
    """A report that returns the whole of a signed mail."""
    recipient = f"user{number}@example.com"
    mail = (
        f"From: n@{OURS}\nTo: {recipient}\nSubject: Hello\nDate: x\nMessage-ID: <{number}@{OURS}>\n\n"
        + "Hello.\n" * 300
    )
    head, _, _ = dsn(recipient, original=f"<{number}@{OURS}>").partition(b"Content-Type: text/rfc822-headers")
    return head + b"Content-Type: message/rfc822\n\n" + sign(mail.encode(), OURS) + b"\n--b1--\n"


def evidence(zone: Zone) -> Evidence:
    decides = deciding_on_trust(COUNTING)
    assert decides is not None
    return Evidence(
        operators=Operators((Operator("Loop", ("fbl@provider.example",)),)),
        domains=frozenset({OURS}),
        keys=zone,
        verifies=verifying.verifies,
        decides=decides,
    )


def seconds(messages: list[bytes], weigher: Evidence | None) -> float:
    ledger: Any = NoLedger()
    pipeline = Pipeline(
        ledger=ledger, classifier=default_classifier(), policy=COUNTING, clock=lambda: NOW, weigher=weigher
    )
    batch = MessageBatch(tuple(RawMessage(str(number), one, NOW) for number, one in enumerate(messages)))
    start = time.process_time()
    pipeline.process("benchmark", batch)
    return time.process_time() - start


def ratio(messages: list[bytes], weigher: Evidence, rounds: int) -> float:
    """How many times as long with evidence."""
    pairs = []
    for number in range(rounds * 2):
        if number % 2:
            plain, weighed = seconds(messages, None), seconds(messages, weigher)
        else:
            weighed, plain = seconds(messages, weigher), seconds(messages, None)
        pairs.append(weighed / plain)
    return statistics.median(pairs)


def milliseconds(work: Callable[[], object], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) * 1000 / times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    zone = Zone("provider.example", OURS)
    letter = Letter.parse(b"Authentication-Results: mx.example.com; dkim=pass header.d=x.example\n" + complaint())
    signed = Letter.parse(sign(complaint(), "provider.example"))
    assert letter is not None
    assert signed is not None
    (signature,) = signatures(signed)
    assert verifying.verifies(signed, signature, zone.find)
    hosts = frozenset({"mx.example.com"})
    once = min(
        milliseconds(lambda: verifying.verifies(signed, signature, zone.find), 100) for _ in range(options.rounds)
    )
    said = min(milliseconds(lambda: claims(letter.fields, hosts), 1000) for _ in range(options.rounds))
    print(f"check    {once:.2f} ms for one signature")
    print(f"results  {said * 1000:.0f} us for Authentication-Results")

    quiet = Zone(OURS)
    harmless = [spam_block(number) for number in range(options.messages)]
    found = ratio(harmless, evidence(quiet), options.rounds)
    print(f"plain    {found:.3f} times as long for {len(harmless)} spam blocks; {len(quiet.asked)} names looked up")
    assert deciding_on_trust(Policy()) is None, "with nothing known of our mail there is no evidence to be looked for"

    bounces = [hard_bounce(number) for number in range(min(options.messages, 200))]
    found = ratio(bounces, evidence(Zone(OURS)), max(1, options.rounds // 2))
    print(f"signed   {found:.2f} times as long for {len(bounces)} hard bounces that return signed mail")


if __name__ == "__main__":
    main()
