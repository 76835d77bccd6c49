"""One poller a folder: two that move the same messages leave them twice. A lease ends with its holder, whatever ends that."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from bounceproc.errors import AccessError, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bounceproc.store.engine import Database

WAIT: Final = 45.0
"""Seconds to wait for another's lease in PostgreSQL: a holder that lost its network is noticed by then. A file lock dies with
its process, so that one who holds it is at work, and nobody waits."""
PAUSE: Final = 0.5
"""Seconds between two questions."""


@contextmanager
def lease(database: Database, source: str, folder: str, *, wait: float = WAIT) -> Iterator[Callable[[], None]]:
    """Hold a folder of a source for as long as the block lasts; what it gives raises once the lease is lost.

    Raises:
        TemporaryError: somebody else holds it.
        AccessError: the lock file cannot be made.

    """
    name = blake2b(f"{source}\0{folder}".encode(errors="replace"), digest_size=8).digest()
    if database.path is not None:
        with _file_lock(database.path.with_name(f"{database.path.name}-{name.hex()}.lock"), source, folder):
            yield lambda: None  # a file lock lasts as long as its process
    else:
        number = int.from_bytes(name, "big", signed=True)
        with _advisory_lock(database, number, source, folder, wait) as still_held:
            yield still_held


@contextmanager
def _file_lock(path: Path, source: str, folder: str) -> Iterator[None]:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        advice = "Check owner and mode of its folder."
        raise AccessError(f"the lock file {path} cannot be opened: {error.strerror}", advice) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _held(source, folder) from error
        yield
    finally:
        # The file stays: whoever removes it takes the lock away from the next one who waits for it.
        os.close(handle)


@contextmanager
def _advisory_lock(
    database: Database, number: int, source: str, folder: str, wait: float
) -> Iterator[Callable[[], None]]:
    """A lock of the session: PostgreSQL frees it when the connection ends."""
    deadline = time.monotonic() + wait
    with database.holding() as connection:
        while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(number))):
            if time.monotonic() >= deadline:
                raise _held(source, folder)
            time.sleep(PAUSE)

        def still_held() -> None:
            connection.scalar(sa.select(1))  # the lock is the session's: it lives as long

        try:
            yield still_held
        finally:
            if not connection.invalidated:  # a session that ended took its locks along
                connection.scalar(sa.select(sa.func.pg_advisory_unlock(number)))


def _held(source: str, folder: str) -> TemporaryError:
    return TemporaryError(
        f"another process is reading {folder} of mailbox {source}", "Let it end; it reads what this one would have."
    )
