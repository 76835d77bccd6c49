"""What another policy, or another reading of the same events, would make of a history: who would enter the list, who would leave it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bounceproc.policy.decide import decide

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from bounceproc.policy.history import History
    from bounceproc.policy.settings import Policy
    from bounceproc.policy.verdict import Decision


class Move(StrEnum):
    """What would happen to an entry."""

    ENTER = "enter"
    LEAVE = "leave"
    CHANGE = "change"  # it would end at another time


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """An entry that policy made and that is in force."""

    scope: str
    reason: str
    until: datetime | None
    event: bytes | None
    """The id of the event that decided."""
    why: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One entry that would not stay as it is."""

    move: Move
    scope: str
    reason: str
    category: str | None
    until: datetime | None
    """When the entry would end; of one that would leave, when it would have ended."""
    why: str
    """What was counted, or, of one that would leave, what had been counted."""


def differences(
    history: History, standing: Iterable[PolicyEntry], policy: Policy, now: datetime
) -> Iterator[Difference]:
    """What this policy would change for one address or domain, at `now`."""
    entries = {(entry.scope, entry.reason): entry for entry in standing}
    wanted = {(one.scope, one.reason): one for one in decide(history, policy, now).decisions}
    for name in sorted(wanted.keys() | entries.keys()):
        entry, decision = entries.get(name), wanted.get(name)
        if entry is None and decision is not None:
            yield _moved(Move.ENTER, decision)
        elif decision is None and entry is not None and is_known(history, entry):
            yield Difference(Move.LEAVE, *name, None, entry.until, entry.why or "")
        elif entry and decision and decision.until != entry.until and is_known(history, entry):
            yield _moved(Move.CHANGE, decision)


def is_known(history: History, entry: PolicyEntry) -> bool:
    """Whether what an entry was decided by is still there to judge it by.

    Evidence is capped and purged: what is missing lifts nothing.
    """
    return any(piece.id == entry.event for piece in history.evidence)


def _moved(move: Move, decision: Decision) -> Difference:
    return Difference(move, decision.scope, decision.reason, decision.category, decision.until, decision.why)
