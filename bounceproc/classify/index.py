"""Which patterns may be in a text: each pattern stands under its rarest word, or pair of neighbouring words."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bounceproc.classify.rules import Rule

Index = dict[str, list[list[int]]]
"""From a word or a pair to `[place of the rule, number of its pattern]`: what JSON can hold as it is."""


def build_index(rules: Sequence[Rule]) -> Index:
    """Put every pattern under the key that it shares with the fewest others; of equals, the longest."""
    patterns = [
        (place, number, _pattern_keys(pattern))
        for place, rule in enumerate(rules)
        for number, pattern in enumerate(rule.patterns)
    ]
    common = Counter(key for _, _, keys in patterns for key in set(keys))
    index: Index = {}
    for place, number, keys in patterns:
        index.setdefault(min(keys, key=lambda key: (common[key], -len(key))), []).append([place, number])
    return index


def candidates(index: Index, words: list[str]) -> list[list[int]]:
    """The patterns that may be in a row of words, in the order in which their rules are asked."""
    keys = {*words, *map(" ".join, pairwise(words))}
    found = [entry for key in index.keys() & keys for entry in index[key]]
    found.sort()
    return found


def _pattern_keys(pattern: str) -> list[str]:
    pieces = [piece.split() for piece in pattern.split(" * ")]
    pairs = [" ".join(pair) for words in pieces for pair in pairwise(words)]
    return pairs or [word for words in pieces for word in words]
