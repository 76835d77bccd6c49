"""One question, one answer: whether an address is suppressed, out of memory where that can be known there."""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from bounceproc.errors import UnavailableError
from bounceproc.policy.history import Kept
from bounceproc.ports import Ranked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Executor

    from bounceproc.address import Address
    from bounceproc.lookup.bulk.normal import Forms
    from bounceproc.lookup.follower import Follower
    from bounceproc.ports import Keyed, Said, Suppression

DOMAINS: Final = 50_000
"""Domains whose keys are kept at hand."""
CONFIRMED_WITHIN: Final = 2.0
"""Seconds that the list has to confirm one hit. Postfix holds a sender up for as long as we do, and a sender gives up on it."""


class StaleError(UnavailableError):
    """The list has not answered for too long: what is in memory is not to be trusted any more."""


@dataclass(frozen=True, slots=True)
class Question:
    """The keys that an answer may stand under, of which the list may have entries. None of them: surely not suppressed."""

    keys: tuple[bytes, ...]
    """The closest first."""


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
        confirmed_within: float = CONFIRMED_WITHIN,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`delimiter`: what an extension begins with, where user+tag@ also answers for user@."""
        self.keys = keys
        self.follower = follower
        self._delimiter = delimiter.encode() if delimiter else b""
        self._max_staleness = max_staleness
        self._executor = executor
        self._confirmed_within = confirmed_within
        self._now = now
        self._domains: dict[bytes, bytes] = {}

    def of(self, address: Address) -> Question:
        """The question about an address or a whole domain.

        Raises:
            StaleError: no answer can be trusted.

        """
        return self.of_name(address.normal.encode())

    def of_name(self, name: bytes) -> Question:
        """The question about the address with this normal form in UTF-8: itself, without its extension, its domain.

        Raises:
            StaleError: no answer can be trusted.

        """
        self._trusted()
        return self._of(name)

    def of_many(self, forms: Forms) -> dict[int, Question]:
        """The questions about many normal forms that the list may have entries of, by their places; surely not about the others.

        Raises:
            StaleError: no answer can be trusted.

        """
        self._trusted()
        names, of = forms.names, self._of
        places = self._doubtful(forms)
        return {place: of(names[place]) for place in sorted(places) if names[place]}

    def _doubtful(self, forms: Forms) -> set[int]:
        """Where `_of` would find something: each way of it for all names at once."""
        names, among = forms.names, self.follower.among
        places = among(self.keys.of_names(names))
        if self._delimiter:
            extended = [place for place, name in enumerate(names) if self._delimiter in name]
            bare = {place: found for place in extended if (found := self._bare(names[place]))}
            whose = list(bare)
            places.update(whose[at] for at in among(self.keys.of_names(bare.values())))
        domains = forms.domains()
        ours = list(set(domains))
        known = self._domains
        held = {ours[at] for at in among([known.get(domain) or self._domain(domain) for domain in ours])}
        if held:
            places.update(place for place, domain in enumerate(domains) if domain in held)
        return places

    def _of(self, name: bytes) -> Question:
        local, _, domain = name.rpartition(b"@")
        key_of, follower = self.keys.of_sha256, self.follower
        keys = [key_of(hashlib.sha256(name).digest())] if local else []
        if self._delimiter and (bare := self._bare(name)):
            keys.append(key_of(hashlib.sha256(bare).digest()))
        keys.append(self._domains.get(domain) or self._domain(domain))
        if not follower.may_hold(*keys):
            return SURELY_NOT
        # A person may have decided about one of the others.
        return Question(tuple(key for key in keys if follower.may_hold(key) or follower.may_spare(key)))

    def _bare(self, name: bytes) -> bytes:
        """The name without its extension; empty where it has none, and where it is quoted."""
        if (at := name.find(self._delimiter, 1)) < 0 or name[:1] == b'"':
            return b""
        end = name.rindex(b"@")
        return name[:at] + name[end:] if at < end else b""

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
        found: list[tuple[Said, ...]] = []
        for key in question.keys:
            said = self.follower.known(key)
            if said is None:
                return False, None
            found.append(said)
        return True, _strongest(found, stream, self._now())

    async def answer(self, question: Question, stream: str | None) -> Suppression | None:
        """The strongest entry in force.

        Raises:
            BounceprocError: the list cannot be asked, or does not say anything in time.

        """
        try:
            async with asyncio.timeout(self._confirmed_within):
                return (await self.answers([question], stream))[0]
        except TimeoutError:
            raise UnavailableError(f"the database said nothing for {self._confirmed_within:g} seconds") from None

    async def answers(self, questions: Sequence[Question], stream: str | None) -> list[Suppression | None]:
        """The answer to each question, with one question to the list for all of them."""
        known = self.follower.known
        said = {key: known(key) for question in questions for key in question.keys}
        missing = [key for key, found in said.items() if found is None]
        if missing:
            loop = asyncio.get_running_loop()
            said |= await loop.run_in_executor(self._executor, self.follower.fetch, missing)
        now = self._now()
        return [_strongest((said[key] or () for key in question.keys), stream, now) for question in questions]

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


def _strongest(found: Iterable[Sequence[Said]], stream: str | None, now: datetime) -> Suppression | None:
    """The strongest entry in force of what was said about each key, the closest first.

    What a person decided about something closer beats what is automatic about something wider.
    """
    standing: list[Ranked] = []
    keeps: list[Kept] = []
    for said in found:
        standing += [
            one for one in said if isinstance(one, Ranked) and one.holds(stream, now) and not _beaten(one, keeps)
        ]
        keeps += [one for one in said if isinstance(one, Kept) and one.holds(now)]
    return min(standing, key=lambda one: one.rank).suppression if standing else None


def _beaten(one: Ranked, keeps: Iterable[Kept]) -> bool:
    entry = one.suppression
    return any(keep.beats(entry.scope, entry.reason, entry.origin) for keep in keeps)
