"""Getting messages from the selected folder, without a trace of having read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from imapclient.exceptions import IMAPClientError

from bounceproc.sources.imap.connection import was_refused
from bounceproc.sources.imap.folders import existing_uids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imapclient import IMAPClient

    from bounceproc.sources.imap.wire import Wire

NO_CONTENT: Final = "the server gives no content for this message"
SHORT_BYTES: Final = 16 * 1024
"""Octets of a message that is fetched without a question for its size: 500 of them are half of what a batch may have."""
MAX_REFUSAL: Final = 200
"""Characters of a server's words that are kept with a message."""

_DATE: Final = re.compile(rb"([ \d]\d)-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_MONTHS: Final = {
    name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)
}


class Listed(NamedTuple):
    """What is known of a message before it is fetched."""

    uid: int
    size: int
    """RFC822.SIZE in octets; some servers only estimate it."""
    received_at: datetime | None
    """INTERNALDATE in UTC."""


def list_messages(wire: Wire, uids: Sequence[int]) -> list[Listed]:
    """Size and date of messages, in ascending order of UID; those that are gone are left out."""
    answer = wire.fetch(uids, "RFC822.SIZE INTERNALDATE")
    return [
        Listed(uid, _number(said.get(b"RFC822.SIZE")), _utc(said.get(b"INTERNALDATE")))
        for uid, said in sorted(answer.items())
    ]


def fetch_short(wire: Wire, uids: Sequence[int]) -> dict[int, tuple[Listed, bytes]]:
    """Date and content, in one answer, of those messages that are shorter than `SHORT_BYTES`; all others are left out.

    Nearly all reports are: to ask for sizes first takes the server as long as to give what it then is asked for. A server that
    knows no beginnings gives all of a message, which is taken.
    """
    try:
        answer = wire.fetch(uids, f"INTERNALDATE BODY.PEEK[]<0.{SHORT_BYTES}>")
    except IMAPClientError as error:
        if not was_refused(error):
            raise
        return {}
    found: dict[int, tuple[Listed, bytes]] = {}
    for uid, said in sorted(answer.items()):
        whole, content = said.get(b"BODY[]"), said.get(b"BODY[]<0>")
        if whole is None and content is not None and len(content) < SHORT_BYTES:
            whole = content
        if whole is not None:
            found[uid] = (Listed(uid, len(whole), _utc(said.get(b"INTERNALDATE"))), whole)
    return found


def fetch_messages(
    client: IMAPClient, wire: Wire, uids: Sequence[int], head: int | None = None
) -> dict[int, bytes | str]:
    """The content of messages, or its first `head` octets; for one that the server will not give, a text that says why.

    Messages that are gone are left out. One message that the server stumbles over does not take its batch along.
    """
    try:
        found = fetch_bodies(wire, uids, head)
    except IMAPClientError as error:
        if not was_refused(error):
            raise
        return _fetch_one_by_one(client, wire, uids, head)
    empty = [uid for uid, content in found.items() if content is None]
    # Dovecot gives NIL for what another program has just deleted, other servers for what they cannot read themselves.
    broken = set(existing_uids(client, empty)) if empty else set()
    return {uid: _told(content) for uid, content in found.items() if content is not None or uid in broken}


def _fetch_one_by_one(client: IMAPClient, wire: Wire, uids: Sequence[int], head: int | None) -> dict[int, bytes | str]:
    found: dict[int, bytes | str] = {}
    for uid in existing_uids(client, uids):
        try:
            found.update((uid, _told(content)) for content in fetch_bodies(wire, [uid], head).values())
        except IMAPClientError as error:
            if not was_refused(error):
                raise
            found[uid] = f"the server refuses to give this message: {str(error)[:MAX_REFUSAL]}"
    return found


def fetch_bodies(wire: Wire, uids: Sequence[int], head: int | None) -> dict[int, bytes | None]:
    r"""One FETCH of BODY.PEEK[], which leaves `\Seen` alone (RFC 9051 section 6.4.5); None where the server says NIL."""
    asked, answered = ("BODY.PEEK[]", b"BODY[]") if head is None else (f"BODY.PEEK[]<0.{head}>", b"BODY[]<0>")
    answer = wire.fetch(uids, asked)
    return {uid: said[answered] for uid, said in answer.items() if answered in said}


def _told(content: bytes | None) -> bytes | str:
    return NO_CONTENT if content is None else content


def _number(value: bytes | None) -> int:
    return int(value) if value and value.isdigit() else 0


@lru_cache(1024)  # messages come in bursts, many in one second
def _utc(value: bytes | None) -> datetime | None:
    """A date of IMAP (RFC 9051 `date-time`); None for what is none."""
    found = _DATE.fullmatch(value or b"")
    if found is None:
        return None
    day, month, year, hour, minute, second, sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == b"-" else 1)
    try:
        moment = datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), min(int(second), 59), tzinfo=UTC)
        return moment - offset
    except (KeyError, ValueError, OverflowError):
        # Whoever puts a message into a folder chooses its date: the year 9999 west of Greenwich.
        return None
