"""One poller a folder: two that move the same messages leave them twice. A lease ends with its holder, whatever ends that."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from bounceproc.store.filelock import file_lease, held, lock_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    if database.path is not None:
        with file_lease(database.path, source, folder):
            yield lambda: None  # a file lock lasts as long as its process
    else:
        number = int.from_bytes(lock_name(source, folder), "big", signed=True)
        with _advisory_lock(database, number, source, folder, wait) as still_held:
            yield still_held


@contextmanager
def _advisory_lock(
    database: Database, number: int, source: str, folder: str, wait: float
) -> Iterator[Callable[[], None]]:
    """A lock of the session: PostgreSQL frees it when the connection ends."""
    deadline = time.monotonic() + wait
    with database.holding() as connection:
        while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(number))):
            if time.monotonic() >= deadline:
                raise held(source, folder)
            time.sleep(PAUSE)

        def still_held() -> None:
            connection.scalar(sa.select(1))  # the lock is the session's: it lives as long

        try:
            yield still_held
        finally:
            if not connection.invalidated:  # a session that ended took its locks along
                connection.scalar(sa.select(sa.func.pg_advisory_unlock(number)))
