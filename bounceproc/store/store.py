"""One database, opened: its ledger and its list."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from bounceproc.store.auditing import Audit
from bounceproc.store.due import Due
from bounceproc.store.engine import Database
from bounceproc.store.forgetting import Forgetting
from bounceproc.store.incidents import Incidents
from bounceproc.store.keeping import Keeping
from bounceproc.store.keys import Keys, open_keys
from bounceproc.store.lease import WAIT, lease
from bounceproc.store.ledger import Ledger
from bounceproc.store.lookups import Lookups
from bounceproc.store.observing import Observing
from bounceproc.store.purging import Purging
from bounceproc.store.replays import Replays
from bounceproc.store.reviews import Reviews
from bounceproc.store.rows import Privacy
from bounceproc.store.schema import ensure
from bounceproc.store.sent import SentMails
from bounceproc.store.suppressions import Suppressions

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bounceproc.policy.incident import IncidentPolicy


def utc_now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


class Store:
    """What an open database offers: `ledger` to the flow, the rest to whoever asks or decides."""

    def __init__(
        self,
        database: Database,
        keys: Keys,
        privacy: Privacy,
        now: Callable[[], datetime],
        surges: IncidentPolicy | None = None,
    ) -> None:
        self._database = database
        self.keys = keys
        database.seal_with(keys.audit)
        self.audit = Audit(database, keys)
        self.ledger = Ledger(database, keys, privacy=privacy, now=now, surges=surges)
        self.suppressions = Suppressions(database, keys, privacy=privacy)
        self.due = Due(database, now=now)
        self.observing = Observing(database)
        self.reviews = Reviews(database, keys, privacy=privacy)
        self.keeping = Keeping(database, keys, privacy=privacy)
        self.incidents = Incidents(database, privacy)
        self.replays = Replays(database, keys, privacy)
        self.lookups = Lookups(database)
        self.sent = SentMails(database, keys, privacy=privacy)
        self.purging = Purging(database)
        self.forgetting = Forgetting(database, keys, privacy=privacy)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        pepper_file: Path,
        hash_only: bool = False,
        keep_raw: bool = True,
        now: Callable[[], datetime] = utc_now,
        surges: IncidentPolicy | None = None,
    ) -> Store:
        """Open a database. A missing or empty SQLite file is made, and its pepper with it. `surges` has incidents looked for.

        Raises:
            SchemaError: the database is older or newer than this program.
            ConfigError: it is no database of ours, or the pepper is missing or another database's.
            UnavailableError, TemporaryError, AccessError: see `Database`.

        """
        database = Database(url)
        try:
            ensure(database)
            return cls(database, open_keys(database, pepper_file), Privacy(hash_only, keep_raw), now, surges)
        except BaseException:
            database.close()
            raise

    def counters(self) -> dict[str, dict[str, int]]:
        """What was done since the beginning, by source and name: for metrics."""
        return self.ledger.counters()

    def lease(self, source: str, folder: str, *, wait: float = WAIT) -> AbstractContextManager[Callable[[], None]]:
        """Hold a folder of a source for as long as the block lasts; what it gives raises once the lease is lost.

        Raises:
            TemporaryError: another process holds it.

        """
        return lease(self._database, source, folder, wait=wait)

    def close(self) -> None:
        """End all connections. The store cannot be used after that."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
