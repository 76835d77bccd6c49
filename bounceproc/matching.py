"""Reports held against what was sent: the send ledger says whom a hash in a token means, and which mail went to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bounceproc.event import Trust
from bounceproc.identity import vouched
from bounceproc.sentmail import bare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bounceproc.address import Address
    from bounceproc.event import Event
    from bounceproc.ports import LedgerBatch, Reading, Sent


def matched(readings: Sequence[Reading], ledger: LedgerBatch) -> tuple[Reading, ...]:
    """The readings with what the ledger vouches for: at most one question for hashes, and one for Message-IDs.

    A Message-ID and the recipient of it are known to the two ends and whoever carried the mail: such an event is `matched`,
    and its stream is the one that the ledger names. What a token vouches for already is not asked for.
    """
    digests = [reading.token.digest for reading in readings if reading.token is not None]
    if digests:
        whom = ledger.named(digests)
        readings = [_resolved(reading, whom) for reading in readings]
    asked = {pair for reading in readings for event in reading.events if (pair := _pair(event)) is not None}
    known = ledger.sent(asked) if asked else {}
    if not known:
        return tuple(readings)
    return tuple(
        reading._replace(events=tuple(_held(event, known) for event in reading.events)) for reading in readings
    )


def _resolved(reading: Reading, whom: Mapping[str, Address]) -> Reading:
    token = reading.token
    if token is None or (address := whom.get(token.digest)) is None:
        return reading
    return reading._replace(events=vouched(reading.events, address, token.stream), token=None)


def _pair(event: Event) -> tuple[str, Address] | None:
    """What the ledger is asked for an event; None where it could not say more than is known."""
    if event.trust is Trust.SIGNED or event.recipient is None or not event.original_message_id:
        return None
    return bare(event.original_message_id), event.recipient


def _held(event: Event, known: Mapping[tuple[str, Address], Sent]) -> Event:
    pair = _pair(event)
    found = known.get(pair) if pair is not None else None
    if found is None:
        return event
    return event._replace(trust=Trust.MATCHED, stream=found.stream or event.stream, reference=found.reference)
