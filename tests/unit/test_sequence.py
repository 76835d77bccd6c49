"""Numbers as a short text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bounceproc.sequence import dump, load


@given(st.sets(st.integers(1, 2**32 - 1)).map(sorted))
def test_what_is_dumped_is_loaded_again(given_: list[int]) -> None:
    assert list(load(dump(given_))) == given_


def test_runs_are_short() -> None:
    assert dump(range(1, 1001)) == "1:1000"
    assert dump([1, 2, 3, 7, 9, 10]) == "1:3,7,9:10"
    assert dump([]) == ""
