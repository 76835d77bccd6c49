"""Whether a report answers mail of ours: a token that only we can make says so, and whom that mail went to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from bounceproc.event import Trust
from bounceproc.reports.returnpath import unwrapped
from bounceproc.returnpath import HEADER, TokenError, names, read, read_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from bounceproc.address import Address
    from bounceproc.event import Event
    from bounceproc.reports.mime import Headers
    from bounceproc.reports.report import Report
    from bounceproc.returnpath import Token

ENVELOPE: Final = (b"delivered-to", b"x-original-to", b"envelope-to", b"to")
"""Where the report's own header says which address it was sent to. Anybody may write these: the token in it he cannot make."""
MOST: Final = 4
"""Fields of one name that are looked at."""
LONGEST: Final = 1000
"""Octets of a value that are looked at."""

_HEADER: Final = HEADER.lower().encode()


class Identified(NamedTuple):
    """What a report says of whom, once it is known how far it is to be believed."""

    events: tuple[Event, ...]
    token: Token | None = None
    """A valid token of which nobody that the report names is the recipient; the send ledger may know him."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """Finds our tokens in reports. `clock` says now, for messages whose moment of receipt nobody knows."""

    secrets: tuple[str, ...]
    clock: Callable[[], datetime]

    def identified(self, report: Report, received_at: datetime | None) -> Identified:
        """The report's events, those that a valid token vouches for as `signed` and about the token's recipient."""
        token = self._token(report, received_at or self.clock())
        if token is None:
            return Identified(report.events)
        address = self._recipient(token, report)
        if address is None:
            return Identified(report.events, token)
        return Identified(vouched(report.events, address, token.stream))

    def _token(self, report: Report, at: datetime) -> Token | None:
        """The first valid token, that of the envelope before those in the returned copy."""
        if report.headers is not None:
            for name in ENVELOPE:
                for path in _values(report.headers, name):
                    if (token := self._read(path, at)) is not None:
                        return token
        if report.original is None:
            return None
        for path in _values(report.original.headers, b"return-path"):
            if (token := self._read(path, at)) is not None:
                return token
        for value in _values(report.original.headers, _HEADER):
            try:
                return read_header(value, secrets=self.secrets, now=at)
            except TokenError:
                continue
        return None

    def _read(self, path: str, at: datetime) -> Token | None:
        """The token in a return path, also in one that a forwarder (SRS) or a mail server (BATV) rewrote."""
        _, _, bracketed = path.rpartition("<")
        bare = bracketed.partition(">")[0].strip()
        for each in dict.fromkeys((bare, unwrapped(bare))):
            try:
                return read(each, secrets=self.secrets, now=at)
            except TokenError:
                continue
        return None

    def _recipient(self, token: Token, report: Report) -> Address | None:
        """Whom a token is for. Where it has only a hash, one of the addresses that the report names must fit it."""
        if token.recipient is not None:
            return token.recipient
        for event in report.events:
            for address in (event.recipient, event.final_recipient):
                if address is not None and names(token, address, self.secrets):
                    return address
        for address in report.original.recipients[:MOST] if report.original is not None else ():
            if names(token, address, self.secrets):
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


def _values(headers: Headers, name: bytes) -> Iterator[str]:
    """The first few values of a field; a value that is far too long for an address is none."""
    if name in headers:
        yield from (value for value in headers.all(name)[:MOST] if len(value) <= LONGEST)
