"""PostgreSQL tells at the commit that the feed has grown (LISTEN, NOTIFY): whoever follows it need not wait for the next look."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from bounceproc.errors import BounceprocError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from bounceproc.store.engine import Database

CHANNEL: Final = "bounceproc_feed"
"""What is notified with each change of the feed; nothing is said but that there is one."""
LOOK: Final = 0.5
"""Seconds until a listener looks whether it shall end."""
RETRY: Final = 5.0
"""Seconds until the next try to listen; the feed is polled meanwhile."""

log: Final = logging.getLogger(__name__)


def listen(database: Database, ring: Callable[[], None], stop: threading.Event) -> None:
    """Ring for each change until `stop`; at once on SQLite, which tells nobody. A lost connection is made anew."""
    while not database.is_sqlite and not stop.is_set():
        try:
            _listen(database, ring, stop)
        except (BounceprocError, sa.exc.SQLAlchemyError, OSError) as error:
            log.info("PostgreSQL does not tell of changes for the time being: %s", type(error).__name__)
            stop.wait(RETRY)


def _listen(database: Database, ring: Callable[[], None], stop: threading.Event) -> None:
    import psycopg  # noqa: PLC0415 - only where PostgreSQL is

    with database.holding() as connection:
        connection.exec_driver_sql(f"LISTEN {CHANNEL}")
        driver: Any = connection.connection.driver_connection
        ring()  # what came before
        try:
            while not stop.is_set():
                for _ in driver.notifies(timeout=LOOK, stop_after=1):
                    ring()
            connection.exec_driver_sql(f"UNLISTEN {CHANNEL}")
        except psycopg.Error as error:
            connection.invalidate()
            raise ConnectionError(str(error)) from error
