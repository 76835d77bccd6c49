"""In which portions a folder is read, and what is said of them beforehand."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from bounceproc.ports import Attempt
from bounceproc.sources.imap.folders import Selected
from bounceproc.sources.imap.plan import Plan

SELECTED = Selected("INBOX", readonly=False, uidvalidity=7, exists=0, uidnext=1)


def plan(count: int, tried: dict[int, int] | None = None, size: int = 10, limit: int = 3) -> Plan:
    attempts = {f"INBOX;UIDVALIDITY=7/;UID={uid}": Attempt(times, "gone") for uid, times in (tried or {}).items()}
    return Plan(SELECTED, array("L", range(1, count + 1)), attempts, size, limit)


def portions(made: Plan) -> list[tuple[int, ...]]:
    return [tuple(made.uids[chunk.start : chunk.end]) for chunk in made.chunks]


@given(
    st.integers(0, 60), st.dictionaries(st.integers(1, 60), st.integers(1, 4)), st.integers(1, 12), st.integers(2, 4)
)
def test_every_message_is_in_one_portion_and_those_of_one_fate_together(
    count: int, tried: dict[int, int], size: int, limit: int
) -> None:
    made = plan(count, tried, size, limit)
    assert [uid for portion in portions(made) for uid in portion] == list(range(1, count + 1))
    for chunk, portion in zip(made.chunks, portions(made), strict=True):
        (attempts,) = {tried.get(uid, 0) for uid in portion}
        assert chunk.suspected == (attempts > 0)
        assert (chunk.given_up is not None) == (attempts >= limit)
        assert len(portion) <= (size if not attempts else 20 if attempts < limit - 1 else 1)


def test_a_suspect_is_closed_in_on() -> None:
    assert portions(plan(30)) == [tuple(range(n, n + 10)) for n in (1, 11, 21)]
    once = plan(60, dict.fromkeys(range(1, 51), 1), size=50)
    assert [len(portion) for portion in portions(once)] == [20, 20, 10, 10]
    twice = plan(5, {2: 2, 3: 2})
    assert portions(twice) == [(1,), (2,), (3,), (4, 5)]
    (parked,) = [chunk for chunk in plan(3, {2: 3}).chunks if chunk.given_up]
    assert parked.given_up == "given up after 3 attempts to read it; the last: gone"


def test_what_is_ahead_are_the_next_four_portions_and_beside_a_suspect_nothing() -> None:
    made = plan(50)
    assert made.ahead(-1).numbers == tuple(range(1, 41))
    assert made.ahead(0, [9, 10]).numbers == (9, 10, *range(11, 51))
    assert made.ahead(3).numbers == tuple(range(41, 51))
    assert not made.ahead(4)
    suspects = plan(30, {11: 2})
    assert portions(suspects) == [tuple(range(1, 11)), (11,), tuple(range(12, 22)), tuple(range(22, 31))]
    assert suspects.ahead(-1).numbers == tuple(range(1, 11))
    assert suspects.ahead(0).numbers == (11,)
    assert suspects.ahead(1).numbers == tuple(range(12, 31))
    assert [suspects.batch(number, (), 1).alone for number in range(4)] == [True, True, False, False]
    assert [suspects.batch(number, (), 1).suspected for number in range(4)] == [False, True, False, False]
    later = plan(60, {41: 1})
    assert portions(later)[4] == (41,)
    assert later.ahead(-1).numbers == tuple(range(1, 41))
    assert later.ahead(0).numbers == tuple(range(11, 41))
    assert [later.batch(number, (), 1).alone for number in range(7)] == [False, *[True] * 4, False, False]


def test_the_rest_of_a_divided_suspected_portion_is_ahead_alone() -> None:
    made = plan(30, dict.fromkeys(range(1, 11), 1))
    assert made.ahead(0, [6, 7]).numbers == (6, 7)
    assert made.ahead(0, [6, 7]).refs == ("INBOX;UIDVALIDITY=7/;UID=6", "INBOX;UIDVALIDITY=7/;UID=7")


def test_the_last_attempt_is_proved_with_a_message_that_had_fewer() -> None:
    made = plan(30, dict.fromkeys(range(1, 6), 2) | {6: 1})
    (*_, chunk) = [chunk for chunk in made.chunks if chunk.last]
    assert made.uids[chunk.start] == 5
    assert made.less_suspected(chunk) == 27
    alone = plan(3, dict.fromkeys(range(1, 4), 2))
    assert [chunk.last for chunk in alone.chunks] == [True, True, True]
    assert alone.less_suspected(alone.chunks[0]) is None


def test_attempts_of_another_uidvalidity_are_no_matter() -> None:
    other = {"INBOX;UIDVALIDITY=6/;UID=1": Attempt(3, "gone"), "Junk;UIDVALIDITY=7/;UID=1": Attempt(3, "gone")}
    assert [chunk.suspected for chunk in Plan(SELECTED, array("L", [1, 2]), other, 10, 3).chunks] == [False]
