"""Through the real ledger: in whatever batches and order the same events come, the list says the same in the end."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from bounceproc.event import EventType, Trust
from bounceproc.policy.settings import Policy, Threshold
from tests.store.kit import DAY, START, Bench, bounce, complaint, delivery, reading, soft

if TYPE_CHECKING:
    from datetime import datetime

    from bounceproc.event import Event
    from bounceproc.ports import Reading

POLICY = Policy(
    hard=Threshold(second_look=7 * DAY),
    acts=frozenset({Trust.SIGNED, Trust.MATCHED}),
    counts=frozenset({Trust.REPORTED}),
    reviews=frozenset({Trust.HEURISTIC}),
)
ROUNDS = 12


def letters(seed: int, who: str) -> list[Reading]:
    """Some weeks of one address: bounces of all kinds, complaints and deliveries, each believed more or less."""
    chance = random.Random(seed)
    found = []
    for number in range(chance.randint(3, 14)):
        at = START + chance.randint(0, 40) * DAY + chance.randint(0, 20) * timedelta(hours=1)
        original = f"<{chance.randint(0, 6)}.{who}@sender.example>"
        kind = chance.choice(("hard", "mailbox-full", "inactive-mailbox", "expired", "complaint", "delivery"))
        found.append(
            reading(
                letter(kind, who, at, original)._replace(trust=chance.choice(list(Trust))),
                ref=f"{who} {number}",
                at=at + chance.randint(1, 60) * timedelta(hours=1),
            )
        )
    return found


def letter(kind: str, who: str, at: datetime, original: str) -> Event:
    if kind == "hard":
        return bounce(who, at=at, original=original)
    if kind == "complaint":
        return complaint(who, at=at)
    return delivery(who, at=at) if kind == "delivery" else soft(who, kind, at=at, original=original)


def ended(bench: Bench, who: str) -> list[tuple[Any, ...]]:
    """What the list and the review list say of an address, but for its name; for an event's id, what the event says."""
    columns = ("scope", "reason", "since", "until", "category", "class", "why", "second_look")
    told = ("type", "category", "trust", "occurred_at", "received_at")
    events = {row["id"]: tuple(row[name] for name in told) for row in bench.rows("event")}
    entries = [
        (*(row[name] for name in columns), events[row["event"]])
        for row in bench.rows("suppression")
        if row["address"] == who
    ]
    waiting = [
        (one.scope, one.reason, one.category, one.cause, one.why, one.count, one.first_at, one.last_at)
        for one in bench.store.reviews.listing(now=bench.now)
        if one.address == who
    ]
    return sorted([*entries, *waiting], key=str)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_the_same_events_in_any_batches_and_order_end_in_the_same_list(bench: Bench, seed: int) -> None:
    bench.policy = POLICY
    bench.now = START + 60 * DAY
    chance = random.Random(seed)
    ends = []
    for attempt in range(4):
        who = f"user@d{attempt}.example"
        mail = letters(seed, who)
        chance.shuffle(mail)
        if attempt == 0:
            bench.process(*mail)
        while attempt and mail:
            size = chance.randint(1, 4)
            bench.process(*mail[:size])
            mail = mail[size:]
        ends.append(ended(bench, who))
    assert ends[1:] == ends[:1] * 3


def test_deciding_twice_changes_nothing(bench: Bench) -> None:
    bench.policy = POLICY
    bench.now = START + 60 * DAY
    mail = [one for seed in range(20) for one in letters(seed, f"u{seed}@example.com")]
    bench.process(*mail)
    tables = ("suppression", "suppression_change", "review", "address")
    before = {name: bench.rows(name) for name in tables}
    assert any(row["reason"] == "bounce" for row in before["suppression"])
    assert EventType.COMPLAINT in {row["reason"] for row in before["suppression"]}
    bench.process(*mail)
    assert {name: bench.rows(name) for name in tables} == before


def test_a_batch_with_everything_to_do_has_few_statements_whatever_its_size(bench: Bench) -> None:
    counted = [statements(bench, size) for size in (10, 90)]  # of the latter, 450 messages; a batch has 500
    assert counted[0] == counted[1]
    assert counted[0] <= 30


def statements(bench: Bench, size: int) -> int:
    """How many a batch takes that adds, lifts, changes and reviews, each for so many addresses."""
    bench.policy = POLICY
    bench.now = START + 60 * DAY
    people = [f"u{n}@s{size}.example" for n in range(size)]
    signed: dict[str, Any] = {"trust": Trust.SIGNED}
    first = [reading(bounce(f"lift.{who}", **signed), ref=f"l {who}") for who in people]
    first += [reading(bounce(f"keep.{who}", **signed), ref=f"k {who}", at=START + 55 * DAY) for who in people]
    first += [reading(bounce(f"wait.{who}", trust=Trust.HEURISTIC), ref=f"w {who}") for who in people]
    bench.process(*first)
    then = [reading(delivery(f"lift.{who}", at=START + DAY)._replace(**signed), ref=f"l2 {who}") for who in people]
    then += [reading(bounce(f"keep.{who}", at=START + DAY, **signed), ref=f"k2 {who}") for who in people]
    then += [reading(bounce(f"wait.{who}", at=START + DAY, trust=Trust.HEURISTIC), ref=f"w2 {who}") for who in people]
    then += [reading(bounce(f"new.{who}", **signed), ref=f"n {who}") for who in people]
    then += [reading(bounce(f"doubt.{who}", trust=Trust.HEURISTIC), ref=f"d {who}") for who in people]
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    sa.event.listen(bench.database._engine, "before_cursor_execute", note)
    bench.process(*then)
    sa.event.remove(bench.database._engine, "before_cursor_execute", note)
    return len(seen)
