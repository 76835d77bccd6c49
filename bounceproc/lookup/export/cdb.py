"""A constant database as D. J. Bernstein's cdb describes it: two reads answer, and it is replaced by a rename.

The file is 256 pairs (place and length of a hash table), the records (lengths of key and value, key, value), and the tables.
All numbers are 32 bits, little-endian.
"""

from __future__ import annotations

import struct
from array import array
from typing import TYPE_CHECKING, BinaryIO, Final

from bounceproc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

HEADER: Final = 2048
"""Octets of the 256 pairs."""
LARGEST: Final = 2**32 - 1
"""The largest place in a file that 32 bits can name."""
BUFFER: Final = 64 * 1024
"""Octets of records that are gathered before they are written."""

_PAIR: Final = struct.Struct("<LL")


class CdbWriter:
    """Writes records as they come; eight octets of each are held in memory until `finish`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hashes = [array("I") for _ in range(256)]
        self._places = [array("I") for _ in range(256)]
        self._buffer = bytearray(HEADER)
        self._flushed = 0

    def put(self, key: bytes, value: bytes) -> None:
        """Add a record."""
        hashed = cdb_hash(key)
        self._hashes[hashed & 255].append(hashed)
        self._places[hashed & 255].append(self._flushed + len(self._buffer))
        self._buffer += _PAIR.pack(len(key), len(value)) + key + value
        if len(self._buffer) >= BUFFER:
            self._flush()

    def finish(self) -> None:
        """Write the tables, and in front of everything where they are.

        Raises:
            UsageError: there are more records than a cdb can hold.

        """
        header = bytearray()
        for hashes, places in zip(self._hashes, self._places, strict=True):
            header += _PAIR.pack(self._flushed + len(self._buffer), 2 * len(hashes))
            self._buffer += _table(hashes, places)
            self._flush()
        self._file.seek(0)
        self._file.write(header)

    def _flush(self) -> None:
        self._flushed += len(self._buffer)
        if self._flushed > LARGEST:
            raise UsageError(
                "the list is too long for a cdb, which ends at 4 GB", "Export another format, such as lmdb."
            )
        self._file.write(self._buffer)
        self._buffer.clear()


def cdb_hash(key: bytes) -> int:
    """The hash of the format: h = ((h << 5) + h) ^ octet, beginning with 5381, in 32 bits."""
    hashed = 5381
    for octet in key:
        hashed = (hashed * 33 & 0xFFFFFFFF) ^ octet
    return hashed


def _table(hashes: Iterable[int], places: array[int]) -> bytes:
    """A table of twice as many slots as records; a record is in the first free slot behind the one that its hash names."""
    slots = [b""] * (2 * len(places))
    for hashed, place in zip(hashes, places, strict=True):
        slot = (hashed >> 8) % len(slots)
        while slots[slot]:
            slot = (slot + 1) % len(slots)
        slots[slot] = _PAIR.pack(hashed, place)
    return b"".join(slot or bytes(8) for slot in slots)
