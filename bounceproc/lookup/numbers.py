"""What is done with millions of numbers at once: by numpy where it is installed, else one after another, with the same outcome."""

from __future__ import annotations

import os
import struct
from bisect import bisect_left
from itertools import islice
from operator import le
from typing import Any, Final

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # nothing here needs its threads, and workers are forked
np: Any
try:
    import numpy as np
except ModuleNotFoundError:
    np = None

_AT_ONCE: Final = 1 << 18
"""Numbers that are worked on together: what numpy needs beside them stays at a few megabytes."""


def ascends(numbers: memoryview) -> bool:
    """Whether no number is smaller than the one before it."""
    if np is None:
        return all(map(le, numbers, islice(numbers, 1, None)))
    found = np.frombuffer(numbers, np.uint64)
    return bool((found[1:] >= found[:-1]).all())


def bitmap(numbers: memoryview, bits: int) -> bytearray:
    """A bitmap of two to the power of `bits`, with the bit set that the highest bits of each number name. The numbers ascend."""
    made = bytearray(1 << bits - 3)
    shift = 64 - bits
    if np is None:
        for place in (number >> shift for number in numbers):
            made[place >> 3] |= 1 << (place & 7)
        return made
    octets = np.frombuffer(made, np.uint8)
    for start in range(0, len(numbers), _AT_ONCE):
        places = np.frombuffer(numbers[start : start + _AT_ONCE], np.uint64) >> np.uint64(shift)
        set_bits = np.left_shift(np.uint8(1), (places & np.uint64(7)).astype(np.uint8))
        which = (places >> np.uint64(3)).astype(np.intp)
        begins = np.flatnonzero(np.diff(which, prepend=-1))  # of those that share an octet
        octets[which[begins]] |= np.bitwise_or.reduceat(set_bits, begins)
    return made


def met(prefixes: bytes, numbers: memoryview, bits: memoryview) -> list[int]:
    """The places of those big-endian numbers that are among `numbers`, which have this bitmap."""
    shift = 64 - (len(bits) * 8).bit_length() + 1
    if np is None:
        asked = enumerate(struct.unpack(f">{len(prefixes) // 8}Q", prefixes))
        seen = ((at, number) for at, number in asked if bits[number >> shift + 3] >> (number >> shift & 7) & 1)
        return [at for at, number in seen if is_among(number, numbers)]
    found = np.frombuffer(prefixes, ">u8").astype(np.uint64)
    places = found >> np.uint64(shift)
    octets = np.frombuffer(bits, np.uint8)[(places >> np.uint64(3)).astype(np.intp)]
    doubtful = np.flatnonzero(octets >> (places & np.uint64(7)).astype(np.uint8) & np.uint8(1))
    wanted, known = found[doubtful], np.frombuffer(numbers, np.uint64)
    at = np.searchsorted(known, wanted)
    held = at < len(known)
    held[held] = known[at[held]] == wanted[held]
    places_held: list[int] = doubtful[held].tolist()
    return places_held


def is_among(number: int, numbers: memoryview) -> bool:
    """Whether it is among numbers that ascend."""
    at = bisect_left(numbers, number)
    return at < len(numbers) and numbers[at] == number
