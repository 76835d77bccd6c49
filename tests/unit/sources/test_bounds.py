"""Bounded groups."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bounceproc.sources.bounds import bounded


@given(st.lists(st.integers(0, 20)), st.integers(1, 5), st.integers(1, 30))
def test_groups_hold_everything_in_order_within_both_bounds(sizes: list[int], max_items: int, max_bytes: int) -> None:
    groups = list(bounded(sizes, int, max_items=max_items, max_bytes=max_bytes))
    assert [size for group in groups for size in group] == sizes
    assert all(groups)
    assert all(len(group) <= max_items for group in groups)
    assert all(sum(group) <= max_bytes or len(group) == 1 for group in groups)


def test_what_is_too_large_alone_goes_alone() -> None:
    assert list(bounded([1, 1, 9, 1], int, max_bytes=3)) == [[1, 1], [9], [1]]
