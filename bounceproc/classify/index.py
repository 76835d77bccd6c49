"""Which patterns may be in a text: each pattern stands under its rarest word, or pair of neighbouring words."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_BITS: Final = 20
PATTERNS: Final = 1 << _BITS
"""More patterns than one rule can have."""

_ALONE: Final = ""
"""What stands in place of the second word where a word is no pair."""


class Index:
    """From a word and the word behind it to entries, each the place of a rule times `PATTERNS` plus the number of its pattern.

    What sorts in the order in which the rules are asked. Of many thousand keys a text needs a few, so all of one first word are
    packed together in some octets of UTF-8, and unpacked when that word is first seen: `second=entry entry,second=entry`.
    """

    __slots__ = ("_ends", "_entries", "_groups", "_packed", "_places", "words")

    def __init__(self, words: Sequence[str], octets: Sequence[int], packed: bytes, start: int = 0) -> None:
        """`words` are the first words, `octets` how long the group of each is; the groups are in `packed` from `start` on."""
        self.words: Final = words
        self._places: Final = {word: place for place, word in enumerate(words)}
        self._ends: Final = [*accumulate(octets, initial=start)]
        self._packed: Final = packed
        self._groups: Final[dict[str, dict[str, str]]] = {}
        self._entries: Final[dict[str, list[int]]] = {}

    @classmethod
    def of(cls, keys: dict[tuple[str, str], list[int]]) -> Index:
        """Pack what stands under each pair, of which the second word may be empty."""
        groups: dict[str, list[str]] = {}
        for (first, second), entries in keys.items():
            groups.setdefault(first, []).append(f"{second}={' '.join(map(str, entries))}")
        packed = [",".join(group).encode() for group in groups.values()]
        return cls([*groups], [len(group) for group in packed], b"".join(packed))

    def group(self, place: int) -> bytes:
        """What is packed for one of the first words."""
        return self._packed[self._ends[place] : self._ends[place + 1]]

    def behind(self, word: str) -> dict[str, str] | None:
        """From second words to entries with spaces between them; None where no key begins with this word."""
        place = self._places.get(word)
        if place is None:
            return None
        known = self._groups.get(word)
        if known is None:
            known = {}
            for item in self.group(place).decode().split(","):
                second, _, entries = item.partition("=")
                known[second] = entries
            self._groups[word] = known
        return known

    def entries(self, listed: str) -> list[int]:
        """What `behind` has for a second word, as numbers: most texts ask for the same few again and again."""
        known = self._entries.get(listed)
        if known is None:
            known = self._entries[listed] = [int(entry) for entry in listed.split(" ")]
        return known


def build_index(rules: Sequence[Sequence[str]]) -> Index:
    """Put every pattern of every rule under the key that it shares with the fewest others; of equals, the longest."""
    patterns = [
        (place, number, _pattern_keys(pattern))
        for place, of_rule in enumerate(rules)
        for number, pattern in enumerate(of_rule)
    ]
    common = Counter(key for _, _, keys in patterns for key in set(keys))
    index: dict[tuple[str, str], list[int]] = {}
    for place, number, keys in patterns:
        key = min(keys, key=lambda key: (common[key], -len(key[0]) - len(key[1])))
        index.setdefault(key, []).append(place * PATTERNS + number)
    return Index.of(index)


def candidates(index: Index, words: list[str]) -> list[int]:
    """The entries of the patterns that may be in a row of words, in the order in which their rules are asked."""
    lines: set[str] = set()
    for place, word in enumerate(words):
        behind = index.behind(word)
        if behind is None:
            continue
        alone = behind.get(_ALONE)
        if alone is not None:
            lines.add(alone)
        if place + 1 < len(words):
            pair = behind.get(words[place + 1])
            if pair is not None:
                lines.add(pair)
    found: list[int] = []
    for line in lines:
        found += index.entries(line)
    found.sort()
    return found


def place_of(entry: int) -> tuple[int, int]:
    """The place of a rule and the number of its pattern. No `divmod`: compiled, it makes objects of its numbers."""
    return entry >> _BITS, entry & (PATTERNS - 1)


def _pattern_keys(pattern: str) -> list[tuple[str, str]]:
    pieces = [piece.split() for piece in pattern.split(" * ")]
    pairs = [pair for words in pieces for pair in pairwise(words)]
    return pairs or [(word, _ALONE) for words in pieces for word in words]
