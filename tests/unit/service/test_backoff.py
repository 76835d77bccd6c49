"""Pauses grow, end at a bound, are never zero, and begin anew after a success."""

from __future__ import annotations

from bounceproc.service.backoff import FIRST, LONGEST, Backoff


def test_pauses_double_up_to_the_longest_and_half_of_each_is_chance() -> None:
    for _ in range(50):
        backoff = Backoff()
        for number in range(20):
            most = min(FIRST * 2**number, LONGEST)
            assert most / 2 <= backoff.next() <= most


def test_thousands_of_failures_overflow_nothing() -> None:
    backoff = Backoff()
    assert all(backoff.next() <= LONGEST for _ in range(5000))


def test_after_a_success_the_next_failure_is_a_first_one() -> None:
    backoff = Backoff()
    for _ in range(9):
        backoff.next()
    backoff.reset()

    assert backoff.next() <= FIRST


def test_not_everybody_comes_back_at_once() -> None:
    assert len({Backoff().next() for _ in range(20)}) > 10
