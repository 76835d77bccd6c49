"""One entry of the list: as a row, and as the value that the world sees."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bounceproc.event import exact
from bounceproc.ports import Suppression, rank

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy as sa

    from bounceproc.policy.verdict import Decision

AUTOMATIC: Final = "policy"
"""The origin of the entries that policy makes, changes and lifts, and the actor that the feed names for it."""

Change = tuple["Entry | None", "Entry | None"]
"""Before and after: one of them is None for an addition or a removal."""


class Entry(NamedTuple):
    """A row of `suppression`; names and meanings are those of its columns."""

    key: bytes
    address: str | None
    is_domain: bool
    scope: str
    reason: str
    origin: str
    since: datetime
    until: datetime | None
    category: str | None = None
    class_: str | None = None
    event: bytes | None = None
    note: str | None = None
    why: str | None = None
    second_look: bool = False

    @property
    def is_lasting(self) -> bool:
        """Whether no mere passing of time ends it."""
        return self.until is None or self.second_look

    @classmethod
    def of(cls, row: sa.RowMapping | Mapping[str, Any]) -> Entry:
        """Read a row."""
        return cls(class_=row["class"], **{name: row[name] for name in _PLAIN})

    @classmethod
    def decided(cls, decision: Decision, *, key: bytes, address: str | None, is_domain: bool) -> Entry:
        """What policy decided."""
        # In the order of the fields: given by name, they take twice as long.
        return cls(
            key,
            address,
            is_domain,
            decision.scope,
            decision.reason,
            AUTOMATIC,
            decision.since,
            decision.until,
            str(decision.category) if decision.category else None,
            decision.class_,
            decision.event,
            None,
            decision.why,
            decision.second_look,
        )

    def extended(self, other: Entry) -> Entry:
        """The same entry, made to reach as far as the other one; itself when it does already. It never becomes shorter.

        An entry that had ended before the other one began begins anew.
        """
        if not self.is_lasting and self.until is not None and other.since > self.until:
            return other._replace(address=self.address)
        if other.reach == self.reach and other.since > self.since:
            return self  # evidence from its beginning was capped or purged
        further = self if other.reach < self.reach else other
        made = further._replace(address=self.address, since=min(self.since, other.since))
        return self if made == self else made

    @property
    def reach(self) -> tuple[int, float]:
        """Sorts by how long it lasts; a second look lasts until somebody finds that it need not."""
        if self.until is None:
            return (2, 0.0)
        return (1, 0.0) if self.second_look else (0, self.until.timestamp())

    def row(self) -> dict[str, Any]:
        """The columns of `suppression`."""
        return {"class": self.class_, **{name: getattr(self, name) for name in _PLAIN}}

    def told(self) -> dict[str, str | None]:
        """What the feed keeps of it as JSON, beside the columns that name it; no address."""
        return {
            "since": exact(self.since),
            "until": exact(self.until) if self.until else None,
            "category": self.category,
            "class": self.class_,
            "event": self.event.hex() if self.event else None,
            "note": self.note,
            "why": self.why,
            **({"second_look": "true"} if self.second_look else {}),
        }

    def as_told(self, told: Mapping[str, str | None]) -> Entry:
        """The same place of the list, with what the feed kept of an earlier time."""
        since, until, event = told["since"], told["until"], told["event"]
        assert since is not None, "an entry has a beginning"
        return self._replace(
            since=datetime.fromisoformat(since),
            until=datetime.fromisoformat(until) if until else None,
            category=told["category"],
            class_=told["class"],
            event=bytes.fromhex(event) if event else None,
            note=told["note"],
            why=told["why"],
        )

    def public(self) -> Suppression:
        """What the world sees."""
        return Suppression(
            address=self.address,
            key=self.key,
            scope=self.scope,
            reason=self.reason,
            origin=self.origin,
            since=self.since,
            until=self.until,
            category=self.category,
            class_=self.class_,
            ref=self.event.hex() if self.event else None,
            note=self.note or self.why,
            second_look=self.second_look,
        )

    @property
    def identity(self) -> tuple[bytes, str, str, str]:
        """What no two entries share."""
        return (self.key, self.scope, self.reason, self.origin)


_PLAIN: Final = tuple(name for name in Entry._fields if name != "class_")


def strength(entry: Entry) -> tuple[int, bool, float, bool, float]:
    """Sorts the strongest first: by rank, by how long it lasts, the address before its domain, and by age."""
    return (
        rank(entry.scope, entry.origin, entry.reason),
        not entry.is_lasting,
        -entry.until.timestamp() if entry.until and not entry.second_look else 0.0,
        entry.is_domain,
        entry.since.timestamp(),
    )
