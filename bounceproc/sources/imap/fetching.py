"""Getting messages from the selected folder, without a trace of having read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from imapclient.exceptions import IMAPClientError

from bounceproc.sources.imap.connection import was_refused
from bounceproc.sources.imap.folders import existing_uids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imapclient import IMAPClient

NO_CONTENT: Final = "the server gives no content for this message"
MAX_REFUSAL: Final = 200
"""Characters of a server's words that are kept with a message."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What is known of a message before it is fetched."""

    uid: int
    size: int
    """RFC822.SIZE in octets; some servers only estimate it."""
    received_at: datetime | None
    """INTERNALDATE in UTC."""


def list_messages(client: IMAPClient, uids: Sequence[int]) -> list[Listed]:
    """Size and date of messages, in ascending order of UID; those that are gone are left out."""
    answer = client.fetch(uids, ["RFC822.SIZE", "INTERNALDATE"])
    return [
        Listed(uid, int(items.get(b"RFC822.SIZE") or 0), _utc(items.get(b"INTERNALDATE")))
        for uid, items in sorted(answer.items())
    ]


def fetch_messages(client: IMAPClient, uids: Sequence[int], head: int | None = None) -> dict[int, bytes | str]:
    """The content of messages, or its first `head` octets; for one that the server will not give, a text that says why.

    Messages that are gone are left out. One message that the server stumbles over does not take its batch along.
    """
    try:
        found = fetch_bodies(client, uids, head)
    except IMAPClientError as error:
        if not was_refused(error):
            raise
        return _fetch_one_by_one(client, uids, head)
    empty = [uid for uid, content in found.items() if content is None]
    # Dovecot gives NIL for what another program has just deleted, other servers for what they cannot read themselves.
    broken = set(existing_uids(client, empty)) if empty else set()
    return {uid: _told(content) for uid, content in found.items() if content is not None or uid in broken}


def _fetch_one_by_one(client: IMAPClient, uids: Sequence[int], head: int | None) -> dict[int, bytes | str]:
    found: dict[int, bytes | str] = {}
    for uid in existing_uids(client, uids):
        try:
            found.update((uid, _told(content)) for content in fetch_bodies(client, [uid], head).values())
        except IMAPClientError as error:
            if not was_refused(error):
                raise
            found[uid] = f"the server refuses to give this message: {str(error)[:MAX_REFUSAL]}"
    return found


def fetch_bodies(client: IMAPClient, uids: Sequence[int], head: int | None) -> dict[int, bytes | None]:
    r"""One FETCH of BODY.PEEK[], which leaves `\Seen` alone (RFC 9051 section 6.4.5); None where the server says NIL."""
    asked, answered = ("BODY.PEEK[]", b"BODY[]") if head is None else (f"BODY.PEEK[]<0.{head}>", b"BODY[]<0>")
    answer = client.fetch(uids, [asked])
    contents = ((uid, items[answered]) for uid, items in answer.items() if answered in items)
    return {uid: content if isinstance(content, bytes) else None for uid, content in contents}


def _told(content: bytes | None) -> bytes | str:
    return NO_CONTENT if content is None else content


def _utc(value: Any) -> datetime | None:
    if not isinstance(value, datetime):
        return None
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:  # whoever puts a message into a folder chooses its date: the year 9999 west of Greenwich
        return None
