"""Raw copies come back as they were, whichever version of the program kept them."""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from bounceproc.store.copies import ZSTANDARD, pack, unpack


@given(st.lists(st.binary(max_size=300)))
def test_what_is_packed_is_unpacked(messages: list[bytes]) -> None:
    copies = list(pack(messages))
    assert [unpack(copy) for copy in copies] == messages
    assert all(copy.startswith(ZSTANDARD) for copy in copies)


@given(st.binary(max_size=300), st.integers(0, 9))
def test_copies_of_earlier_versions_are_read(message: bytes, level: int) -> None:
    assert unpack(zlib.compress(message, level)) == message
