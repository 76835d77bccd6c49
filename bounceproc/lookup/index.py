"""The keys of a list in memory: sorted 64-bit numbers behind a bitmap, eight octets an address and two for the bitmap."""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from bounceproc.lookup.numbers import ascends, bitmap, met

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX: Final = 8
"""Octets of a key that the index holds. A chance meeting of two keys costs one question to the list, no wrong answer."""
BITS_PER_KEY: Final = 8
"""Bits of the bitmap for each key, at least; it is a power of two. Of 100 unknown addresses, some 90 meet no bit."""
SMALLEST_BITMAP: Final = 16
"""The bitmap of an empty index has two to the power of this many bits."""


class Index:
    """An immutable set of numbers. It may answer yes for what the list has no more, and never no for what it has."""

    __slots__ = ("_bitmap", "_shift", "keys", "octets")

    def __init__(self, keys: memoryview, bitmap: memoryview, octets: object = None) -> None:
        """`keys`: ascending, native 64-bit numbers. `bitmap`: a power of two of octets. `octets` keeps what both are views of."""
        self.keys = keys
        self._bitmap = bitmap
        self._shift = 64 - (len(bitmap) * 8).bit_length() + 1
        self.octets = octets

    @classmethod
    def of(cls, prefixes: Iterable[bytes]) -> Index:
        """Build it of pieces of joined big-endian prefixes in ascending order, as the list gives them.

        Raises:
            ValueError: they do not ascend.

        """
        keys = array("Q")
        for piece in prefixes:
            part = array("Q", piece)
            if sys.byteorder == "little":
                part.byteswap()
            if (keys and part and keys[-1] > part[0]) or not ascends(memoryview(part)):
                raise ValueError("the keys do not ascend")
            keys.extend(part)
        return cls(memoryview(keys), memoryview(_bitmap(keys)))

    def __contains__(self, number: int) -> bool:
        place = number >> self._shift
        if not self._bitmap[place >> 3] >> (place & 7) & 1:
            return False
        keys = self.keys
        found = bisect_left(keys, number)
        return found < len(keys) and keys[found] == number

    def among(self, prefixes: bytes) -> list[int]:
        """The places of those that it has, of many joined big-endian prefixes."""
        return met(prefixes, self.keys, self._bitmap)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def bitmap(self) -> memoryview:
        """The bitmap, for a snapshot."""
        return self._bitmap


_NUMBER: Final = struct.Struct(">Q")


def number(key: bytes) -> int:
    """What stands in the index for a key."""
    found: int = _NUMBER.unpack_from(key)[0]
    return found


def _bitmap(keys: array[int]) -> bytearray:
    bits = max(SMALLEST_BITMAP, (len(keys) * BITS_PER_KEY - 1).bit_length() if keys else 0)
    return bitmap(memoryview(keys), bits)
