"""Messages of our own, put into a mailbox's folder for a moment, and taken away again by their UIDs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from imapclient import DELETED

from bounceproc.errors import ConfigError
from bounceproc.ports import Checkpoint
from bounceproc.sources.imap.connection import close_connection, conversation, open_connection
from bounceproc.sources.imap.folders import MAX_UID, missing_folder, select, uids_above
from bounceproc.sources.imap.source import ImapSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bounceproc.rawmessage import RawMessage
    from bounceproc.sources.mailbox import Mailbox

MAX_LOOKED_AT: Final = 500
"""Messages that are looked at for ours: the newest of a folder, so that only a flood hides them."""
MAX_HEAD: Final = 4096
"""Octets of a message in which its Message-ID is looked for: servers put fields of their own before ours."""
_HEADER: Final = b"BODY[HEADER.FIELDS (MESSAGE-ID)]"
_ID: Final = re.compile(rb"message-id:\s*(<[^>\s]+>)", re.IGNORECASE)


class Probe:
    """Puts messages into a folder, gives them as a poll would, and removes them. Each step has a connection of its own."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._before: Checkpoint | None = None

    def put(self, messages: Sequence[bytes]) -> None:
        """Append messages to the folder.

        Raises:
            BounceprocError: the server refuses or is gone; some may be there already.

        """
        client = open_connection(self._mailbox)
        try:
            with conversation(self._mailbox):
                selected = select(client, self._mailbox.folder, readonly=True)
                if selected is None:
                    raise missing_folder(client, self._mailbox)
                if not selected.uidvalidity or selected.uidnext > MAX_UID:
                    raise ConfigError(
                        f"{self._mailbox.folder} has no lasting UIDs: samples could not be found again",
                        "Leave --deep out for this server.",
                    )
                self._before = Checkpoint(self._mailbox.folder, selected.uidvalidity, selected.uidnext - 1)
                for message in messages:
                    client.append(self._mailbox.folder, message)
        finally:
            close_connection(client, politely=True)

    def read(self, ids: Sequence[str]) -> list[RawMessage]:
        """Our messages, out of the source that a poll reads, in their order there."""
        wanted = [one.encode() for one in ids]
        found: list[RawMessage] = []
        looked_at = 0
        with ImapSource(self._mailbox, self._before, dry_run=True) as source:
            for batch in source.batches():
                found += [raw for raw in batch.messages if any(one in raw.data[:MAX_HEAD] for one in wanted)]
                looked_at += len(batch.messages)
                if len(found) >= len(ids) or looked_at >= MAX_LOOKED_AT:
                    break
        return found

    def remove(self, ids: Sequence[str]) -> tuple[int, str]:
        """Remove what is ours and nothing else; gives how many are gone, and what is left, if any.

        Raises:
            BounceprocError: the server refuses or is gone; nothing more was removed.

        """
        if self._before is None:
            return 0, ""
        client = open_connection(self._mailbox)
        try:
            with conversation(self._mailbox):
                selected = select(client, self._mailbox.folder, readonly=False)
                if selected is None or selected.uidvalidity != self._before.uidvalidity:
                    return 0, "the folder was made anew"
                newer = uids_above(client, selected, self._before.uid)[:MAX_LOOKED_AT].tolist()
                heads = client.fetch(newer, ["BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"]) if newer else {}
                found = {uid: _ID.search(items.get(_HEADER, b"")) for uid, items in heads.items()}
                wanted = {one.encode() for one in ids}
                ours = sorted(uid for uid, match in found.items() if match and match[1] in wanted)
                if not ours:
                    return 0, ""
                client.add_flags(ours, DELETED, silent=True)
                if not client.has_capability("UIDPLUS"):  # a plain EXPUNGE would take other people's mail along
                    return (
                        0,
                        f"UIDs {', '.join(map(str, ours))} are marked as deleted, and the server removes none alone",
                    )
                client.uid_expunge(ours)
                return len(ours), ""
        finally:
            close_connection(client, politely=True)
