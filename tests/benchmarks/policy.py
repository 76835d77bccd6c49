"""Whether policy keeps pace: 100,000 addresses with 1,000,000 events, decided as they are ingested.

    python -m tests.benchmarks.policy [--addresses 100000] [--events 1000000] [--recorded 100000] [--only decide,ledger]

`decide`   the histories in memory, batch by batch as a ledger hands them over: events a second for adding the evidence and deciding.
`ledger`   the first `--recorded` of the same events through a real ledger (SQLite): record, decide, apply, review. Goal: deciding
           takes less than a fifth of the time, and no batch has more statements than another of its kind, however full the
           database is. Statements are counted, not timed.

Half of the addresses are in trouble of one kind, the others of many; every tenth event is a delivery, a complaint or a guess.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from bounceproc.address import Address
from bounceproc.event import BounceClass, Event, EventType, Kind, Trust
from bounceproc.policy.decide import decide
from bounceproc.policy.history import Evidence, History
from bounceproc.policy.settings import Policy, Threshold
from bounceproc.ports import Outcome, Reading
from bounceproc.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH: Final = 500
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
POLICY: Final = Policy(
    hard=Threshold(second_look=timedelta(days=7)), reviews=frozenset({Trust.HEURISTIC}), counts=frozenset()
)
SOFT: Final = ("mailbox-full", "inactive-mailbox", "recipient-refused", "spam-block", "expired", "greylisted")


def events(addresses: int, count: int) -> Iterator[tuple[int, Event]]:
    """The same events in every run: the number of an address, and what happened to it."""
    chance = random.Random(1)
    for number in range(count):
        who = chance.randrange(addresses)
        kind = number % 10
        at = START + timedelta(minutes=number % 500_000)
        type_ = {7: EventType.DELIVERY, 8: EventType.COMPLAINT}.get(kind, EventType.BOUNCE)
        is_hard = kind == 0 and who % 3 == 0
        category = "bad-mailbox" if is_hard else SOFT[who % 6 if who % 2 else number % 6]
        bounced = type_ is EventType.BOUNCE
        yield (
            who,
            Event(
                type=type_,
                recipient=None,
                trust=Trust.HEURISTIC if kind == 9 else Trust.REPORTED,
                category=category if bounced else None,
                class_=(BounceClass.HARD if is_hard else BounceClass.SOFT) if bounced else None,
                original_message_id=f"<{number}@sender.example>",
                occurred_at=at,
            ),
        )


def in_memory(given: argparse.Namespace) -> None:
    """Add evidence and decide, with no database."""
    pieces = [
        (
            who,
            Evidence.of(
                event,
                id_=number.to_bytes(16, "big"),
                received_at=event.occurred_at or START,
                original=number.to_bytes(8, "big"),
            ),
        )
        for number, (who, event) in enumerate(events(given.addresses, given.events))
    ]
    histories: dict[int, History] = {}
    now = START + timedelta(days=400)
    decided = 0
    adding = deciding = 0.0
    for start in range(0, len(pieces), BATCH):
        touched: dict[int, list[Evidence]] = {}
        for who, piece in pieces[start : start + BATCH]:
            touched.setdefault(who, []).append(piece)
        began = time.perf_counter()
        for who, new in touched.items():
            histories[who] = histories.get(who, History(who.to_bytes(16, "big"))).with_evidence(new)
        between = time.perf_counter()
        decided += sum(bool(decide(histories[who], POLICY, now).decisions) for who in touched)
        adding, deciding = adding + between - began, deciding + time.perf_counter() - between
    print(
        f"decide: {len(pieces)} events of {len(histories)} addresses in batches of {BATCH}: "
        f"{adding / len(pieces) * 1e6:.1f} us an event to add, {deciding / len(pieces) * 1e6:.1f} us to decide, "
        f"{len(pieces) / (adding + deciding):.0f} events a second; {decided} verdicts suppress"
    )


def readings(given: argparse.Namespace) -> Iterator[Reading]:
    """Each event in a message of its own."""
    for number, (who, event) in enumerate(events(given.addresses, given.recorded)):
        whole = event._replace(
            recipient=Address.parse(f"user{who}@d{who % 997}.example"), reporting_mta="mx.example.net"
        )
        raw = f"{number}".encode()
        yield Reading(
            ref=str(number),
            digest=hashlib.blake2b(raw, digest_size=32).digest(),
            received_at=event.occurred_at or START,
            outcome=Outcome.REPORT,
            kind=Kind.DSN,
            detector="rfc3464",
            message_id=f"<{number}@mx.example.net>",
            reporting_mta="mx.example.net",
            events=(whole,),
            raw=raw,
        )


def through_ledger(given: argparse.Namespace) -> None:
    """The whole way of a batch behind reading and classifying."""
    now = START + timedelta(days=400)
    statements: Counter[int] = Counter()
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    with tempfile.TemporaryDirectory() as folder:
        pepper = Path(folder, "pepper")
        with Store.open(f"sqlite:///{folder}/b.db", pepper_file=pepper, keep_raw=False, now=lambda: now) as store:
            sa.event.listen(store.ledger._database._engine, "before_cursor_execute", note)
            all_, deciding, done = 0.0, 0.0, 0
            batch: list[Reading] = []
            for reading in readings(given):
                batch.append(reading)
                if len(batch) < BATCH:
                    continue
                seen.clear()
                began = time.perf_counter()
                with store.ledger.batch("bench") as ledger:
                    recorded = ledger.record(batch)
                    between = time.perf_counter()
                    verdicts = [decide(history, POLICY, now) for history in recorded.histories]
                    deciding += time.perf_counter() - between
                    ledger.apply(verdicts)
                    ledger.review(verdicts, again=POLICY.review_again)
                all_ += time.perf_counter() - began
                statements[len(seen)] += 1
                done += len(batch)
                batch = []
    print(
        f"ledger: {done} events in batches of {BATCH}: {all_ / done * 1e6:.0f} us an event, of which {deciding / all_:.1%} for "
        f"deciding; statements a batch (batches): {', '.join(f'{n} ({c})' for n, c in sorted(statements.items()))}"
    )


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--addresses", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--recorded", type=int, default=100_000)
    parser.add_argument("--only", default="decide,ledger")
    given = parser.parse_args()
    if "decide" in given.only:
        in_memory(given)
    if "ledger" in given.only:
        through_ledger(given)


if __name__ == "__main__":
    main()
