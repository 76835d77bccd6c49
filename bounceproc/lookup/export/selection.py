"""Which entries go into a list, counted as they pass: all in force, what changed, each address once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bounceproc.errors import UsageError
from bounceproc.event import iso
from bounceproc.lookup.export import once
from bounceproc.lookup.export.listed import LINE_ENDS, Listed
from bounceproc.ports import rank

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from bounceproc.lookup.export.formats import Format
    from bounceproc.ports import Change, Spared, Suppression, SuppressionReader


@dataclass(slots=True)
class Selection:
    """The entries of one export. Everything that is left out is counted."""

    reader: SuppressionReader
    format: Format
    now: datetime
    since: int | None
    version: int
    stream: str | None = None
    without_address: int = 0
    unwritable: int = 0
    domains: int = 0
    others: int = 0
    lifted: int = 0
    overruled: int = 0
    delimiter: str | None = None

    def __post_init__(self) -> None:
        if self.since is None:
            return
        if not self.format.feed and not self.format.delta:
            what = "plain addresses" if self.format.name == "txt" else f"{self.format.name!r}"
            raise UsageError(f"{what} cannot say what was added and what was lifted", "Write csv or jsonl.")
        if not 0 <= self.since <= self.version:
            raise UsageError(
                f"version {self.since} is none of this list, whose newest is {self.version}",
                "Export the whole list again.",
            )

    def rows(self) -> Iterator[Mapping[str, str | None]]:
        """The columns of each entry or, with a version, of each change behind it."""
        if self.since is None:
            yield from (listed.row() for listed in self._entries())
            return
        for change in self._changes(self.since):
            listed = self._listed(change.suppression)
            if listed is not None:
                yield {"version": str(change.version), "at": iso(change.at), "action": change.action, **listed.row()}

    def entries(self) -> Iterator[Listed]:
        """What the format can hold."""
        found = self._entries() if self.since is None else self._added(self.since)
        if self.format.each_once and self.since is None:
            found = self._each_once(found)
        for listed in found:
            if listed.is_domain and not self.format.domains:
                self.domains += 1
            elif not self.format.wants(listed):
                self.others += 1
            else:
                yield listed

    def spared(self) -> Iterator[Spared]:
        """The addresses that may be mailed although their domain is in the list; those that the format cannot hold are counted."""
        if self.since is not None or not self.format.domains:
            return
        last = b""
        for one in self.reader.spared(stream=self.stream, now=self.now, delimiter=self.delimiter):
            if self.format.spares and one.address is not None and LINE_ENDS.isdisjoint(one.address):
                yield one
            elif one.key != last:  # one address, however many decisions
                self.overruled += 1
            last = one.key

    def _entries(self) -> Iterator[Listed]:
        for entry in self.reader.suppressions(now=self.now):
            if self._counts(entry):
                listed = self._listed(entry)
                if listed is not None:
                    yield listed

    def _counts(self, entry: Suppression) -> bool:
        return self.stream is None or entry.scope in {"*", f"stream:{self.stream}"}

    def _listed(self, entry: Suppression) -> Listed | None:
        if entry.address is None:
            self.without_address += 1
            return None
        if not LINE_ENDS.isdisjoint(entry.address):
            self.unwritable += 1
            return None
        return Listed.of(entry)

    def _changes(self, since: int) -> Iterator[Change]:
        for change in self.reader.changes(since=since):
            self.version = max(self.version, change.version)
            if self._counts(change.suppression):
                yield change

    def _each_once(self, found: Iterable[Listed]) -> Iterator[Listed]:
        """The strongest entry of each address, in the order of the addresses' keys."""
        lines = ((listed.address.encode(), f"{_strength(listed)} {listed.dump()}") for listed in found)
        return (Listed.load(group[0].partition(" ")[2]) for group in once.grouped(lines))

    def _added(self, since: int) -> Iterator[Listed]:
        """What was added or changed behind a version and is still there, each address once."""

        def lines() -> Iterator[tuple[bytes, str]]:
            for change in self._changes(since):
                listed = self._listed(change.suppression)
                if listed is not None:
                    yield listed.address.encode(), f"{change.version:020} {change.action} {listed.dump()}"

        for group in once.grouped(lines()):
            last: dict[tuple[str, ...], tuple[str, Listed]] = {}
            for line in group:
                _, action, text = line.split(" ", 2)
                listed = Listed.load(text)
                last[listed.scope, listed.reason, listed.origin] = action, listed
            moment = iso(self.now) or ""
            there = [each for action, each in last.values() if action in _STANDING and (each.until or "~") > moment]
            if there:
                yield min(there, key=_strength)
            else:
                self.lifted += 1


_STANDING: Final = frozenset({"add", "change"})
"""Lines of the feed behind which an entry stands. Others take it away, or tell of decisions to go on sending."""


def _strength(listed: Listed) -> str:
    """Sorts the strongest first: by rank, and what lasts longest; text, for it stands in a file."""
    return f"{rank(listed.scope, listed.origin, listed.reason):02}{listed.until is not None:d}"
