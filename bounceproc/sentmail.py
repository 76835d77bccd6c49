"""One mail that was sent: what a report is held against where return paths carry no token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from bounceproc.address import Address
from bounceproc.errors import BadDataError, InvalidAddressError

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS: Final = ("message_id", "recipient", "stream", "reference", "sent_at")
"""The names that files and programs use."""
LONGEST_ID: Final = 998
"""Octets of a Message-ID: a line of a header has no more (RFC 5322 2.1.1)."""
LONGEST: Final = 200
"""Characters of a stream or of a reference of one's own."""
SLACK: Final = timedelta(days=1)
"""How far ahead the clock of a sender may be."""

_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_ID: Final = re.compile(r"[!-;=?-~]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMail:
    """One mail to one recipient."""

    message_id: str
    """As `bare` gives it."""
    recipient: Address
    sent_at: datetime
    stream: str | None = None
    reference: str | None = None
    """What the sender itself calls this mail."""

    @classmethod
    def of(cls, row: Mapping[str, object], now: datetime) -> SentMail:
        """Read one row; `sent_at` is now where it is not said.

        Raises:
            BadDataError: a field is missing or cannot be; it says which.

        """
        try:
            recipient = Address.parse(_text(row, "recipient"))
        except InvalidAddressError as error:
            raise BadDataError(f"recipient is no address: {error.why}") from error
        message_id = bare(_text(row, "message_id"))
        if len(message_id) > LONGEST_ID or not _ID.fullmatch(message_id):
            raise BadDataError("message_id is no Message-ID")
        return cls(
            message_id=message_id,
            recipient=recipient,
            sent_at=_moment(row.get("sent_at"), now),
            stream=_stream(row),
            reference=_word(row, "reference"),
        )


def bare(message_id: str) -> str:
    """A Message-ID without what stands round it: some write the angle brackets, and some do not."""
    return message_id.strip().removeprefix("<").removesuffix(">").strip()


def _text(row: Mapping[str, object], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadDataError(f"{name} is missing" if value in (None, "") else f"{name} is no text")
    return value.strip()


def _word(row: Mapping[str, object], name: str) -> str | None:
    if row.get(name) in (None, ""):
        return None
    value = _text(row, name)
    if len(value) > LONGEST or not value.isprintable():
        raise BadDataError(f"{name} is longer than {LONGEST} characters, or not on one line")
    return value


def _stream(row: Mapping[str, object]) -> str | None:
    name = _word(row, "stream")
    if name is not None and not _NAME.fullmatch(name):
        raise BadDataError("stream has other signs than letters, digits, dot, - and _")
    return name


def _moment(value: object, now: datetime) -> datetime:
    if value in (None, ""):
        return now
    try:
        found = datetime.fromisoformat(value.strip() if isinstance(value, str) else "")
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadDataError("sent_at is no moment in ISO 8601") from error
    if found > now + SLACK:
        raise BadDataError("sent_at lies in the future")
    return min(found, now)
