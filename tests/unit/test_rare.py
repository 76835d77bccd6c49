"""A rare expression does what `re` does, and is compiled no sooner than it is asked."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest

import bounceproc
from bounceproc.rare import Rare

TEXTS = ("", "a1", "b a2 a33", "A1")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("flags", [0, re.IGNORECASE])
def test_it_answers_as_the_library_does(text: str, flags: int) -> None:
    rare, usual = Rare(r"a\d+", flags), re.compile(r"a\d+", flags)

    for mine, other in (
        (rare.search(text), usual.search(text)),
        (rare.search(text, 2, 4), usual.search(text, 2, 4)),
        (rare.match(text), usual.match(text)),
        (rare.match(text, 2), usual.match(text, 2)),
        (rare.fullmatch(text), usual.fullmatch(text)),
    ):
        assert (mine and (mine.span(), mine[0])) == (other and (other.span(), other[0]))
    assert [found.span() for found in rare.finditer(text)] == [found.span() for found in usual.finditer(text)]
    assert rare.findall(text) == usual.findall(text)
    assert rare.sub("-", text) == usual.sub("-", text)
    assert rare.sub(lambda found: found[0] * 2, text) == usual.sub(lambda found: found[0] * 2, text)


def test_every_rare_expression_of_the_program_is_right() -> None:
    modules = [
        importlib.import_module(name)
        for _, name, is_package in pkgutil.walk_packages(bounceproc.__path__, "bounceproc.")
        if not is_package and name.split(".")[1] in {"address", "classify", "reports"}
    ]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Rare)]

    assert len(found) > 40
    assert all(rare.pattern.pattern for rare in found)
