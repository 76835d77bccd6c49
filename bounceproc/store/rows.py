"""What strangers wrote, made fit for a database: bounded, without what a text column cannot hold, without plaintext where asked."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from datetime import datetime

    from bounceproc.address import Address
    from bounceproc.event import Event
    from bounceproc.ports import Reading

TEXT_LIMIT: Final = 4096
"""Characters kept of a name, an id or an error: what is longer is an attack or a mistake."""
DIAGNOSTIC_LIMIT: Final = 16384
"""Characters kept of a diagnostic text; the raw copy has the rest."""
PLACE_LIMIT: Final = 1024
"""Octets of a reference that are stored as they are: it stands in an index, and PostgreSQL's rows there have at most 2,704."""
_ADDRESS: Final = re.compile(r"[^\s<>()\[\],;:\"]+@[^\s<>()\[\],;:\"]+")
"""What may be an address in a sentence."""
TELLING: Final = 3
"""A local part of at least this many characters gives a person away wherever it stands."""


@dataclass(frozen=True, slots=True)
class Privacy:
    """What may be stored of people and of their mail."""

    hash_only: bool = False
    """No plaintext of an address anywhere, and so no texts that may quote it: diagnostic, error, raw copy."""
    keep_raw: bool = True
    """Keep a compressed copy of each message, so that a better rule can read it again."""

    @property
    def copies(self) -> bool:
        """Whether a copy of a message may be kept."""
        return self.keep_raw and not self.hash_only

    def address(self, address: Address | None) -> str | None:
        """The normal form for a column of plaintext: what lists are compared with."""
        return clean(address.normal) if address is not None and not self.hash_only else None

    def words(self, text: str | None) -> str | None:
        """What a person of the operator's wrote, without the addresses in it where no plaintext is kept."""
        kept = clean(text)
        return _ADDRESS.sub("(address)", kept) if kept and self.hash_only else kept


def clean(text: str | None, limit: int = TEXT_LIMIT) -> str | None:
    """Text that both databases take: PostgreSQL refuses NUL, both refuse the lone surrogates of undecodable headers."""
    if text is None:
        return None
    text = text[:limit]
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def place(name: str) -> str:
    """A source's reference or name, as it is stored: two different ones stay different, and ordinary ones stay as they are."""
    if len(name) <= PLACE_LIMIT and name.isascii() and "\0" not in name:
        return name  # nearly all of them
    octets = name.replace("\0", "\\x00").encode(errors="backslashreplace")
    if len(octets) > PLACE_LIMIT:
        octets = octets[: PLACE_LIMIT // 2] + hashlib.blake2b(octets, digest_size=16).hexdigest().encode()
    return octets.decode(errors="ignore")


def sane(event: Event, received_at: datetime) -> Event:
    """The same event, dated, with identifiers that can be encoded: its id is made from them."""
    event = event.dated(received_at)
    given = (event.original_message_id, event.envelope_id, event.reporting_mta)
    original_message_id, envelope_id, reporting_mta = cleaned = tuple(map(clean, given))
    if cleaned == given:
        return event
    return event._replace(original_message_id=original_message_id, envelope_id=envelope_id, reporting_mta=reporting_mta)


def message_row(reading: Reading, *, source: str, now: datetime, privacy: Privacy) -> dict[str, Any]:
    """The row of a message that was not seen before, with its raw copy where that was made ready."""
    people = _people(*reading.events) if privacy.hash_only else ()
    return {
        "digest": reading.digest,
        "source": place(source),
        "ref": place(reading.ref),
        "kind": str(reading.kind),
        "outcome": str(reading.outcome),
        "detector": clean(reading.detector),
        # Of a message without events nobody can say whom its id names.
        "message_id": _without(people, clean(reading.message_id)) if reading.events or not privacy.hash_only else None,
        "reporting_mta": _without(people, clean(reading.reporting_mta)),
        "error": None if privacy.hash_only else clean(reading.error),
        "attempts": 1,
        "duplicate_of": None,
        "received_at": reading.received_at,
        "recorded_at": now,
        "settled_at": None,
        "size": len(reading.raw),
        "raw": reading.copy if privacy.copies else None,
    }


def event_row(event: Event, *, id_: bytes, key: bytes | None, privacy: Privacy) -> dict[str, Any]:
    """The row of an event, but for what it has from its message."""
    people = _people(event) if privacy.hash_only else ()
    plain = not privacy.hash_only
    return {
        "id": id_,
        "key": key,
        "address": clean(event.recipient.text) if event.recipient and plain else None,
        "final_recipient": clean(event.final_recipient.text) if event.final_recipient and plain else None,
        "type": str(event.type),
        "class": str(event.class_) if event.class_ else None,
        "category": clean(event.category),
        "rule": clean(event.rule),
        "status": str(event.status) if event.status else None,
        "smtp_code": event.smtp_code,
        "diagnostic": clean(event.diagnostic, DIAGNOSTIC_LIMIT) if event.diagnostic and plain else None,
        "action": _without(people, clean(event.action)),
        "remote_mta": _without(people, clean(event.remote_mta)),
        "reporting_mta": _without(people, event.reporting_mta),
        "feedback_type": _without(people, clean(event.feedback_type)),
        "original_message_id": _without(people, event.original_message_id),
        "envelope_id": _without(people, event.envelope_id),
        "derived": clean(event.derived),
        "trust": str(event.trust),
        "stream": clean(event.stream),
        "reference": _without(people, clean(event.reference)),
        "occurred_at": event.occurred_at,
    }


def _people(*events: Event) -> tuple[str, ...]:
    """How the recipients of these events may stand in other texts."""
    given = (address for event in events for address in (event.recipient, event.final_recipient))
    return tuple(names_in(*filter(None, given)))


def names_in(*addresses: Address) -> frozenset[str]:
    """How these addresses may stand in other texts, in lower case: whole, or as VERP and Message-IDs write them."""
    found: set[str] = set()
    for address in addresses:
        found |= {address.normal, address.text.lower(), f"{address.local}={address.domain}"}
        if len(address.local) >= TELLING:
            found.add(address.local)
    return frozenset(found)


def _without(people: tuple[str, ...], text: str | None) -> str | None:
    """The text, unless it names one of these people."""
    if text is None or not people:
        return text
    lowered = text.lower()
    return None if any(person in lowered for person in people) else text
