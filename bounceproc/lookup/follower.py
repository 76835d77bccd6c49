"""What is known of the list in this process, kept fresh by its feed, and how long ago the list last answered."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from bounceproc.errors import BounceprocError
from bounceproc.lookup import snapshot
from bounceproc.lookup.index import Index, number
from bounceproc.lookup.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bounceproc.ports import ListReader, Said

POLL: Final = 0.2
"""Seconds between two questions for what changed: a change is answered within a second."""
REBUILD_AT: Final = 200_000
"""Changed keys that are kept beside the index before it is made anew: a Python set of them takes some 20 MB."""
HITS: Final = 50_000
"""Keys whose entries are kept at hand."""

log: Final = logging.getLogger(__name__)


class Follower:
    """The index, what changed since it was made, and the entries that were asked for lately. Reading is safe in any thread."""

    def __init__(
        self, reader: ListReader, pepper: str, *, path: Path | None = None, leads: bool = True, poll: float = POLL
    ) -> None:
        """`path`: the snapshot's file. `leads`: whether this process makes new snapshots; the others wait for them."""
        self._reader = reader
        self._pepper = pepper
        self._path = path
        self._leads = leads
        self._poll = poll
        self._index = Index.of(())
        self._delta: set[int] = set()
        self._spared: frozenset[int] = frozenset()
        self._hits: dict[bytes, tuple[Said, ...]] = {}
        self._inode = 0
        self.version = 0
        """Of the feed, up to which everything is known."""
        self.answered_at = float("-inf")
        """When the list last answered (monotonic)."""
        self.rebuilds = 0
        self._changing = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._rebuilding: threading.Thread | None = None

    # ---- asked -------------------------------------------------------------------------------------------------------

    def may_hold(self, key: bytes) -> bool:
        """Whether the list may have entries with this key: a no is final."""
        value = number(key)
        return value in self._delta or value in self._index

    def may_spare(self, key: bytes) -> bool:
        """Whether a person may have decided to go on sending to what has this key, before the index was made; later is `may_hold`."""
        return number(key) in self._spared

    def known(self, key: bytes) -> tuple[Said, ...] | None:
        """The entries with this key, and decisions to go on sending, where they are at hand."""
        return self._hits.get(key)

    def fetch(self, keys: Sequence[bytes]) -> Mapping[bytes, tuple[Said, ...]]:
        """The entries with these keys from the list, kept for the next question. It waits for the database.

        Raises:
            BounceprocError: the list cannot be asked.

        """
        before = self.version
        found = self._reader.standing(keys)
        answers = {key: found.get(key, ()) for key in keys}
        hits = self._hits
        if len(hits) + len(answers) > HITS:
            hits = self._hits = {}
        hits.update(answers)
        if before != self.version:  # what came meanwhile may be about one of them
            for key in answers:
                hits.pop(key, None)
        return answers

    @property
    def staleness(self) -> float:
        """Seconds since the list last answered."""
        return time.monotonic() - self.answered_at

    def __len__(self) -> int:
        """Entries, some of which may be gone."""
        return len(self._index) + len(self._delta)

    # ---- kept fresh --------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Take the snapshot, or read the whole list, and whatever changed since.

        Raises:
            BounceprocError: the list cannot be asked.

        """
        known = self._mapped()
        if known is None or known.version > self._reader.version():  # a snapshot of another, later database
            known = self._made()
        self._take(known)
        self._catch_up()

    def start(self) -> None:
        """Follow the feed in a thread, until `stop`."""
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)

    def _run(self) -> None:
        while not self._stop.wait(self._poll):
            try:
                self._catch_up()
                self._renew()
            except BounceprocError as error:
                log.warning("the feed cannot be read: %s", error.what)
                self._stop.wait(self._poll * 4)
            except Exception:  # no mistake of ours may end the thread: answers would grow old in silence
                log.exception("the feed cannot be followed")
                self._stop.wait(self._poll * 4)

    def _catch_up(self) -> None:
        while True:
            asked_at = time.monotonic()
            version, keys = self._reader.touched(self.version)
            if not keys:
                self.answered_at = asked_at
                return
            with self._changing:
                self._delta.update(map(number, keys))
            # The version first: `fetch` looks at it behind its question, and forgets what may be older than these changes.
            self.version = version
            for key in keys:
                self._hits.pop(key, None)

    def _renew(self) -> None:
        """Make a new index where the delta has grown large, or take the one that the leading process made."""
        if not self._leads and self._path is not None:
            if self._inode_now() != self._inode and (known := self._mapped()) is not None:
                self._swap(known)
            return
        if len(self._delta) >= REBUILD_AT and (self._rebuilding is None or not self._rebuilding.is_alive()):
            self._rebuilding = threading.Thread(target=self._rebuild, name="index", daemon=True)
            self._rebuilding.start()

    def _rebuild(self) -> None:
        try:
            self._swap(self._made())
            self.rebuilds += 1
        except BounceprocError as error:
            log.warning("the index cannot be made anew: %s", error.what)

    def _made(self) -> Snapshot:
        """Read the whole list. What changes while it is read is read again from the feed."""
        version = self._reader.version()
        made = Snapshot(Index.of(self._reader.prefixes()), version)
        if self._path is not None and self._leads:
            try:
                snapshot.write(self._path, made, self._pepper)
            except OSError as error:
                log.warning("the snapshot %s cannot be written: %s", self._path, error.strerror)
            else:
                return self._mapped() or made
        return made

    def _mapped(self) -> Snapshot | None:
        if self._path is None:
            return None
        inode = self._inode_now()
        known = snapshot.read(self._path, self._pepper)
        self._inode = inode
        return known

    def _inode_now(self) -> int:
        try:
            return self._path.stat().st_ino if self._path is not None else 0
        except OSError:
            return 0

    def _take(self, known: Snapshot) -> None:
        self._spared = self._decisions()
        self._index, self._delta, self._hits, self.version = known.index, set(), {}, known.version

    def _decisions(self) -> frozenset[int]:
        """Those that are older than an index whose version is known by now; the newer ones come with the feed."""
        return frozenset(map(number, self._reader.kept()))

    def _swap(self, known: Snapshot) -> None:
        """Take a new index; what changed behind its version is read from the feed into the new delta first."""
        delta: set[int] = set()
        version = known.version
        self._spared |= self._decisions()
        with self._changing:  # else the thread of the feed could add to the old delta what the new one has not
            while True:
                version, keys = self._reader.touched(version)
                if not keys:
                    break
                delta.update(map(number, keys))
            # The index first: a question in between finds a key twice, never not at all.
            self._index = known.index
            self._delta = delta
