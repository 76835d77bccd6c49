"""Each piece of evidence is accounted for, and each row says how far it is from enough."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bounceproc.event import BounceClass, EventType, Trust
from bounceproc.policy.account import account
from bounceproc.policy.decide import decide
from bounceproc.policy.history import Evidence, History
from bounceproc.policy.settings import Policy, Threshold
from tests.unit.policy.evidence import DAY_0, KEY, NOW, PIECES, hard, piece

TOKENS = Policy(acts=frozenset({Trust.SIGNED}), counts=frozenset({Trust.MATCHED}), reviews=frozenset({Trust.REPORTED}))


def told(*evidence: Evidence, policy: Policy | None = None, **history: Any) -> tuple[list[str], list[str]]:
    """What each piece counted for, in the order given, and the lines about the rows."""
    found = account(History(KEY, **history).with_evidence(evidence), policy or Policy(), NOW)
    return [found.counted[one.id] for one in evidence], [str(line) for line in found.progress]


def test_a_row_says_how_far_it_is() -> None:
    counted, lines = told(piece(0, "mailbox-full"), piece(5, "mailbox-full"))

    assert counted == ["counts for mailbox-full"] * 2
    assert lines == ["mailbox-full: 2 of 4 messages, on 2 of 4 days, spanning 5 of 14 days, within 60 days: not enough"]


def test_what_is_outside_the_window_counts_no_more() -> None:
    counted, lines = told(piece(0, "mailbox-full"), piece(70, "mailbox-full"))

    assert counted == ["does not count: more than 60 days before the newest", "counts for mailbox-full"]
    assert lines[0].startswith("mailbox-full: 1 of 4 messages")


def test_what_was_delivered_later_or_lifted_or_is_nobodys_fault_does_not_count() -> None:
    delivered = piece(6, None, None, type=EventType.DELIVERY)
    counted, lines = told(
        piece(5, "mailbox-full"), delivered, piece(7, "spam-block"), piece(8, None, None, type=EventType.DELAY)
    )

    assert counted == [
        "does not count: delivered later",
        "counts as a sign of delivery",
        "does not count: no fault of the address",
        "does not count: the queue still tried",
    ]
    assert lines == []
    assert told(hard(0), lifted_at=DAY_0 + timedelta(days=1))[0] == ["does not count: received before a person decided"]


def test_trust_says_what_a_piece_may_do() -> None:
    signed, matched, reported, guessed = (hard(n, trust=trust) for n, trust in enumerate(Trust))
    counted, lines = told(signed, matched, reported, guessed, policy=TOKENS)

    assert counted == [
        "counts for hard",
        "counts for hard, with others of other days of receipt",
        "does not count: reported is not trusted to, and only puts the address on the review list",
        "does not count: heuristic is not trusted",
    ]
    assert lines == ["hard: 2 of 2 messages, on 2 of 2 days: enough"]


def test_a_second_look_and_a_row_that_suppresses_nobody_are_said() -> None:
    week = Policy(hard=Threshold(second_look=timedelta(days=7)))
    delivered = piece(2, None, None, type=EventType.DELIVERY)

    assert told(hard(0), delivered, policy=week)[0][0] == "does not count: delivered before the second look"
    counted, lines = told(hard(0), policy=Policy(hard=Threshold(suppress=False)))
    assert (counted, lines) == (
        ["does not count: hard suppresses nobody"],
        ["hard: 1 of 1 message, on 1 of 1 day: never enough"],
    )


def test_a_domain_counts_addresses() -> None:
    dead = [piece(day, "expired", BounceClass.SOFT, address=bytes([day % 2])) for day in (1, 2, 3)]

    assert told(*dead, is_domain=True)[1] == [
        "domain: 3 of 6 messages, on 3 of 3 days, spanning 2 of 7 days, about 2 of 3 addresses, within 30 days: not enough"
    ]


@given(st.lists(PIECES, max_size=25))
@settings(max_examples=100)
def test_every_piece_is_accounted_for_and_a_row_is_met_where_policy_decides(evidence: list[Evidence]) -> None:
    history = History(KEY).with_evidence(evidence)
    found = account(history, Policy(), NOW)

    assert set(found.counted) == {one.id for one in history.evidence}
    assert all(sentence.startswith(("counts", "does not count: ")) for sentence in found.counted.values())
    if decide(history, Policy(), NOW).decisions:
        assert any(line.is_met for line in found.progress)
