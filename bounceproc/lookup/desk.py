"""One question, one answer: whether an address is suppressed, out of memory where that can be known there."""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from bounceproc.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Executor

    from bounceproc.address import Address
    from bounceproc.lookup.follower import Follower
    from bounceproc.ports import Keyed, Ranked, Suppression

DOMAINS: Final = 50_000
"""Domains whose keys are kept at hand."""


class StaleError(UnavailableError):
    """The list has not answered for too long: what is in memory is not to be trusted any more."""


@dataclass(frozen=True, slots=True)
class Question:
    """The keys that an answer may stand under, of which the list may have entries. None of them: surely not suppressed."""

    keys: tuple[bytes, ...]


SURELY_NOT: Final = Question(())
"""What nearly every question is."""


class Desk:
    """Answers out of the follower's memory, and asks the list about what that may hold."""

    def __init__(
        self,
        keys: Keyed,
        follower: Follower,
        *,
        delimiter: str | None = None,
        max_staleness: float = 60.0,
        executor: Executor | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`delimiter`: what an extension begins with, where user+tag@ also answers for user@."""
        self.keys = keys
        self.follower = follower
        self._delimiter = delimiter.encode() if delimiter else b""
        self._max_staleness = max_staleness
        self._executor = executor
        self._now = now
        self._domains: dict[bytes, bytes] = {}

    def of(self, address: Address) -> Question:
        """The question about an address: itself, without its extension, its domain.

        Raises:
            StaleError: no answer can be trusted.

        """
        self._trusted()
        return self._of(address.normal.encode())

    def of_many(self, names: Iterable[bytes]) -> list[Question]:
        """The questions about normal forms of addresses in UTF-8, in their order; an empty one asks nothing.

        Raises:
            StaleError: no answer can be trusted.

        """
        self._trusted()
        of = self._of
        return [of(name) if name else SURELY_NOT for name in names]

    def _of(self, name: bytes) -> Question:
        local, _, domain = name.rpartition(b"@")
        key_of, may_hold = self.keys.of_sha256, self.follower.may_hold
        doubtful = [key] if local and may_hold(key := key_of(hashlib.sha256(name).digest())) else []
        if self._delimiter and (at := local.find(self._delimiter, 1)) > 0:
            bare = local[:at] + b"@" + domain
            doubtful += [key] if may_hold(key := key_of(hashlib.sha256(bare).digest())) else []
        if may_hold(key := self._domains.get(domain) or self._domain(domain)):
            doubtful.append(key)
        return Question(tuple(doubtful)) if doubtful else SURELY_NOT

    def of_sha256(self, digest: bytes) -> Question:
        """The question about the address with this digest; its domain is not known.

        Raises:
            StaleError: no answer can be trusted.

        """
        self._trusted()
        key = self.keys.of_sha256(digest)
        return Question((key,) if self.follower.may_hold(key) else ())

    def at_hand(self, question: Question, stream: str | None) -> tuple[bool, Suppression | None]:
        """Whether the answer can be given without the list, and the answer: the strongest entry in force."""
        found: list[Ranked] = []
        for key in question.keys:
            entries = self.follower.known(key)
            if entries is None:
                return False, None
            found += entries
        return True, _strongest(found, stream, self._now()) if found else None

    async def answer(self, question: Question, stream: str | None) -> Suppression | None:
        """The strongest entry in force.

        Raises:
            BounceprocError: the list cannot be asked.

        """
        return (await self.answers([question], stream))[0]

    async def answers(self, questions: Sequence[Question], stream: str | None) -> list[Suppression | None]:
        """The answer to each question, with one question to the list for all of them."""
        known = self.follower.known
        entries = {key: known(key) for question in questions for key in question.keys}
        missing = [key for key, standing in entries.items() if standing is None]
        if missing:
            loop = asyncio.get_running_loop()
            entries |= await loop.run_in_executor(self._executor, self.follower.fetch, missing)
        now = self._now()
        return [
            _strongest((one for key in question.keys for one in entries[key] or ()), stream, now)
            if question.keys
            else None
            for question in questions
        ]

    def is_fresh(self) -> bool:
        """Whether answers can be trusted."""
        return time.monotonic() - self.follower.answered_at <= self._max_staleness

    def _trusted(self) -> None:
        if not self.is_fresh():
            raise StaleError(f"the database has not answered for {self.follower.staleness:.0f} seconds")

    def _domain(self, domain: bytes) -> bytes:
        if len(self._domains) >= DOMAINS:
            self._domains.clear()
        key = self._domains[domain] = self.keys.of_sha256(hashlib.sha256(b"@" + domain).digest())
        return key


def _strongest(found: Iterable[Ranked], stream: str | None, now: datetime) -> Suppression | None:
    scopes = None if stream is None else ("*", f"stream:{stream}")
    standing = [
        one
        for one in found
        if (one.ends is None or one.ends > now) and (scopes is None or one.suppression.scope in scopes)
    ]
    return min(standing, key=lambda one: one.rank).suppression if standing else None
