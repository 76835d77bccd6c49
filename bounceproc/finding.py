"""One finding of a check-up: what was looked at, how it is, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

MAX_SKEW: Final = timedelta(minutes=2)
"""Clocks that differ by more make times in the ledger wrong, and tokens end before their time."""


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"  # good to know
    WARNING = "warning"  # works now, and will not for ever
    FAILURE = "failure"  # does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `doctor`."""

    level: Level
    subject: str
    """`database`, or `mailbox NAME`."""
    check: str
    """What was looked at, in a word or two: scripts may rely on it."""
    what: str
    advice: str = ""

    def to_dict(self) -> dict[str, str]:
        """For scripts: one JSON object."""
        return {name: str(value) for name, value in asdict(self).items()}


def clock_finding(subject: str, whose: str, skew: timedelta) -> Finding:
    """Whether somebody's clock agrees with ours; `skew`: how far it is ahead."""
    seconds = round(abs(skew.total_seconds()))
    if abs(skew) <= MAX_SKEW:
        return Finding(Level.OK, subject, "clock", f"{whose} agrees with ours within {seconds} s")
    which = "ahead of" if skew > timedelta(0) else "behind"
    advice = "Let this machine take its time from NTP; where it does, tell who runs the other one."
    return Finding(Level.WARNING, subject, "clock", f"{whose} is {seconds} s {which} ours", advice)
