"""A list in memory that a server of lookups can read, and that can be made to fail."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bounceproc.address import Address
from bounceproc.errors import UnavailableError
from bounceproc.ports import BEGINNING, Place, Ranked, Suppression

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bounceproc.policy.history import Kept
    from bounceproc.ports import Said

SINCE = datetime(2026, 11, 20, tzinfo=UTC)


class FakeKeys:
    """Keys with a fixed secret."""

    id = "0123abcd"

    def of(self, address: Address) -> bytes:
        return self.of_sha256(address.sha256())

    def of_sha256(self, sha256: bytes) -> bytes:
        return hashlib.blake2b(sha256, digest_size=16, key=b"pepper").digest()

    def of_names(self, names: Iterable[bytes]) -> list[bytes]:
        return [self.of_sha256(hashlib.sha256(name).digest()) for name in names]


@dataclass
class FakeList:
    """Entries by key, and a feed."""

    entries: dict[bytes, list[Suppression]] = field(default_factory=dict)
    decided: dict[bytes, list[Kept]] = field(default_factory=dict)
    feed: list[bytes] = field(default_factory=list)
    broken: bool = False
    questions: int = 0
    keys: FakeKeys = field(default_factory=FakeKeys)

    def add(
        self,
        text: str,
        *,
        scope: str = "*",
        reason: str = "bounce",
        class_: str | None = "hard",
        until: datetime | None = None,
    ) -> None:
        address = Address.parse_domain(text) if text.startswith("@") else Address.parse(text)
        key = self.keys.of(address)
        entry = Suppression(
            address=address.normal,
            key=key,
            scope=scope,
            reason=reason,
            origin="policy",
            since=SINCE,
            until=until,
            category="bad-mailbox" if reason == "bounce" else None,
            class_=class_,
            ref="8c1f",
        )
        self.entries.setdefault(key, []).append(entry)
        self.feed.append(key)

    def remove(self, text: str) -> None:
        key = self.keys.of(Address.parse(text))
        self.entries.pop(key)
        self.feed.append(key)

    def _answer(self) -> None:
        if self.broken:
            raise UnavailableError("the database is gone")

    def prefixes(self) -> Iterator[bytes]:
        self._answer()
        yield from (key[:8] for key in sorted(self.entries))

    def keep(self, text: str, kept: Kept) -> None:
        key = self.keys.of(Address.parse(text))
        self.decided.setdefault(key, []).append(kept)
        self.feed.append(key)

    def kept(self) -> Iterator[bytes]:
        self._answer()
        yield from self.decided

    def standing(self, keys: Sequence[bytes]) -> dict[bytes, tuple[Said, ...]]:
        self._answer()
        self.questions += 1
        return {
            key: (
                *(
                    Ranked((int(entry.scope != "*"), entry.until is not None, 0.0, False, 0.0), entry, entry.until)
                    for entry in self.entries.get(key, ())
                ),
                *self.decided.get(key, ()),
            )
            for key in keys
            if key in self.entries or key in self.decided
        }

    def touched(self, since: Place) -> tuple[Place, frozenset[bytes]] | None:
        self._answer()
        if self._place(since.version) != since:
            return None
        return self._place(len(self.feed)), frozenset(self.feed[since.version :])

    def place(self) -> Place:
        self._answer()
        return self._place(len(self.feed))

    def listen(self, ring: Callable[[], None], stop: threading.Event) -> None:
        pass

    def _place(self, version: int) -> Place:
        read = self.feed[:version]
        return Place(len(read), hashlib.blake2b(read[-1], digest_size=16).digest()) if read else BEGINNING

    def page(self, after: int, limit: int, now: datetime) -> tuple[list[Suppression], int | None]:
        self._answer()
        entries = [entry for standing in self.entries.values() for entry in standing if holds(entry, now)]
        return entries[after : after + limit], None


def holds(entry: Suppression, now: datetime) -> bool:
    return entry.until is None or entry.until > now
