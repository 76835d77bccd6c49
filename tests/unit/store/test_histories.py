"""A history survives its way into a column and back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.classify.categories import Category
from bounceproc.errors import SchemaError
from bounceproc.event import BounceClass, EventType, Trust
from bounceproc.policy.history import Evidence, History
from bounceproc.store.histories import EMPTY, dump, load

_moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
_evidence = st.builds(
    Evidence,
    id=st.binary(min_size=16, max_size=16),
    type=st.sampled_from(EventType),
    category=st.none() | st.sampled_from(Category) | st.text(max_size=9),
    class_=st.none() | st.sampled_from(BounceClass),
    trust=st.sampled_from(Trust),
    occurred_at=_moments,
    received_at=_moments,
    original=st.binary(max_size=8),
    subject=st.integers(0, 999),
    address=st.binary(max_size=16),
    stream=st.none() | st.text(max_size=9),
)


@given(st.lists(_evidence, max_size=5))
def test_what_is_read_is_what_was_written(evidence: list[Evidence]) -> None:
    assert load(dump(evidence)) == tuple(evidence)


@given(st.permutations(range(6)), st.lists(_evidence, min_size=6, max_size=6))
def test_a_history_kept_in_pieces_is_the_same_in_any_order(order: list[int], evidence: list[Evidence]) -> None:
    history = History(b"k")
    for number in order:
        history = History(b"k", load(dump(history.with_evidence([evidence[number]]).evidence)))
    together = {piece.id: piece for piece in History(b"k").with_evidence(evidence).evidence}
    assert {piece.id for piece in history.evidence} == together.keys()


def test_an_empty_history_is_the_default_of_the_column() -> None:
    assert dump([]) == EMPTY
    assert load(EMPTY) == ()


def test_the_layout_of_a_newer_program_is_refused() -> None:
    with pytest.raises(SchemaError, match="layout 2"):
        load('[2,["?"]]')
