"""People are forgotten: their plaintext is erased wherever it stands, and the keyed suppression goes on to answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bounceproc.errors import UsageError
from bounceproc.store import feed, shredding, sweeping
from bounceproc.store.entries import Entry
from bounceproc.store.erasure import ACTION, Erasure
from bounceproc.store.mentions import FORGOTTEN, Mentions
from bounceproc.store.rows import names_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from bounceproc.address import Address
    from bounceproc.store.engine import Database
    from bounceproc.store.keys import Keys
    from bounceproc.store.rows import Privacy

MAX_ADDRESSES: Final = 1000
"""Addresses in one go: each of them is looked for in every text and copy."""


@dataclass(frozen=True, slots=True)
class Request:
    """Who is to be forgotten, and on whose word."""

    subjects: tuple[Address, ...]
    actor: str
    reason: str | None
    now: datetime
    dry_run: bool = False


class Forgetting:
    """Erases what one database knows of people."""

    def __init__(self, database: Database, keys: Keys, *, privacy: Privacy) -> None:
        self._database = database
        self._keys = keys
        self._privacy = privacy

    def forget(self, request: Request, *, on_progress: Callable[[int, int | None], None]) -> Mapping[str, int]:
        """Erase them in short transactions; gives how many rows that changed, by what they are. Twice changes nothing.

        A run that was broken off is made good by the next one.

        Raises:
            UsageError: one of them is a whole domain, or there are too many.
            TemporaryError: the rows are erased, and others read the SQLite file so busily that traces are left in it.

        """
        _check(request.subjects)
        keys = sorted({self._keys.of(subject) for subject in request.subjects})
        mentions = Mentions(request.subjects)
        erasure = Erasure(keys, names_in(*request.subjects), mentions, request.now)
        sweeps = tuple(erasure.sweeps())
        total = sum(sweeping.count(self._database, sweep) for sweep in sweeps)
        counts: Counter[str] = Counter()
        is_told, done = request.dry_run, 0
        for sweep in sweeps:
            for size, found in sweeping.find(self._database, sweep):
                if found and not is_told:
                    self._tell(request, keys, mentions)
                    is_told = True
                if found:
                    counts[sweep.name] += (
                        len(found) if request.dry_run else sweeping.apply(self._database, sweep, found)
                    )
                done += size
                on_progress(done, total)
        if not request.dry_run:
            shredding.finish(self._database)
        return counts

    def _tell(self, request: Request, keys: Sequence[bytes], mentions: Mentions) -> None:
        """A line in the feed for each of them; and the file has traces of them from now on, until it is written anew."""
        reason = self._privacy.words(request.reason)
        note = (mentions.taken_out(reason) or FORGOTTEN) if reason else None
        pairs = [(None, _bare(key, request.now)) for key in keys]
        with self._database.writing() as connection:
            feed.append(connection, pairs, actor=request.actor, at=request.now, note=note, action=ACTION)
            shredding.announce(connection)


def _check(subjects: Sequence[Address]) -> None:
    for subject in subjects:
        if subject.is_domain:
            raise UsageError(
                f"{subject} is a whole domain and no person", "Name the addresses that are to be forgotten."
            )
    if len(subjects) > MAX_ADDRESSES:
        raise UsageError(f"these are {len(subjects)} addresses", f"Name at most {MAX_ADDRESSES} at a time.")


def _bare(key: bytes, now: datetime) -> Entry:
    """What the line of the feed is about: a key, and nothing else."""
    return Entry(
        key=key, address=None, is_domain=False, scope="*", reason="manual", origin="manual", since=now, until=None
    )
