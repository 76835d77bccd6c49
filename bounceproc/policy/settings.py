"""The numbers: how much evidence of what kind suppresses, where, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from bounceproc.event import Trust
from bounceproc.policy.incident import IncidentPolicy

EVERYWHERE: Final = "*"
"""The scope of all mail."""
STREAM: Final = "stream"
"""A threshold's scope that follows the event's stream."""
SECOND_SOURCE: Final = 2
"""Evidence that only counts (trust below what acts) needs this many messages, on as many days of receipt, unless configured otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """When evidence of one kind is enough."""

    messages: int = 1
    """Different original messages."""
    days: int = 1
    """Different days (UTC)."""
    span: timedelta = timedelta(0)
    """From the first to the last of them, at least."""
    within: timedelta | None = None
    """How far a window looks back from an event; None: for ever."""
    expires: timedelta | None = None
    """How long the suppression lasts; None: until somebody lifts it."""
    addresses: int = 1
    """Different addresses: for whole domains."""
    scope: str = EVERYWHERE
    """`*`: all mail; `stream`: the stream that the event belongs to, where that is known."""
    second_look: timedelta | None = None
    """How long the first message only suppresses for the time being: see `decide`. None: it condemns at once."""
    suppress: bool = True
    """False: recorded, and never enough."""


def _days(days: int) -> timedelta:
    return timedelta(days=days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All thresholds. The defaults are those of the documentation's table."""

    enforce: bool = True
    """False only observes: verdicts are made and not applied."""
    complaint: Threshold = Threshold()
    unsubscribe: Threshold = Threshold(scope=STREAM)
    hard: Threshold = Threshold()
    hard_rows: dict[str, Threshold] = field(default_factory=dict)
    """By category of hard bounce: in place of `hard`, for categories that are judged by themselves."""
    soft: dict[str, Threshold] = field(
        default_factory=lambda: {
            "inactive-mailbox": Threshold(messages=2, days=2, span=_days(1), within=_days(30)),
            "mailbox-full": Threshold(messages=4, days=4, span=_days(14), within=_days(60), expires=_days(180)),
            "recipient-refused": Threshold(messages=4, days=4, span=_days(7), within=_days(30), expires=_days(180)),
        }
    )
    """By category of soft bounce. A category that is not here never suppresses."""
    unknown_address: Threshold = Threshold(messages=3, days=3, span=_days(2), within=_days(30), expires=_days(180))
    """Bounces that no rule knows, with a status of 5.1.X (bad address)."""
    domain: Threshold = Threshold(messages=6, days=3, span=_days(7), within=_days(30), expires=_days(30), addresses=3)
    """`expired`, `network-error` and `dns-failure` of one domain: suppress the domain."""
    domain_categories: frozenset[str] = frozenset({"expired", "network-error", "dns-failure"})
    acts: frozenset[Trust] = frozenset({Trust.SIGNED, Trust.MATCHED, Trust.REPORTED})
    """Trust that acts as soon as a threshold is met."""
    counts: frozenset[Trust] = frozenset({Trust.HEURISTIC})
    """Trust that only counts: see `counted_messages`."""
    reviews: frozenset[Trust] = frozenset()
    """Trust that only puts an address before a person. Trust that is in none of the three sets changes nothing."""
    counted_messages: int = SECOND_SOURCE
    """Different messages that trust which only counts needs, whatever the threshold says."""
    counted_days: int = SECOND_SOURCE
    """Different days of receipt, likewise."""
    review_again: int = 3
    """New pieces of evidence that bring back what a person has dismissed."""
    review_keep: timedelta = timedelta(days=90)
    """How long an address waits for a person after its newest evidence."""
    incident: IncidentPolicy = field(default_factory=IncidentPolicy)
    """When a provider's sudden refusals are held back until a person has looked at them."""
