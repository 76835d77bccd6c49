"""What holds of every history: worse news never lifts, order never matters, twice is once, and a person's word stands."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bounceproc.event import EventType, Trust
from bounceproc.policy.decide import decide
from bounceproc.policy.history import Evidence, History, Kept
from bounceproc.policy.settings import Policy, Threshold
from tests.unit.policy.evidence import DAY_0, KEY, NOW, PIECES, piece

if TYPE_CHECKING:
    from bounceproc.policy.verdict import Decision, Verdict

DAY = timedelta(days=1)

POLICIES = st.builds(
    Policy,
    hard=st.sampled_from([Threshold(), Threshold(second_look=7 * DAY), Threshold(messages=2, days=2, within=20 * DAY)]),
    complaint=st.sampled_from([Threshold(), Threshold(scope="stream"), Threshold(messages=2, expires=9 * DAY)]),
    hard_rows=st.sampled_from([{}, {"bad-mailbox": Threshold(second_look=3 * DAY)}]),
    acts=st.sampled_from([frozenset({Trust.SIGNED}), frozenset({Trust.SIGNED, Trust.MATCHED, Trust.REPORTED})]),
    counts=st.sampled_from([frozenset[Trust](), frozenset({Trust.HEURISTIC})]),
    reviews=st.sampled_from([frozenset[Trust](), frozenset({Trust.MATCHED, Trust.REPORTED})]),
)
WORSE = PIECES.filter(lambda one: one.type in {EventType.BOUNCE, EventType.COMPLAINT, EventType.UNSUBSCRIBE})
MOMENTS = st.integers(0, 120).map(lambda days: DAY_0 + days * DAY)
HISTORIES = st.lists(PIECES, max_size=25)


def late(evidence: list[Evidence], days: list[int]) -> list[Evidence]:
    """The same evidence, received some days after it happened."""
    return [one._replace(received_at=one.occurred_at + n * DAY) for one, n in zip(evidence, days, strict=False)]


def reach(decision: Decision) -> tuple[int, float]:
    if decision.until is None:
        return (2, 0.0)
    return (1, 0.0) if decision.second_look else (0, decision.until.timestamp())


def reaches(verdict: Verdict) -> dict[tuple[str, str], tuple[int, float]]:
    return {(one.scope, one.reason): reach(one) for one in verdict.decisions}


@given(HISTORIES, WORSE, POLICIES, MOMENTS, st.lists(st.integers(0, 9), min_size=25, max_size=25))
@settings(max_examples=400)
def test_worse_news_never_lifts_or_shortens(
    evidence: list[Evidence], worse: Evidence, policy: Policy, now: Any, days: list[int]
) -> None:
    history = History(KEY).with_evidence(late(evidence, days))
    before, after = decide(history, policy, now), decide(history.with_evidence([worse]), policy, now)

    assert {name: after_ for name, after_ in reaches(after).items() if name in reaches(before)}.keys() == reaches(
        before
    ).keys()
    assert all(reaches(after)[name] >= length for name, length in reaches(before).items())


@given(HISTORIES, POLICIES, MOMENTS, st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_order_never_matters(evidence: list[Evidence], policy: Policy, now: Any, random: Any) -> None:
    shuffled = evidence.copy()
    random.shuffle(shuffled)
    one_by_one = History(KEY)
    for item in shuffled:
        one_by_one = one_by_one.with_evidence([item])

    assert decide(one_by_one, policy, now) == decide(History(KEY).with_evidence(evidence), policy, now)


@given(st.lists(PIECES, min_size=60, max_size=90), st.integers(min_value=0))
@settings(max_examples=30)
def test_what_is_kept_of_very_much_evidence_does_not_depend_on_its_order(evidence: list[Evidence], seed: int) -> None:
    flood = [piece(n / 7, "mailbox-full", address=bytes([n % 19])) for n in range(150)]
    shuffled = [*evidence, *flood]
    Random(seed).shuffle(shuffled)  # a seed: some hundred choices of their own are more than one example may draw
    one_by_one = History(KEY)
    for start in range(0, len(shuffled), 7):
        one_by_one = one_by_one.with_evidence(shuffled[start : start + 7])

    assert one_by_one == History(KEY).with_evidence([*evidence, *flood])


KEPT = st.builds(
    Kept,
    st.sampled_from(["*", "stream:news"]),
    MOMENTS,
    st.none() | MOMENTS,
    consent=st.booleans(),
)


@given(HISTORIES, st.lists(KEPT, max_size=2).map(tuple), POLICIES, MOMENTS)
@settings(max_examples=300)
def test_a_decision_to_go_on_sending_is_never_overridden_and_never_forgotten_in_silence(
    evidence: list[Evidence], kept: tuple[Kept, ...], policy: Policy, now: Any
) -> None:
    history = History(KEY, kept=kept).with_evidence(evidence)
    verdict, alone = decide(history, policy, now), decide(History(KEY, history.evidence), policy, now)

    holding = [one for one in kept if one.holds(now)]
    for decision in verdict.decisions:
        assert not any(one.covers(decision.scope, decision.reason) for one in holding)
    if all(one.holds(now) for one in kept):
        told = {(one.scope, one.reason) for one in verdict.decisions}
        told |= {(one.scope, one.reason) for one in verdict.reviews}
        assert {(one.scope, one.reason) for one in alone.decisions} <= told


@given(HISTORIES, MOMENTS, POLICIES)
@settings(max_examples=200)
def test_what_was_received_before_a_lift_never_suppresses(
    evidence: list[Evidence], lifted_at: Any, policy: Policy
) -> None:
    history = History(KEY, lifted_at=lifted_at).with_evidence(evidence)
    newer = [one for one in history.evidence if one.received_at > lifted_at]
    of_newer = decide(History(KEY).with_evidence(newer), policy, NOW)

    assert {(one.scope, one.reason) for one in decide(history, policy, NOW).decisions} <= {
        (one.scope, one.reason) for one in of_newer.decisions
    }


@given(HISTORIES, POLICIES)
@settings(max_examples=200)
def test_what_only_reviews_never_suppresses(evidence: list[Evidence], policy: Policy) -> None:
    doubtful = [one for one in evidence if one.trust not in policy.acts | policy.counts]

    assert decide(History(KEY).with_evidence(doubtful), policy, NOW).decisions == ()
