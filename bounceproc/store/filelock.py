"""The lease of a folder where the database is a file: a lock that the system frees when its process ends, whatever ends that."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING

from bounceproc.errors import AccessError, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def file_lease(database: Path, source: str, folder: str) -> Iterator[None]:
    """Hold a folder of a source for as long as the block lasts.

    Raises:
        TemporaryError: another process holds it.
        AccessError: the lock file cannot be made.

    """
    path = database.with_name(f"{database.name}-{lock_name(source, folder).hex()}.lock")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        advice = "Check owner and mode of its folder."
        raise AccessError(f"the lock file {path} cannot be opened: {error.strerror}", advice) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise held(source, folder) from error
        yield
    finally:
        # The file stays: whoever removes it takes the lock away from the next one who waits for it.
        os.close(handle)


def lock_name(source: str, folder: str) -> bytes:
    """What the lock of a folder is called, in 8 octets."""
    return blake2b(f"{source}\0{folder}".encode(errors="replace"), digest_size=8).digest()


def held(source: str, folder: str) -> TemporaryError:
    """The error for a folder that somebody else reads."""
    return TemporaryError(
        f"another process is reading {folder} of mailbox {source}", "Let it end; it reads what this one would have."
    )
