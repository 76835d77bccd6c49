"""Whether the line holds: other mail comes through before one message is blamed for the end of a conversation.

A network that breaks off whatever is read would condemn innocent mail otherwise: where no other mail can be had, or that is what
the line breaks at, nobody is to blame.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from bounceproc.sources.bounds import MAX_PROOF_BYTES, PROOF_BYTES
from bounceproc.sources.imap.fetching import fetch_bodies
from bounceproc.sources.imap.folders import find_folder, select, uids_above
from bounceproc.sources.mailbox import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from imapclient import IMAPClient

    from bounceproc.sources.imap.folders import Selected
    from bounceproc.sources.imap.wire import Wire
    from bounceproc.sources.mailbox import Mailbox

WITNESSES: Final = 20
"""Messages that are asked for as much as a long suspected one has, at most."""
SHORT: Final = 16 * 1024
"""Octets of a message that is no longer than the first that a network carries in one go: one other message is proof enough."""

_CHANCE: Final = random.SystemRandom()
"""One bad message among the witnesses must not stand in the way for ever."""


class Proof:
    """Octets of other messages that came through, against those of the one that is suspected."""

    def __init__(self, wire: Wire, octets: int) -> None:
        self._wire = wire
        self._wanted = min(octets, MAX_PROOF_BYTES) if octets > SHORT else 1
        self._got = 0

    @property
    def holds(self) -> bool:
        """Whether anything came through at all."""
        return self._got > 0

    @property
    def is_full(self) -> bool:
        """Whether as much came through as is wanted."""
        return self._got >= self._wanted

    def hear(self, uids: Iterable[int]) -> None:
        """Let the beginnings of these come through, one after the other, until it is enough."""
        for uid in uids:
            if self.is_full:
                return
            contents = fetch_bodies(self._wire, [uid], max(PROOF_BYTES, self._wanted - self._got)).values()
            self._got += sum(len(content or b"") for content in contents)


def some(uids: Sequence[int]) -> list[int]:
    """Some of them, by chance."""
    return _CHANCE.sample(uids, min(WITNESSES, len(uids)))


def older(client: IMAPClient, selected: Selected, uid: int) -> list[int]:
    """Messages of the selected folder below this UID: they were read before."""
    return some(uids_above(client, selected, 0, below=uid)[-WITNESSES:])


def elsewhere(client: IMAPClient, mailbox: Mailbox, hear: Callable[[Sequence[int]], None]) -> None:
    """Have the newest messages heard that were read and moved away. The folder that was selected is not any more.

    Where malformed mail goes, there is what the line broke at before.
    """
    bad = mailbox.on_malformed.folder
    moved = (disposal.folder for disposal in mailbox.disposals.values() if disposal.action is Action.MOVE)
    for name in dict.fromkeys(folder for folder in moved if folder is not None and folder != bad):
        own = find_folder(client, name)
        found = select(client, own, readonly=True) if own is not None else None
        if found is not None and found.exists:
            hear(some(client.search(f"{max(1, found.exists - WITNESSES + 1)}:{found.exists}")))
