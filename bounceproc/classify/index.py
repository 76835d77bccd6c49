"""Which patterns may be in a text: each pattern stands under its rarest word, or pair of neighbouring words."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

Index = dict[str, str]
"""From a word or a pair to entries with spaces between them, each the place of a rule times `PATTERNS` plus the number of its
pattern: what sorts in the order in which the rules are asked. They are text because a text of ten thousand keys needs a few of
them, and JSON takes long to make numbers of all."""

PATTERNS: Final = 1 << 20
"""More patterns than one rule can have."""


def build_index(rules: Sequence[Sequence[str]]) -> Index:
    """Put every pattern of every rule under the key that it shares with the fewest others; of equals, the longest."""
    patterns = [
        (place, number, _pattern_keys(pattern))
        for place, of_rule in enumerate(rules)
        for number, pattern in enumerate(of_rule)
    ]
    common = Counter(key for _, _, keys in patterns for key in set(keys))
    index: dict[str, list[str]] = {}
    for place, number, keys in patterns:
        key = min(keys, key=lambda key: (common[key], -len(key)))
        index.setdefault(key, []).append(str(place * PATTERNS + number))
    return {key: " ".join(entries) for key, entries in index.items()}


def candidates(index: Index, words: list[str]) -> list[int]:
    """The entries of the patterns that may be in a row of words, in the order in which their rules are asked."""
    keys = index.keys() & {*words, *map(" ".join, pairwise(words))}
    found = [int(entry) for key in keys for entry in index[key].split()]
    found.sort()
    return found


def _pattern_keys(pattern: str) -> list[str]:
    pieces = [piece.split() for piece in pattern.split(" * ")]
    pairs = [" ".join(pair) for words in pieces for pair in pairwise(words)]
    return pairs or [word for words in pieces for word in words]
