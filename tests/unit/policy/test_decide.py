"""Thresholds are arithmetic on event times, and the order of arrival cannot matter."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounceproc.event import BounceClass, EventType, Trust
from bounceproc.policy.decide import decide
from bounceproc.policy.history import KEPT_PER_GROUP, Evidence, History
from bounceproc.policy.settings import Policy, Threshold
from tests.unit.policy.evidence import DAY_0, KEY, NOW, PIECES, hard, piece


def verdict_of(
    *evidence: Evidence, policy: Policy | None = None, **history: Any
) -> list[tuple[str, str, float | None]]:
    """Scope, reason and, in days from DAY_0, the end of each decision."""
    verdict = decide(History(KEY, (), **history).with_evidence(evidence), policy or Policy(), NOW)
    return [(d.scope, d.reason, (d.until - DAY_0) / timedelta(days=1) if d.until else None) for d in verdict.decisions]


FOREVER = [("*", "bounce", None)]


def test_one_hard_bounce_suppresses_without_end() -> None:
    assert verdict_of(hard(0)) == FOREVER


def test_nothing_suppresses_nobody() -> None:
    assert verdict_of() == []


@pytest.mark.parametrize(
    "type_", [EventType.DELAY, EventType.AUTO_REPLY, EventType.NOT_SPAM, EventType.AUTH_FAILURE, EventType.DELIVERY]
)
def test_what_is_no_bounce_never_counts(type_: EventType) -> None:
    assert verdict_of(*(piece(day, "mailbox-full", None, type=type_) for day in range(0, 60, 3))) == []


@pytest.mark.parametrize(
    "category", ["spam-block", "policy", "rate-limited", "authentication", "greylisted", "receiver-error", "unknown"]
)
def test_a_fault_of_sender_or_receiver_never_suppresses(category: str) -> None:
    assert verdict_of(*(piece(day, category) for day in range(0, 60, 2))) == []


def test_a_complaint_suppresses_everywhere_and_an_unsubscribe_its_stream() -> None:
    complaint = piece(0, None, None, type=EventType.COMPLAINT)
    leaving = piece(1, None, None, type=EventType.UNSUBSCRIBE, stream="news")

    assert verdict_of(complaint, leaving) == [("*", "complaint", None), ("stream:news", "unsubscribe", None)]


def test_an_unsubscribe_of_no_known_stream_is_for_all() -> None:
    assert verdict_of(piece(1, None, None, type=EventType.UNSUBSCRIBE)) == [("*", "unsubscribe", None)]


def test_an_inactive_mailbox_needs_a_second_report_a_day_later() -> None:
    assert verdict_of(piece(0, "inactive-mailbox")) == []
    assert verdict_of(piece(0, "inactive-mailbox"), piece(0.4, "inactive-mailbox")) == []
    assert verdict_of(piece(0, "inactive-mailbox"), piece(1, "inactive-mailbox")) == FOREVER


def test_an_inactive_mailbox_forgets_after_thirty_days() -> None:
    assert verdict_of(piece(0, "inactive-mailbox"), piece(31, "inactive-mailbox")) == []


def test_a_full_mailbox_needs_four_messages_on_four_days_over_two_weeks() -> None:
    assert verdict_of(*(piece(day, "mailbox-full") for day in (0, 1, 2, 3))) == []
    assert verdict_of(*(piece(day, "mailbox-full") for day in (0, 5, 14))) == []
    assert verdict_of(*(piece(day, "mailbox-full") for day in (0, 5, 10, 14))) == [("*", "bounce", 14 + 180)]


def test_reports_about_one_original_message_count_once() -> None:
    same = [piece(day, "mailbox-full", original=b"one") for day in (0, 5, 10, 14)]

    assert verdict_of(*same) == []


def test_a_suppression_that_goes_on_lasts_from_its_newest_window() -> None:
    assert verdict_of(*(piece(day, "mailbox-full") for day in (0, 5, 10, 14, 19))) == [("*", "bounce", 19 + 180)]


def test_later_quiet_does_not_take_a_met_threshold_away() -> None:
    met = [piece(day, "recipient-refused") for day in (0, 2, 4, 7)]
    later = piece(90, "recipient-refused")

    assert verdict_of(*met, later) == [("*", "bounce", 7 + 180)]


def test_what_has_expired_already_is_no_decision() -> None:
    long_ago = [piece(day - 400, "recipient-refused") for day in (0, 2, 4, 7)]

    assert verdict_of(*long_ago) == []


def test_an_unknown_bounce_counts_only_with_a_status_of_5_1() -> None:
    assert verdict_of(*(piece(day, "unknown", subject=1) for day in (0, 1, 2))) == [("*", "bounce", 2 + 180)]
    assert verdict_of(*(piece(day, "unknown", subject=7) for day in (0, 1, 2))) == []


def test_a_delivery_clears_the_soft_count_and_lifts_what_came_of_it() -> None:
    full = [piece(day, "mailbox-full") for day in (0, 5, 10, 14)]
    delivered = piece(15, None, None, type=EventType.DELIVERY)

    verdict = decide(History(KEY).with_evidence([*full, delivered]), Policy(), NOW)

    assert verdict.decisions == ()
    assert verdict.lift_reasons == {"bounce"}


def test_a_delivery_lifts_no_hard_bounce_and_no_complaint() -> None:
    evidence = [hard(0), piece(1, None, None, type=EventType.COMPLAINT), piece(15, None, None, type=EventType.DELIVERY)]

    verdict = decide(History(KEY).with_evidence(evidence), Policy(), NOW)

    assert [d.reason for d in verdict.decisions] == ["bounce", "complaint"]
    assert verdict.lift_reasons == frozenset()


def test_what_was_received_before_a_lift_by_hand_counts_no_more() -> None:
    assert verdict_of(hard(0), lifted_at=DAY_0 + timedelta(days=1)) == []
    assert verdict_of(hard(0), hard(2), lifted_at=DAY_0 + timedelta(days=1)) == FOREVER


def test_a_heuristic_alone_needs_a_second_message_on_another_day_of_receipt() -> None:
    guess = hard(0, trust=Trust.HEURISTIC)
    same_day = hard(0.1, trust=Trust.HEURISTIC)
    next_day = hard(1, trust=Trust.HEURISTIC)

    assert verdict_of(guess) == []
    assert verdict_of(guess, same_day) == []
    assert verdict_of(guess, next_day) == FOREVER


def test_invented_dates_do_not_make_days_of_what_only_counts() -> None:
    received = DAY_0 + timedelta(days=9)
    invented = [hard(day, trust=Trust.HEURISTIC, received_at=received) for day in (0, 3, 6)]

    assert verdict_of(*invented) == []


def test_trust_that_neither_acts_nor_counts_changes_nothing() -> None:
    signed_only = Policy(acts=frozenset({Trust.SIGNED, Trust.MATCHED}), counts=frozenset())

    assert verdict_of(*(hard(day) for day in range(30)), policy=signed_only) == []
    assert verdict_of(hard(0, trust=Trust.SIGNED), policy=signed_only) == FOREVER


def test_a_dead_domain_needs_three_addresses() -> None:
    def dead(days: tuple[float, ...], addresses: str) -> list[Evidence]:
        names = itertools.cycle(addresses)
        return [piece(day, "network-error", address=next(names).encode()) for day in days]

    days = (0, 1, 2, 3, 5, 7)
    assert verdict_of(*dead(days, "ab"), is_domain=True) == []
    assert verdict_of(*dead(days[:5], "abc"), is_domain=True) == []
    expired = Policy(
        domain=Threshold(messages=6, days=3, span=timedelta(days=7), within=timedelta(days=30), addresses=3)
    )
    assert verdict_of(*dead(days, "abc"), is_domain=True, policy=expired) == FOREVER


def test_a_domain_history_says_nothing_of_hard_bounces() -> None:
    assert (
        verdict_of(
            *(piece(day, "bad-domain", BounceClass.HARD, address=bytes([day])) for day in range(9)), is_domain=True
        )
        == []
    )


@given(st.lists(PIECES, max_size=25), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_the_order_of_arrival_never_changes_the_verdict(evidence: list[Evidence], random: Any) -> None:
    shuffled = evidence.copy()
    random.shuffle(shuffled)
    one_by_one = History(KEY)
    for item in shuffled:
        one_by_one = one_by_one.with_evidence([item])

    assert decide(one_by_one, Policy(), NOW) == decide(History(KEY).with_evidence(evidence), Policy(), NOW)


@given(st.lists(PIECES, max_size=25), st.floats(0, 90))
def test_a_further_hard_bounce_always_suppresses(evidence: list[Evidence], day: float) -> None:
    verdict = decide(History(KEY).with_evidence([*evidence, hard(day)]), Policy(), NOW)

    assert any(d.reason == "bounce" and d.until is None for d in verdict.decisions)
    assert verdict.lift_reasons == frozenset()


@given(st.lists(PIECES, max_size=25))
def test_the_same_evidence_twice_changes_nothing(evidence: list[Evidence]) -> None:
    once = History(KEY).with_evidence(evidence)

    assert once.with_evidence(evidence) == once


def test_a_history_is_capped_and_keeps_the_newest() -> None:
    history = History(KEY).with_evidence(piece(day, "mailbox-full") for day in range(KEPT_PER_GROUP + 40))

    assert len(history.evidence) == KEPT_PER_GROUP
    assert min(e.occurred_at for e in history.evidence) == DAY_0 + timedelta(days=40)


def test_noise_of_one_kind_does_not_push_out_another() -> None:
    noise = [piece(day, "spam-block") for day in range(1, 300)]

    assert verdict_of(hard(0), *noise) == FOREVER


# ---- rows, streams and domains -----------------------------------------------------------------------------------------


def test_wishes_follow_their_stream_or_all_mail_as_configured() -> None:
    complaint = piece(0, None, None, type=EventType.COMPLAINT, stream="news")
    leaving = piece(1, None, None, type=EventType.UNSUBSCRIBE, stream="news")
    follow = Policy(complaint=Threshold(scope="stream"), unsubscribe=Threshold(scope="*"))

    assert verdict_of(complaint, leaving) == [("*", "complaint", None), ("stream:news", "unsubscribe", None)]
    assert verdict_of(complaint, leaving, policy=follow) == [
        ("*", "unsubscribe", None),
        ("stream:news", "complaint", None),
    ]
    assert verdict_of(hard(0, stream="news"), policy=follow) == FOREVER


def test_each_stream_counts_by_itself() -> None:
    twice = Policy(unsubscribe=Threshold(messages=2, scope="stream"))
    one_each = [piece(n, None, None, type=EventType.UNSUBSCRIBE, stream=name) for n, name in enumerate(("a", "b", "c"))]

    assert verdict_of(*one_each, policy=twice) == []
    assert verdict_of(*one_each, piece(9, None, None, type=EventType.UNSUBSCRIBE, stream="b"), policy=twice) == [
        ("stream:b", "unsubscribe", None)
    ]


def test_a_category_with_a_row_of_its_own_is_judged_by_that_row_alone() -> None:
    policy = Policy(hard_rows={"mailbox-moved": Threshold(messages=2, days=2)})
    moved = piece(0, "mailbox-moved", BounceClass.HARD)

    assert verdict_of(moved, policy=policy) == []
    assert verdict_of(moved, piece(1, "mailbox-moved", BounceClass.HARD), policy=policy) == FOREVER
    assert verdict_of(hard(0), policy=policy) == FOREVER


def test_a_row_that_is_not_to_suppress_never_does() -> None:
    never = Policy(hard=Threshold(suppress=False), complaint=Threshold(suppress=False))

    assert (
        verdict_of(*(hard(day) for day in range(9)), piece(1, None, None, type=EventType.COMPLAINT), policy=never) == []
    )


DEAD = [piece(day, "network-error", address=b"abc"[day % 3 : day % 3 + 1]) for day in (0, 1, 2, 3, 5, 7)]


def test_a_dead_domain_lets_go_by_itself() -> None:
    history = History(KEY, is_domain=True).with_evidence(DEAD)

    assert [d.until for d in decide(history, Policy(), DAY_0 + timedelta(days=8)).decisions] == [
        DAY_0 + timedelta(days=37)
    ]
    assert decide(history, Policy(), DAY_0 + timedelta(days=38)).decisions == ()


def test_a_delivery_to_any_of_its_addresses_shows_that_a_domain_lives() -> None:
    delivered = piece(7.5, None, None, type=EventType.DELIVERY, address=b"z")
    history = History(KEY, is_domain=True).with_evidence([*DEAD, delivered])

    verdict = decide(history, Policy(), DAY_0 + timedelta(days=8))

    assert (list(verdict.decisions), set(verdict.lift_reasons)) == ([], {"bounce"})
    again = [piece(day, "network-error", address=bytes([day])) for day in (8, 9, 10, 12, 14, 16)]
    assert decide(history.with_evidence(again), Policy(), DAY_0 + timedelta(days=17)).decisions != ()


def test_a_sign_of_delivery_that_nobody_can_trust_clears_nothing() -> None:
    policy = Policy(acts=frozenset({Trust.SIGNED}), counts=frozenset({Trust.REPORTED}))
    full = [piece(day, "mailbox-full", trust=Trust.SIGNED) for day in (0, 5, 10, 14)]

    assert verdict_of(*full, piece(15, None, None, type=EventType.DELIVERY), policy=policy) != []
    signed = piece(15, None, None, type=EventType.DELIVERY, trust=Trust.SIGNED)
    assert verdict_of(*full, signed, policy=policy) == []


def test_a_flood_of_one_day_hides_none_of_the_days_before() -> None:
    full = [piece(day, "mailbox-full") for day in (0, 5, 10)]
    flood = [piece(14 + n / 1000, "mailbox-full") for n in range(200)]

    assert verdict_of(*full, *flood) == [("*", "bounce", 14.199 + 180)]


def test_what_is_not_trusted_pushes_out_nothing_that_is() -> None:
    policy = Policy(acts=frozenset({Trust.SIGNED}), counts=frozenset(), reviews=frozenset({Trust.REPORTED}))
    full = [piece(day, "mailbox-full", trust=Trust.SIGNED) for day in (0, 5, 10, 14)]
    forged = [piece(14 + n / 10, "mailbox-full") for n in range(300)]

    assert verdict_of(*full, *forged, policy=policy) == [("*", "bounce", 14 + 180)]
