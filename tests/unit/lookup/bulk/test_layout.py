"""Rows are read by one regular expression where they are regular, and come out as the csv module has them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounceproc.errors import BadDataError
from bounceproc.lookup.bulk.layout import Rows, Table

NEVER = re.compile(rb"(?!)")


def read(block: bytes, column: int, *, slowly: bool) -> Rows | str:
    table = Table(",", column)
    if slowly:
        table._cell = NEVER
    try:
        return table.take(block[: table.measure(block)])
    except BadDataError as error:
        return error.what


pieces = st.sampled_from(
    [b'"', b'""', b",", b"\r", b"\n", b"\r\n", b"a", b"b@c", b" ", b'"x"', b'"p,q"', b'"r\ns"', b","]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(pieces, max_size=30).map(b"".join), st.integers(0, 2))
def test_both_ways_read_the_same(block: bytes, column: int) -> None:
    assert read(block, column, slowly=False) == read(block, column, slowly=True)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_list_in_quotation_marks_takes_the_short_way(end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    block = b'"1","a@b.c","Some ""body"", 1"' + end + b'"2","""d""@b.c",' + end + b'3,e@b.c,"x"' + end
    monkeypatch.setattr(Table, "_read", None)

    assert Table(",", 1).take(block).cells == [b"a@b.c", b'"d"@b.c', b"e@b.c"]
