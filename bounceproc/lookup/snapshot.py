"""An index as a file: mapped into memory by every process that answers from it, and ready at the next start."""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import secrets
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bounceproc.lookup.index import Index
from bounceproc.ports import Place

if TYPE_CHECKING:
    from pathlib import Path

MAGIC: Final = b"bounceproc-idx2\0"
"""The kind of file, and the version of its shape."""
_HEADER: Final = struct.Struct("<16s8s8sQ16sQQ16s40x")
"""Magic, pepper id, byte order, version and mark of the feed, keys, octets of the bitmap, BLAKE2b-128 of the rest with the fields before."""
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An index, and the place in the feed that it is complete up to. The mark of it tells the database it was made from."""

    index: Index
    place: Place


def write(path: Path, snapshot: Snapshot, pepper: str) -> None:
    """Write it beside its place, and put it there in one step: whoever has the old one mapped keeps it.

    Raises:
        OSError: it cannot be written.

    """
    keys, bitmap = snapshot.index.keys.cast("B"), snapshot.index.bitmap
    fields = (MAGIC, pepper.encode(), sys.byteorder.encode(), *snapshot.place, len(snapshot.index), len(bitmap))
    digest = _digest(fields, keys, bitmap)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_HEADER.pack(*fields, digest))
            file.write(keys)
            file.write(bitmap)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def read(path: Path, pepper: str) -> Snapshot | None:
    """Map a snapshot; None where there is none, or it is damaged, of another shape or of another pepper."""
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # an empty file cannot be mapped
        return None
    view = memoryview(mapped)
    if len(view) < _HEADER.size:
        return None
    *fields, digest = _HEADER.unpack_from(view)
    magic, whose, order, version, mark, count, bits = fields
    wanted = (MAGIC, pepper.encode().ljust(8, b"\0"), sys.byteorder.encode().ljust(8, b"\0"))
    if (magic, whose, order) != wanted or len(view) != _HEADER.size + count * 8 + bits or bits & (bits - 1) or not bits:
        return None
    keys = view[_HEADER.size : _HEADER.size + count * 8]
    bitmap = view[_HEADER.size + count * 8 :]
    if digest != _digest((magic, pepper.encode(), sys.byteorder.encode(), version, mark, count, bits), keys, bitmap):
        return None
    return Snapshot(Index(keys.cast("Q"), bitmap, mapped), Place(version, mark))


def _digest(fields: tuple[object, ...], keys: memoryview, bitmap: memoryview) -> bytes:
    digest = hashlib.blake2b(repr(fields).encode(), digest_size=16)
    for view in (keys, bitmap):
        for start in range(0, len(view), _PIECE):
            digest.update(view[start : start + _PIECE])
    return digest.digest()
