"""Observing suppresses nobody, and remembers what it would have done and regretted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bounceproc.classify.classifier import default_classifier
from bounceproc.pipeline import Pipeline
from bounceproc.policy.settings import Policy
from bounceproc.ports import MessageBatch
from bounceproc.rawmessage import RawMessage
from tests.store.kit import DAY, START, Bench, bounce, delivery, reading, soft

if TYPE_CHECKING:
    from bounceproc.ports import Reading
    from bounceproc.store.observing import Observed


def observe(bench: Bench, *readings: Reading) -> None:
    """The pipeline's own way of a batch."""
    pipeline = Pipeline(
        ledger=bench.store.ledger,
        classifier=default_classifier(),
        policy=Policy(enforce=False),
        clock=lambda: bench.now,
    )
    messages = tuple(RawMessage(one.ref, one.raw, None) for one in readings)
    assert pipeline.record("returns", readings, MessageBatch(messages)).changed == 0
    assert bench.count("suppression") == bench.count("suppression_change") == 0


def listed(bench: Bench, *, regretted: bool = False) -> list[Observed]:
    return list(bench.store.observing.listing(regretted=regretted))


def test_what_would_be_suppressed_is_remembered_and_nobody_is(bench: Bench) -> None:
    observe(bench, reading(bounce("a@example.com"), bounce("b@example.com")))
    assert bench.answer("a@example.com") is None
    assert sorted((str(one.address), one.reason, one.why) for one in listed(bench)) == [
        ("a@example.com", "bounce", "bad-mailbox: 1 message on 1 day"),
        ("b@example.com", "bounce", "bad-mailbox: 1 message on 1 day"),
    ]
    assert bench.store.ledger.counters()["returns"]["observed"] == 2
    before = bench.rows("observed")
    observe(bench, reading(bounce("a@example.com"), ref="again"))
    assert bench.rows("observed") == before


def test_an_address_that_takes_mail_later_would_have_been_regretted(bench: Bench) -> None:
    observe(bench, reading(bounce("a@example.com")), reading(bounce("b@example.com"), ref="2"))
    observe(bench, reading(delivery("a@example.com", at=START + DAY), ref="3"))
    (regret,) = listed(bench, regretted=True)
    assert (regret.address, regret.delivered_at, regret.lifted_at) == ("a@example.com", START + DAY, None)
    assert bench.store.observing.summary() == [
        {"reason": "bounce", "category": "bad-mailbox", "suppressed": 2, "lifted": 0, "regretted": 1}
    ]


def test_a_delivery_from_before_is_no_regret(bench: Bench) -> None:
    observe(bench, reading(bounce()), reading(delivery(at=START - DAY), ref="2"))
    observe(bench, reading(delivery(at=START - timedelta(hours=1)), ref="3"))
    assert listed(bench, regretted=True) == []


def test_what_would_have_been_lifted_again_is_remembered_as_that(bench: Bench) -> None:
    bench.now = START + 20 * DAY
    observe(bench, *(reading(soft(at=START + n * DAY), ref=str(n)) for n in (0, 5, 10, 15)))
    observe(bench, reading(delivery(at=START + 16 * DAY), ref="ok"))
    (one,) = listed(bench)
    assert (one.category, one.lifted_at is not None, one.delivered_at) == ("mailbox-full", True, START + 16 * DAY)
    bench.now = START + 40 * DAY
    observe(bench, *(reading(soft(at=START + n * DAY), ref=str(n)) for n in (18, 24, 30, 36)))
    (one,) = listed(bench)
    assert one.lifted_at is None
