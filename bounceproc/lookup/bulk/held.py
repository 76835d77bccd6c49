"""The list in memory while a file is filtered: some forty octets an address, shared by all processes that were forked."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bounceproc.ports import Why

FEWEST_SLOTS: Final = 1024
"""Slots of an empty table; there are always at least four times as many as names."""


class Table:
    """Names and why they must not be mailed, without the names: two 64-bit hashes of each, and a number for the reason.

    Python's hash of octets is keyed anew in each process, so that nobody can choose names that collide. Two different names
    have the same pair of hashes with a probability of 2^-128.
    """

    __slots__ = ("_checks", "_codes", "_hashes", "_known", "_mask", "_slots", "_whys")

    def __init__(self, expected: int = 0) -> None:
        """`expected` is about how many names will come; more than that cost a little time."""
        self._hashes = array("q")
        self._checks = array("q")
        self._codes = array("I")
        self._whys: list[Why] = []
        self._known: dict[Why, int] = {}
        self._slots = array("I")
        self._mask = 0
        self._make_slots(expected)

    def __len__(self) -> int:
        return len(self._hashes)

    def put(self, name: bytes, why: Why) -> None:
        """Add a name; of several reasons the strongest stays."""
        code = self._known.get(why)
        if code is None:
            code = self._known[why] = len(self._whys)
            self._whys.append(why)
        number, slot = self._find(name)
        if number is not None:
            if why.rank < self._whys[self._codes[number]].rank:
                self._codes[number] = code
            return
        self._hashes.append(hash(name))
        self._checks.append(_check(name))
        self._codes.append(code)
        self._slots[slot] = len(self._hashes)
        if 4 * len(self._hashes) > self._mask:
            self._make_slots(2 * len(self._hashes))

    def get(self, name: bytes) -> Why | None:
        """Why a name must not be mailed; None where it is not in the table."""
        number, _ = self._find(name)
        return None if number is None else self._whys[self._codes[number]]

    def among(self, names: Sequence[bytes]) -> Iterator[tuple[int, Why]]:
        """Which of many names are in the table, by their places, and why."""
        slots, mask, hashes = self._slots, self._mask, self._hashes
        # Most names are not there, and most of those find their slot empty: the loop below is for the others.
        for place in [place for place, hashed in enumerate(map(hash, names)) if slots[hashed & mask]]:
            hashed = hash(names[place])
            slot = hashed & mask
            while number := slots[slot]:
                if hashes[number - 1] == hashed and self._checks[number - 1] == _check(names[place]):
                    yield place, self._whys[self._codes[number - 1]]
                    break
                slot = (slot + 1) & mask

    def _find(self, name: bytes) -> tuple[int | None, int]:
        """The number of a name, if it is there, and the slot where it is or would be."""
        hashed, mask, slots = hash(name), self._mask, self._slots
        slot = hashed & mask
        while number := slots[slot]:
            if self._hashes[number - 1] == hashed and self._checks[number - 1] == _check(name):
                return number - 1, slot
            slot = (slot + 1) & mask
        return None, slot

    def _make_slots(self, expected: int) -> None:
        size = max(FEWEST_SLOTS, 1 << (4 * expected).bit_length())
        mask = size - 1
        slots = array("I", bytes(4 * size))
        for number, hashed in enumerate(self._hashes, 1):
            slot = hashed & mask
            while slots[slot]:
                slot = (slot + 1) & mask
            slots[slot] = number
        self._slots, self._mask = slots, mask


def _check(name: bytes) -> int:
    return hash(b"\0" + name)
