"""A table of hashes answers like a dictionary of names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from bounceproc.lookup.bulk import held
from bounceproc.lookup.bulk.held import Table
from bounceproc.ports import Why

if TYPE_CHECKING:
    import pytest

WHYS = st.builds(Why, st.integers(0, 9), st.sampled_from(["bounce", "complaint"]), st.just(""), st.just("*"))


@given(st.lists(st.tuples(st.binary(max_size=3), WHYS)), st.lists(st.binary(max_size=3)))
def test_it_has_what_was_put_in_with_the_strongest_reason(entries: list[tuple[bytes, Why]], asked: list[bytes]) -> None:
    table, expected = Table(), dict[bytes, Why]()
    for name, why in entries:
        table.put(name, why)
        if name not in expected or why.rank < expected[name].rank:
            expected[name] = why

    assert len(table) == len(expected)
    assert {name: table.get(name) for name in asked} == {name: expected.get(name) for name in asked}
    assert list(table.among(asked)) == [(place, expected[name]) for place, name in enumerate(asked) if name in expected]


def test_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "FEWEST_SLOTS", 8)
    names = [str(number).encode() for number in range(1000)]
    why = Why(1, "bounce", "", "*")
    table = Table(expected=3)
    for name in names:
        table.put(name, why)

    assert [place for place, _ in table.among([*names, b"x"])] == list(range(1000))
    assert 4 * len(table) <= len(table._slots)


def test_names_whose_first_hash_is_the_same_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "hash", lambda name: 7 if not name.startswith(b"\0") else len(name), raising=False)
    why = Why(1, "bounce", "", "*")
    table = Table()
    table.put(b"a", why)

    assert table.get(b"bb") is None
    assert list(table.among([b"bb", b"a"])) == [(1, why)]
