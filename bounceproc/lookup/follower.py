"""What is known of the list in this process, kept fresh by its feed, and how long ago the list last answered."""

from __future__ import annotations

import logging
import struct
import threading
import time
from typing import TYPE_CHECKING, Final

from bounceproc.errors import BounceprocError
from bounceproc.lookup import snapshot
from bounceproc.lookup.index import PREFIX, Index, number
from bounceproc.lookup.snapshot import Snapshot
from bounceproc.ports import BEGINNING

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
        self.place = BEGINNING
        """In the feed, up to which everything is known."""
        self.answered_at = float("-inf")
        """When the list last answered (monotonic)."""
        self.rebuilds = 0
        self._changing = threading.Lock()
        self._stop = threading.Event()
        self._bell = threading.Event()
        self._thread: threading.Thread | None = None
        self._listener: threading.Thread | None = None
        self._rebuilding: threading.Thread | None = None

    # ---- asked -------------------------------------------------------------------------------------------------------

    def may_hold(self, *keys: bytes) -> bool:
        """Whether the list may have entries with one of these keys: a no is final."""
        # The delta first: `_swap` puts the new index in place before the new delta, and this thread may be in between.
        delta = self._delta
        index = self._index
        for key in keys:
            value = number(key)
            if value in delta or value in index:
                return True
        return False

    def among(self, keys: Sequence[bytes]) -> set[int]:
        """The places of those keys that the list may have entries with: `may_hold` for many at once."""
        prefixes = b"".join([key[:PREFIX] for key in keys])
        delta = self._delta  # first, as above
        changed = struct.unpack(f">{len(keys)}Q", prefixes) if delta else ()
        return {place for place, value in enumerate(changed) if value in delta}.union(self._index.among(prefixes))

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
        before = self.place
        found = self._reader.standing(keys)
        answers = {key: found.get(key, ()) for key in keys}
        hits = self._hits
        if len(hits) + len(answers) > HITS:
            hits = self._hits = {}
        hits.update(answers)
        if before != self.place:  # what came meanwhile may be about one of them
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
        if known is None or self._reader.touched(known.place) is None:
            known = self._made()
        self._take(known)
        self._catch_up()

    def start(self) -> None:
        """Follow the feed in a thread, until `stop`: looking each time that the database tells of a change, and in between."""
        self._listener = threading.Thread(
            target=self._reader.listen, args=(self._bell.set, self._stop), name="bell", daemon=True
        )
        self._listener.start()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the threads."""
        self._stop.set()
        self._bell.set()
        for thread in (self._thread, self._listener):
            if thread is not None:
                thread.join(5)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._bell.wait(self._poll)
            self._bell.clear()
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
            touched = self._reader.touched(self.place)
            if touched is None:
                self._start_again()
                continue
            place, keys = touched
            if not keys:
                self.answered_at = asked_at
                return
            with self._changing:
                self._delta.update(map(number, keys))
            # The place first: `fetch` looks at it behind its question, and forgets what may be older than these changes.
            self.place = place
            for key in keys:
                self._hits.pop(key, None)

    def _start_again(self) -> None:
        """The database is not the one that was followed: until all of it is read, nothing that is known can be trusted."""
        log.error(
            "the feed is not the one that was read up to version %s: the database was put back from a backup, or is "
            "another; reading the whole list, with on_error answering until then",
            self.place.version,
        )
        self.answered_at = float("-inf")
        self._take(self._made())

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
        made = self._read()
        if self._path is None or not self._leads:
            return made
        try:
            snapshot.write(self._path, made, self._pepper)
        except OSError as error:
            log.warning("the snapshot %s cannot be written: %s", self._path, error.strerror)
            return made
        del made  # before the file is mapped: not three indexes at once
        return self._mapped() or self._read()

    def _read(self) -> Snapshot:
        place = self._reader.place()
        return Snapshot(Index.of(self._reader.prefixes()), place)

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
        spared = self._decisions()
        with self._changing:
            self._spared = spared
            self._index, self._delta, self._hits, self.place = known.index, set(), {}, known.place

    def _decisions(self) -> frozenset[int]:
        """Those that are older than an index whose version is known by now; the newer ones come with the feed."""
        return frozenset(map(number, self._reader.kept()))

    def _swap(self, known: Snapshot) -> None:
        """Take a new index; what changed behind its version is read from the feed into the new delta first."""
        delta: set[int] = set()
        place = known.place
        self._spared |= self._decisions()
        with self._changing:  # else the thread of the feed could add to the old delta what the new one has not
            while True:
                touched = self._reader.touched(place)
                if touched is None:  # of another database: the old index stays until the thread of the feed finds out
                    return
                place, keys = touched
                if not keys:
                    break
                delta.update(map(number, keys))
            # The index first: a question in between finds a key twice, never not at all.
            self._index = known.index
            self._delta = delta
