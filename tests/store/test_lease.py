"""One poller a folder, on both databases; the lease ends with whoever held it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bounceproc.errors import TemporaryError, UnavailableError
from bounceproc.store.engine import Database
from bounceproc.store.lease import lease

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLDER = """
import sys
from bounceproc.store.engine import Database
from bounceproc.store.lease import lease
with lease(Database(sys.argv[1]), "returns", "INBOX"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


def test_a_folder_is_held_once_and_free_again_afterwards(database: Database, url: str) -> None:
    other = Database(url)
    with lease(database, "returns", "INBOX"):
        with pytest.raises(TemporaryError, match="INBOX of mailbox returns"), lease(other, "returns", "INBOX", wait=0):
            pass
        with lease(other, "returns", "Junk", wait=0), lease(other, "other", "INBOX", wait=0):
            pass
    with lease(other, "returns", "INBOX", wait=0):
        pass
    other.close()


def test_a_holder_that_is_killed_frees_it(database: Database, url: str) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(TemporaryError), lease(database, "returns", "INBOX", wait=0):
            pass
        holder.kill()

    with lease(database, "returns", "INBOX", wait=10):
        pass


def test_a_lease_whose_session_the_database_ended_says_so(database: Database, url: str) -> None:
    if database.is_sqlite:
        with lease(database, "returns", "INBOX") as still_held:
            still_held()
        return
    with pytest.raises(UnavailableError):
        _lose(database, url)
    with lease(database, "returns", "INBOX", wait=10) as still_held:
        still_held()


def _lose(database: Database, url: str) -> None:
    other = Database(url)
    with lease(database, "returns", "INBOX") as still_held:
        still_held()
        with other.holding() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid() "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        other.close()
        still_held()
