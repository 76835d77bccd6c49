"""An event on its way into the ledger: its id, and whose history it belongs to."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from bounceproc.event import Event, EventType
from bounceproc.policy.history import Evidence
from bounceproc.store.addresses import Touched

if TYPE_CHECKING:
    from bounceproc.ports import Reading
    from bounceproc.store.keys import Keys
    from bounceproc.store.rows import Privacy

DOMAIN_CATEGORIES: Final = frozenset({"expired", "network-error", "dns-failure", "bad-domain"})
"""Bounces that say something of the recipient's whole domain, and so stand in its history, too."""


class Found(NamedTuple):
    """An event of a message that is new."""

    event: Event
    id: bytes
    key: bytes | None
    """The key of the recipient; None where the report hides it."""
    received_at: datetime

    @classmethod
    def of(cls, event: Event, reading: Reading, keys: Keys) -> Found:
        """Give the event its id.

        Two redacted complaints may agree in everything but the recipient that neither names. Their ids are made from the
        messages that brought them: they are never merged, and the same one through another door is recorded twice. That
        costs nothing, since policy never sees an event without a recipient.
        """
        key = keys.of(event.recipient) if event.recipient is not None else None
        id_ = event.identity(reading.digest if key is None else key)
        return cls(event, id_, key, reading.received_at)

    def touches(self, keys: Keys, privacy: Privacy) -> list[Touched]:
        """The recipient and, for what may be the domain's fault, its domain, each with the evidence."""
        event = self.event
        recipient = event.recipient
        if recipient is None or self.key is None:
            return []
        original = keys.original(event.original_message_id or event.envelope_id)
        piece = Evidence.of(event, id_=self.id, received_at=self.received_at, original=original)
        touched = [Touched(self.key, privacy.address(recipient), recipient.is_domain, {self.id: piece})]
        if self._is_of_the_domain and not recipient.is_domain:
            domain = recipient.domain_address()
            piece = Evidence.of(event, id_=self.id, received_at=self.received_at, original=original, address=self.key)
            touched.append(Touched(keys.of(domain), privacy.address(domain), True, {self.id: piece}))
        return touched

    @property
    def _is_of_the_domain(self) -> bool:
        """Whether it says something of the whole domain: that it may be dead, or that mail gets there."""
        type_ = self.event.type
        return type_ is EventType.DELIVERY or (type_ is EventType.BOUNCE and self.event.category in DOMAIN_CATEGORIES)
