"""Which of many addresses must not be mailed: themselves, without their extension, or for their domain."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from bounceproc.lookup.bulk.held import Table
from bounceproc.lookup.bulk.normal import normal_forms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bounceproc.lookup.bulk.normal import Forms
    from bounceproc.policy.history import Kept
    from bounceproc.ports import Spared, Standing, Why

DOMAINS_REMEMBERED: Final = 100_000
"""Domains whose keyed hash is kept; a list has its rows from few domains, and one made to have many stays bounded."""


BLANK: Final = ""
"""The reason of a row that has nothing in it."""
WITHOUT_EXTENSION: Final = "without its extension"
WHOLE_DOMAIN: Final = "its whole domain"


class Found(NamedTuple):
    """Why a row is not let through."""

    reason: str
    """That of the suppression, or `invalid`; empty for a blank row."""
    category: str = ""
    scope: str = ""
    detail: str = ""


class Judge:
    """The list, loaded once and asked in bulk."""

    def __init__(
        self,
        entries: Iterable[Standing],
        *,
        spared: Iterable[Spared] = (),
        expected: int = 0,
        key_of_sha256: Callable[[bytes], bytes],
        delimiter: str | None = None,
    ) -> None:
        """`spared` is read first. `delimiter` is what an extension begins with, where user+tag@ stands for user@, too."""
        self._named = Table(expected)
        self._domains = Table()
        self._keyed = Table()
        self._key_of_sha256 = key_of_sha256
        self._delimiter = delimiter.encode() if delimiter else b""
        self._of_domains: dict[bytes, Why | None] = {}
        self._spared: set[bytes] = set()
        self._keeps: dict[bytes, list[Kept]] = {}
        self._wide: dict[bytes, list[Why]] = {}
        for one in spared:
            if one.address is None:
                self._keeps.setdefault(one.key, []).append(one.kept)
            else:
                self._spared.add(one.address.encode())
        for entry in entries:
            if entry.is_domain and self._keeps:
                self._wide.setdefault(entry.key, []).append(entry.why)
            if entry.address is None:  # forgotten, or never stored
                self._keyed.put(entry.key, entry.why)
            elif entry.address.startswith("@"):
                self._domains.put(entry.address[1:].encode(), entry.why)
            else:
                self._named.put(entry.address.encode(), entry.why)

    def __len__(self) -> int:
        """How many addresses and domains are held."""
        return len(self._named) + len(self._domains) + len(self._keyed)

    def judge(self, cells: Sequence[bytes]) -> dict[int, Found]:
        """The cells that are not to be mailed, by their places, in order. They are UTF-8."""
        if not cells:
            return {}
        forms = normal_forms(cells)
        best: dict[int, tuple[Why, str]] = {}
        for detail, found in self._found(forms):
            for place, why in found:
                is_stronger = place not in best or why.rank < best[place][0].rank
                if is_stronger and not (detail and self._is_spared(forms.names[place], detail)):
                    best[place] = why, detail
        rejected = {place: Found(why.reason, why.category, why.scope, detail) for place, (why, detail) in best.items()}
        if forms.wrong:
            rejected |= {place: Found("invalid" if why else BLANK, detail=why) for place, why in forms.wrong.items()}
        return {place: rejected[place] for place in sorted(rejected)}

    def _found(self, forms: Forms) -> Iterator[tuple[str, Iterable[tuple[int, Why]]]]:
        """Where a name is on the list, each time with what it was looked up as; the closest first."""
        names = forms.names
        yield "", self._addresses(names)
        if self._delimiter:
            bare = [self._bare(name) if self._delimiter in name else b"" for name in names]
            yield WITHOUT_EXTENSION, self._addresses(bare)
        if len(self._domains) or len(self._keyed):
            yield WHOLE_DOMAIN, self._in_domains(forms.domains())

    def _is_spared(self, name: bytes, detail: str) -> bool:
        """Whether a person decided to go on sending, whatever is automatic about something wider."""
        if name in self._spared:
            return True
        if detail != WHOLE_DOMAIN:
            return False
        if self._delimiter and self._spared and self._bare(name) in self._spared:
            return True
        # Forgotten, or never stored: the list could not tell what its domain is.
        keeps = self._keeps.get(self._key(name)) if self._keeps else None
        if not keeps:
            return False
        wide = self._wide.get(self._key(b"@" + name.rpartition(b"@")[2]), ())
        return all(any(keep.beats(why.scope, why.reason, why.origin) for keep in keeps) for why in wide)

    def _addresses(self, names: list[bytes]) -> Iterator[tuple[int, Why]]:
        yield from self._named.among(names)
        if len(self._keyed):
            for place, name in enumerate(names):
                why = self._keyed.get(self._key(name)) if name else None
                if why is not None:
                    yield place, why

    def _in_domains(self, domains: list[bytes]) -> Iterator[tuple[int, Why]]:
        """A list has many rows of each domain: each is looked up once."""
        found = {domain: why for domain in set(domains) if (why := self._of_domain(domain)) is not None}
        if found:
            yield from ((place, found[domain]) for place, domain in enumerate(domains) if domain in found)

    def _of_domain(self, domain: bytes) -> Why | None:
        if domain not in self._of_domains:
            if len(self._of_domains) >= DOMAINS_REMEMBERED:
                self._of_domains.clear()
            known = [self._domains.get(domain)]
            if len(self._keyed):
                known.append(self._keyed.get(self._key(b"@" + domain)))
            self._of_domains[domain] = min((why for why in known if why), key=lambda why: why.rank, default=None)
        return self._of_domains[domain]

    def _bare(self, name: bytes) -> bytes:
        local, _, domain = name.rpartition(b"@")
        bare, found, _ = local.partition(self._delimiter)
        return bare + b"@" + domain if bare and found and not local.startswith(b'"') else b""

    def _key(self, name: bytes) -> bytes:
        return self._key_of_sha256(hashlib.sha256(name).digest())
