"""Whether a report answers mail of ours: a token that only we can make says so, and whom that mail went to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from bounceproc.event import Trust
from bounceproc.returned import copied, paths
from bounceproc.returnpath import HEADER, TokenError, names, read, read_header
from bounceproc.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from bounceproc.address import Address
    from bounceproc.event import Event
    from bounceproc.reports.report import Report
    from bounceproc.returnpath import Token

MOST: Final = 4
"""Recipients of the returned copy that a hash is tried on."""

_HEADER: Final = HEADER.lower().encode()
_FEEDBACK: Final = b"cfbl-feedback-id"
"""Where complaints bring a token back (RFC 9477)."""


@dataclass(frozen=True, slots=True)
class OurMail:
    """What is known of our own mail. The process beside a poller gets it through a pipe."""

    secrets: tuple[str, ...] = ()
    """Those of signed return paths; none of them can be guessed."""
    streams: Streams = field(default_factory=Streams)

    def __bool__(self) -> bool:
        """Whether there is anything to find."""
        return bool(self.secrets or self.streams)


class Identified(NamedTuple):
    """What a report says of whom, once it is known how far it is to be believed."""

    events: tuple[Event, ...]
    token: Token | None = None
    """A valid token of which nobody that the report names is the recipient; the send ledger may know him."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """Finds our tokens and streams in reports. `clock` says now, for messages whose moment of receipt nobody knows.

    Whatever else a message itself can prove (a signature of ours on the returned copy, that of a feedback loop on a complaint)
    joins in `identified`, for the events that no token made `signed`, and what it must know joins `OurMail`. What only the
    database can tell is asked later, for a whole batch at once: see `matching`.
    """

    ours: OurMail
    clock: Callable[[], datetime]

    def identified(self, report: Report, received_at: datetime | None) -> Identified:
        """The report's events with their stream, those that a valid token vouches for as `signed` and about its recipient."""
        stream, events = self.ours.streams.of(report), report.events
        if stream is not None:
            events = tuple(event._replace(stream=stream) for event in events)
        token = self._token(report, received_at or self.clock()) if self.ours.secrets else None
        if token is None:
            return Identified(events)
        address = self._recipient(token, report)
        if address is None:
            return Identified(events, token)
        return Identified(vouched(events, address, token.stream))

    def _token(self, report: Report, at: datetime) -> Token | None:
        """The first valid token, that of the envelope before those in the returned copy."""
        for path in paths(report):
            try:
                return read(path, secrets=self.ours.secrets, now=at)
            except TokenError:
                continue
        for value in (*copied(report, _HEADER), *copied(report, _FEEDBACK)):
            try:
                return read_header(value, secrets=self.ours.secrets, now=at)
            except TokenError:
                continue
        return None

    def _recipient(self, token: Token, report: Report) -> Address | None:
        """Whom a token is for. Where it has only a hash, one of the addresses that the report names must fit it."""
        if token.recipient is not None:
            return token.recipient
        for event in report.events:
            for address in (event.recipient, event.final_recipient):
                if address is not None and names(token, address, self.ours.secrets):
                    return address
        for address in report.original.recipients[:MOST] if report.original is not None else ():
            if names(token, address, self.ours.secrets):
                return address
        return None


def vouched(events: Sequence[Event], address: Address, stream: str | None) -> tuple[Event, ...]:
    """The events with what a valid token for `address` says of them.

    One token is for one recipient. Where a report names several and none of them is that one (an alias whose members
    failed in part), nobody can say that the recipient failed: these events stay what they were.
    """
    alone = len(events) == 1
    return tuple(_signed(event, address, stream) if alone or event.recipient == address else event for event in events)


def _signed(event: Event, address: Address, stream: str | None) -> Event:
    """The event about the token's recipient; the address that the report names is kept where it is another one."""
    stream = stream or event.stream
    if event.recipient == address:
        return event._replace(trust=Trust.SIGNED, stream=stream)
    final = event.final_recipient or event.recipient
    return event._replace(trust=Trust.SIGNED, recipient=address, final_recipient=final, derived="token", stream=stream)
