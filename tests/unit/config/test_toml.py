"""TOML with line numbers: every key has its line, and what is written is read again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.config.toml import TomlSyntaxError, parse, write

if TYPE_CHECKING:
    from collections.abc import Iterator

ODD = '''\
# [comment]
top = 1 # a = 2
"quoted key" = """
fake = 1
[fake]
""\\"quotes"""""

[ table . "sub.table" ]
  a.b = { c = 1, "]" = "[" }  # }
list = [ # [
  "one", # ]
  "]]",

  [ "two" ],
]
lit = \'\'\'
[fake]
it's\'\'\'
date = 2026-11-23T12:00:00Z

[[many]]
x = 1
[many.below]
y = "#"
[[many]]
[[many.deeper]]
z = 1
[[many.deeper]]
z = '\\'
'''


def test_every_table_and_key_has_its_line_whatever_stands_in_the_values() -> None:
    _, lines = parse(ODD)

    assert lines == {
        ("top",): 2,
        ("quoted key",): 3,
        ("table",): 8,
        ("table", "sub.table"): 8,
        ("table", "sub.table", "a"): 9,
        ("table", "sub.table", "a", "b"): 9,
        ("table", "sub.table", "list"): 10,
        ("table", "sub.table", "lit"): 16,
        ("table", "sub.table", "date"): 19,
        ("many",): 21,
        ("many", 0): 21,
        ("many", 0, "x"): 22,
        ("many", 0, "below"): 23,
        ("many", 0, "below", "y"): 24,
        ("many", 1): 25,
        ("many", 1, "deeper"): 26,
        ("many", 1, "deeper", 0): 26,
        ("many", 1, "deeper", 0, "z"): 27,
        ("many", 1, "deeper", 1): 28,
        ("many", 1, "deeper", 1, "z"): 29,
    }


def test_windows_line_ends_count_as_one() -> None:
    assert parse("a = 1\r\n\r\nb = 2\r\n")[1] == {("a",): 1, ("b",): 3}


def test_a_text_that_nests_without_end_is_an_error_like_any_other() -> None:
    with pytest.raises(TomlSyntaxError, match="this is no TOML"):
        parse("a = " + "[" * 100_000)


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_scalars = st.booleans() | st.integers(-(2**63), 2**63 - 1) | _texts
_pairs = st.dictionaries(
    _texts, _scalars | st.lists(_scalars, max_size=3) | st.dictionaries(_texts, _scalars, max_size=3)
)
_documents = st.dictionaries(_texts, _pairs | st.lists(_pairs, min_size=1, max_size=3), max_size=4)


@given(_documents)
def test_what_is_written_is_read_again_and_each_key_has_the_line_it_stands_on(tables: dict[str, Any]) -> None:
    text = write(tables)

    values, lines = parse(text)

    assert values == tables
    assert {path for path in lines if len(path) <= 3} >= set(_paths(tables))
    assert max(lines.values(), default=1) <= text.count("\n")
    assert len({line for path, line in lines.items() if path in set(_paths(tables))}) == len(set(_paths(tables)))


def _paths(tables: dict[str, Any]) -> Iterator[tuple[str | int, ...]]:
    """The keys of the tables: in this form each stands on a line of its own."""
    for name, value in tables.items():
        for head, table in (
            [((name, i), t) for i, t in enumerate(value)] if isinstance(value, list) else [((name,), value)]
        ):
            yield from ((*head, key) for key in table)


@given(st.text(max_size=200))
def test_any_text_is_toml_or_an_error_with_a_line(text: str) -> None:
    try:
        _, lines = parse(text)
    except TomlSyntaxError as error:
        found = error.line
    else:
        found = max(lines.values(), default=1)
    assert 1 <= found <= text.count("\n") + 1
