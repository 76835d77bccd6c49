"""When a provider's replies say more of the provider than of its mailboxes: one wording, suddenly, for very many people."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from bounceproc.event import BounceClass, EventType

if TYPE_CHECKING:
    from bounceproc.event import Event

LIVE: Final = timedelta(days=1)
"""Mail that is read later than this after its receipt is a backlog: it is neither a surge nor a baseline."""
QUIET: Final = timedelta(days=1)
"""An incident is over when its wording was no surge for so long."""
CONFIRMED: Final = timedelta(days=7)
"""For so long a wording that a person confirmed opens no other incident; by then it is part of the baseline."""
BASELINE: Final = timedelta(days=28)
"""How far a baseline reaches back."""
WORDING: Final = 400
"""Characters of a reply that its wording is taken from: what follows is mostly links and names of hosts."""

_SUBTLD: Final = frozenset({"ac", "co", "com", "edu", "go", "gov", "mil", "ne", "net", "or", "org"})
_TRIM: Final = ".,;:!?()[]{}<>\"'"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentPolicy:
    """How sudden is too sudden."""

    enabled: bool = True
    recipients: int = 100
    """Different recipients on one day (UTC, of receipt), at least."""
    days: int = 7
    """Earlier days on which this provider was heard of, at least: without them nobody knows what is usual."""
    factor: int = 5
    """How many times the worst of those days."""

    def is_far_above(self, recipients: int, usual: int) -> bool:
        """Whether so many recipients on one day are far more than on the worst of the usual ones."""
        return recipients >= self.recipients and recipients > self.factor * usual


def may_be_part(event: Event) -> bool:
    """Whether it is an event of the kind that suppresses at once by a provider's word alone."""
    return event.type is EventType.BOUNCE and event.class_ is BounceClass.HARD and event.recipient is not None


def provider(event: Event) -> str:
    """Who answered: the end of the remote host's name, or of the recipient's domain, that somebody registered."""
    host = (event.remote_mta or "").lower().strip("[]. ")
    if not host.rpartition(".")[2].isalpha():
        host = event.recipient.domain if event.recipient else ""
    labels = host.split(".")
    length = 3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SUBTLD else 2
    return ".".join(labels[-length:])[:255]


def wording(event: Event) -> str:
    """What of a reply is the same for everybody: its words, without codes, addresses, hosts, queue numbers, links and names."""
    names = {name.local.lower() for name in (event.recipient, event.final_recipient) if name is not None}
    words = [word.strip(_TRIM) for word in event.diagnostic[:WORDING].lower().split()]
    return " ".join([word for word in words if word.isalpha() and word not in names])


def fingerprint(event: Event) -> bytes:
    """Eight octets, equal for one wording of one provider with one status."""
    parts = (provider(event), str(event.status or ""), wording(event))
    return hashlib.blake2b(
        "\0".join(parts).encode(errors="replace"), digest_size=8, person=b"bounceproc-surge"
    ).digest()
