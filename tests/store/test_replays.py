"""What was recorded is judged anew: shown first, done on demand, and never beyond what the evidence still says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bounceproc.classify.classifier import default_classifier
from bounceproc.event import BounceClass
from bounceproc.policy.replay import Move
from bounceproc.policy.settings import Policy, Threshold
from bounceproc.service.replay import judge_anew, outlooks
from bounceproc.status import EnhancedStatus
from tests.store.kit import DAY, START, Bench, bounce, complaint, reading, soft

if TYPE_CHECKING:
    import pytest

TWICE = replace(Policy(), hard=Threshold(messages=2, days=2))
BLOCKED = "554 5.7.1 Your IP address is listed on our local block list"


def moves(bench: Bench, policy: Policy, *, judged: bool = False) -> list[tuple[str, str]]:
    classifier = default_classifier() if judged else None
    return sorted(
        (difference.move.value, outlook.subject.address or "?")
        for outlook in outlooks(bench.store.replays, policy, bench.now, classifier=classifier)
        for difference in outlook.differences
    )


def anew(bench: Bench, policy: Policy) -> tuple[int, int]:
    return judge_anew(bench.store.replays, policy, bench.now, classifier=default_classifier(), actor="user:ops")


def misjudged(bench: Bench, address: str = "user@example.com") -> None:
    """A refusal of our own host that an older rule took for a dead mailbox."""
    bench.process(
        reading(bounce(address, diagnostic=BLOCKED, status=EnhancedStatus(5, 7, 1), smtp_code=554), ref=address)
    )


def test_the_policy_in_force_would_change_nothing(bench: Bench) -> None:
    bench.process(reading(bounce(), complaint("other@example.com"), ref="1"))
    for number in range(5):
        bench.process(reading(soft("full@example.com", at=START + number * 5 * DAY), ref=f"full {number}"))
    assert moves(bench, bench.policy) == []


def test_a_stricter_policy_shows_who_would_leave_and_changes_nothing(bench: Bench) -> None:
    bench.process(reading(bounce(), ref="1"), reading(complaint("other@example.com"), ref="2"))
    assert moves(bench, TWICE) == [("leave", "user@example.com")]
    assert bench.answer("user@example.com") is not None


def test_a_laxer_policy_shows_who_would_enter(bench: Bench) -> None:
    bench.process(reading(soft(), ref="1"))
    policy = replace(Policy(), soft={"mailbox-full": Threshold()})
    assert moves(bench, policy) == [("enter", "user@example.com")]
    outlook = next(iter(outlooks(bench.store.replays, policy, bench.now)))
    assert outlook.differences[0].why == "mailbox-full: 1 message on 1 day"


def test_an_entry_whose_evidence_is_gone_stays(bench: Bench) -> None:
    bench.process(reading(bounce(), ref="1"))
    with bench.database.writing() as connection:
        connection.exec_driver_sql("UPDATE address SET history = '[1]'")
    assert moves(bench, TWICE) == []
    assert anew(bench, TWICE) == (0, 0)


def test_an_entry_by_hand_is_told_of_and_stays(bench: Bench) -> None:
    bench.process(reading(bounce(), ref="1"))
    bench.suppress("user@example.com")
    (outlook,) = outlooks(bench.store.replays, TWICE, bench.now)
    assert outlook.subject.otherwise == ("manual",)
    assert anew(bench, TWICE)[1] == 1  # policy's own entry
    entry = bench.answer("user@example.com")
    assert entry is not None
    assert entry.origin == "manual"


def test_better_rules_set_free_who_was_condemned_for_a_fault_of_ours(bench: Bench) -> None:
    misjudged(bench)
    bench.process(reading(bounce("gone@example.com"), ref="2"))
    (outlook,) = [
        one
        for one in outlooks(bench.store.replays, bench.policy, bench.now, classifier=default_classifier())
        if one.differences
    ]
    (judged,) = outlook.judged
    assert (judged.before.category, judged.after.category) == ("bad-mailbox", "spam-block")
    assert [difference.move for difference in outlook.differences] == [Move.LEAVE]

    _, changed = anew(bench, bench.policy)
    assert changed == 1
    assert bench.answer("user@example.com") is None
    assert bench.answer("gone@example.com") is not None
    (row,) = [row for row in bench.rows("event") if row["address"] == "user@example.com"]
    assert (row["category"], row["class"]) == ("spam-block", "soft")
    *_, last = bench.store.suppressions.changes(since=0)
    assert (last.action, last.actor) == ("remove", "user:ops")


def test_judging_twice_changes_nothing_the_second_time(bench: Bench) -> None:
    misjudged(bench)
    anew(bench, bench.policy)
    assert anew(bench, bench.policy) == (0, 0)
    assert moves(bench, bench.policy, judged=True) == []


def test_what_turns_out_to_be_the_domains_fault_counts_for_the_domain(bench: Bench) -> None:
    for number in range(6):
        address = f"user{number % 3}@dead.example"
        event = bounce(
            address,
            at=START + number * 2 * DAY,
            diagnostic="connect to mx.dead.example[192.0.2.1]:25: Connection timed out",
            status=EnhancedStatus(4, 4, 1),
            smtp_code=None,
            category="receiver-error",
            class_=BounceClass.SOFT,
        )
        bench.process(reading(event, ref=str(number)))
    bench.now = START + timedelta(days=11)
    assert bench.answer("user1@dead.example") is None
    anew(bench, bench.policy)  # the domain's history is made,
    anew(bench, bench.policy)  # and judged
    assert bench.answer("anybody@dead.example") is not None


def test_pages_are_short_and_give_everybody_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bounceproc.store.replays.PAGE", 3)
    bench.process(*(reading(bounce(f"user{n}@example.com"), ref=str(n)) for n in range(10)))
    pages = list(bench.store.replays.pages(bench.now))
    assert [len(page) for page in pages] == [3, 3, 3, 1]
    assert len({subject.history.key for page in pages for subject in page}) == bench.store.replays.count() == 10
