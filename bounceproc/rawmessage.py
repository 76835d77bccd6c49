"""A message before anything is known of it. Apart from `ports`, because who only reads mail needs no more of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


class RawMessage(NamedTuple):
    """One message as it lies in a source."""

    ref: str
    """Where it lies, unique within its source and stable: a path, or `FOLDER;UIDVALIDITY=n/;UID=n`."""
    data: bytes
    received_at: datetime | None
    """When it reached the source (IMAP INTERNALDATE, UTC); None where the source does not know."""
    error: str | None = None
    """Why the content could not be had in full (too large, unreadable file): such a message is parked, never lost."""
