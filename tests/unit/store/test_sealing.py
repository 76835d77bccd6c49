"""What is sealed has one text, whoever writes it: seals of years ago are held against it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bounceproc.event import BounceClass
from bounceproc.store.sealing import encoded

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just(BounceClass.HARD),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_a_value_is_what_the_encoder_of_the_library_makes_of_it(value: Any) -> None:
    assert encoded(value) == json.dumps(value, sort_keys=True, separators=(",", ":"))
