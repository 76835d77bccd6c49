"""What happened to one address, with its provenance and trust."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from bounceproc.address import Address
from bounceproc.status import EnhancedStatus


class Kind(StrEnum):
    """What sort of message this is."""

    DSN = "dsn"  # any delivery report, RFC 3464 or not
    ARF = "arf"  # a feedback report, RFC 5965 or a provider's own form
    AUTO_REPLY = "auto-reply"  # RFC 3834: out of office, challenge-response, "address changed"
    UNSUBSCRIBE = "unsubscribe"  # a mail whose one purpose is to leave
    MDN = "mdn"  # RFC 8098
    OTHER = "other"  # ordinary mail: never touched
    MALFORMED = "malformed"  # a report that cannot be read


class EventType(StrEnum):
    """What happened to the address."""

    BOUNCE = "bounce"  # delivery failed for good or was given up
    DELAY = "delay"  # a warning; the queue still tries: never counts
    DELIVERY = "delivery"  # a success notice
    COMPLAINT = "complaint"  # feedback of type abuse, fraud, virus, other
    UNSUBSCRIBE = "unsubscribe"  # opt-out, opt-out-list, unsubscribe mail
    NOT_SPAM = "not-spam"  # the reader took the complaint back: recorded, lifts nothing
    AUTH_FAILURE = "auth-failure"  # RFC 6591: a message for the operator, never a complaint
    AUTO_REPLY = "auto-reply"


class BounceClass(StrEnum):
    """Whether the address itself is permanently undeliverable."""

    HARD = "hard"
    SOFT = "soft"


class Trust(StrEnum):
    """How far a report is to be believed: anyone can mail a return-path mailbox."""

    SIGNED = "signed"  # carries our own token, valid and in time
    MATCHED = "matched"  # held against our own signature, our send ledger, or a known feedback loop's
    REPORTED = "reported"  # a well-formed report or a described prose format, nothing to hold it against
    HEURISTIC = "heuristic"  # a generic pattern alone


class Event(NamedTuple):
    """One thing that one report says about one address. Names follow RFC 3464 and RFC 5965."""

    type: EventType
    recipient: Address | None
    """The address that was sent to: the one to suppress. None where the report hides it."""
    trust: Trust = Trust.REPORTED
    final_recipient: Address | None = None
    """The address that the reporting system delivered to, after forwards and aliases."""
    action: str | None = None
    """Action of RFC 3464 2.3.3, lower case."""
    status: EnhancedStatus | None = None
    smtp_code: int | None = None
    diagnostic: str = ""
    """What the remote server said, decoded and unfolded: the text that decides the category."""
    remote_mta: str | None = None
    reporting_mta: str | None = None
    feedback_type: str | None = None
    original_message_id: str | None = None
    """Message-ID of our own mail, with its angle brackets, from the returned copy."""
    envelope_id: str | None = None
    derived: str | None = None
    """Where the recipient was found when no field names it: `return-path`, `to`, `list-unsubscribe`, ... None otherwise."""
    stream: str | None = None
    """Our own name for the kind of mail this was about, where a stream is configured and was recognised."""
    occurred_at: datetime | None = None
    """When the report says that it happened (UTC), clamped to the moment of receipt once that is known."""
    category: str | None = None
    class_: BounceClass | None = None
    rule: str | None = None
    """The id of the rule that chose the category."""
    reference: str | None = None
    """What the sender itself calls the mail, where the send ledger knows it."""

    def dated(self, received_at: datetime) -> Event:
        """The same event, never later than its receipt: dates are claims of strangers."""
        if self.occurred_at is not None and self.occurred_at <= received_at:
            return self
        return self._replace(occurred_at=received_at)

    def identity(self, recipient_key: bytes) -> bytes:
        """The event id (16 octets): equal for the same report through another door, so that nothing is counted twice.

        `recipient_key` is the store's keyed hash of the recipient, so that the id gives nothing away either.
        """
        import hashlib  # noqa: PLC0415 - it brings OpenSSL, and who records nothing needs no identity

        at = self.occurred_at
        parts = (
            recipient_key,
            (self.original_message_id or self.envelope_id or "").encode(),
            self.type.encode(),
            str(self.status or "").encode(),
            (self.reporting_mta or "").lower().encode(),
            exact(at if not at.microsecond else at.replace(microsecond=0)).encode() if at is not None else b"",
        )
        whole = b"".join([piece for part in parts for piece in (len(part).to_bytes(4, "big"), part)])
        return hashlib.blake2b(whole, digest_size=16, person=b"bounceproc-event").digest()

    def to_dict(self) -> dict[str, str | int | None]:
        """The event under the names that scripts rely on: one object of `reports` in `classify --format jsonl`."""
        return {
            "recipient": self.recipient.text if self.recipient else None,
            "final_recipient": self.final_recipient.text if self.final_recipient else None,
            "event": self.type,
            "class": self.class_,
            "category": self.category,
            "status": str(self.status) if self.status else None,
            "smtp_code": self.smtp_code,
            "diagnostic": self.diagnostic or None,
            "action": self.action,
            "remote_mta": self.remote_mta,
            "feedback_type": self.feedback_type,
            "trust": self.trust,
            "rule": self.rule,
            "original_message_id": self.original_message_id,
            "derived": self.derived,
            "occurred_at": iso(self.occurred_at),
        }


def happened(
    *,
    type: EventType,  # noqa: A002 - its name
    recipient: Address | None,
    trust: Trust = Trust.REPORTED,
    final_recipient: Address | None = None,
    action: str | None = None,
    status: EnhancedStatus | None = None,
    smtp_code: int | None = None,
    diagnostic: str = "",
    remote_mta: str | None = None,
    reporting_mta: str | None = None,
    original_message_id: str | None = None,
    envelope_id: str | None = None,
    derived: str | None = None,
    occurred_at: datetime | None = None,
) -> Event:
    """`Event(...)` for what is made once a message: a named tuple's own constructor is Python of its own, not to be compiled."""
    return tuple.__new__(
        Event,
        (
            type,
            recipient,
            trust,
            final_recipient,
            action,
            status,
            smtp_code,
            diagnostic,
            remote_mta,
            reporting_mta,
            None,
            original_message_id,
            envelope_id,
            derived,
            None,
            occurred_at,
            None,
            None,
            None,
            None,
        ),
    )


_YEARS: Final = {year: str(year) for year in range(1990, 2100)}
"""Years as texts: compiled, a number takes long to become one."""
_TWO: Final = tuple(f"{number:02}" for number in range(100))
"""Numbers in two digits: `isoformat` asks the time zone first what everybody knows of UTC."""


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with a `Z`, to the second."""
    return f"{second(moment)}Z" if moment is not None else None


def exact(moment: datetime) -> str:
    """What `isoformat` says of a moment."""
    return _exact_utc(moment) if moment.tzinfo is UTC else moment.isoformat()


@lru_cache(1024)
def _exact_utc(moment: datetime) -> str:
    """The same, remembered: a message's receipt stands in half a dozen places. Elsewhere one moment has many texts."""
    return moment.isoformat()


def second(moment: datetime) -> str:
    """The second in UTC, as in ISO 8601 but without a zone: `2026-03-01T12:00:00`."""
    at = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    year = _YEARS.get(at.year) or f"{at.year:04}"
    return f"{year}-{_TWO[at.month]}-{_TWO[at.day]}T{_TWO[at.hour]}:{_TWO[at.minute]}:{_TWO[at.second]}"
