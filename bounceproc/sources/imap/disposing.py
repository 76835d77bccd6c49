"""Putting messages where they belong, many with one command: one by one is 170 times slower."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from imapclient.exceptions import IMAPClientError

from bounceproc import sequence
from bounceproc.errors import FullError
from bounceproc.sources.imap.connection import response_code, was_refused
from bounceproc.sources.imap.folders import ensure_folder, existing_uids
from bounceproc.sources.imap.wire import mailbox_name
from bounceproc.sources.mailbox import Action, same_folder

if TYPE_CHECKING:
    from imapclient import IMAPClient

    from bounceproc.sources.imap.wire import Wire
    from bounceproc.sources.mailbox import Disposal

FEW_UIDS: Final = 500
"""UIDs in a command: as a list they stay below the 8,192 octets that RFC 9051 section 4.1.1 asks servers to accept."""
MANY_UIDS: Final = 2000
"""UIDs in a command to a server that is quick, where they are ranges and as short: many keep an account of the whole folder, which
they write anew with each command."""
SET_OCTETS: Final = 7500
"""Octets of a sequence set, at most."""
QUICK: Final = 1.0
"""Seconds that a command takes at most for the next one to be of twice as many."""


class Disposer:
    """Moves, flags and deletes messages of the selected folder, with what the server can do."""

    def __init__(self, client: IMAPClient, wire: Wire) -> None:
        self._client = client
        self._wire = wire
        self._can_move: bool = client.has_capability("MOVE")
        self._can_expunge: bool = client.has_capability("UIDPLUS")
        self._targets: dict[str, str] = {}
        self._width = FEW_UIDS

    def dispose(self, disposal: Disposal, folder: str, uids: list[int]) -> None:
        """Do to messages of `folder`, which is selected, what the disposal says. Those that are gone need nothing."""
        start = 0
        while start < len(uids):
            width = self._width
            while width > FEW_UIDS and len(sequence.dump(uids[start : start + width])) > SET_OCTETS:
                width //= 2
            chunk = uids[start : start + width]
            start += width
            begun = time.monotonic()
            try:
                self._dispose(disposal, folder, chunk)
            except IMAPClientError as error:
                if not was_refused(error):
                    raise
                # Messages or the target folder were taken away while we were at it: once more, with what there is.
                self._targets.clear()
                remaining = existing_uids(self._client, chunk)
                if remaining:
                    self._dispose_again(disposal, folder, remaining)
            quick = time.monotonic() - begun < QUICK
            self._width = min(self._width * 2, MANY_UIDS) if quick else FEW_UIDS

    def _dispose_again(self, disposal: Disposal, folder: str, uids: list[int]) -> None:
        try:
            self._dispose(disposal, folder, uids)
        except IMAPClientError as error:
            if was_refused(error) and response_code(error) == "OVERQUOTA":
                raise FullError(
                    f"the account is full: folder {disposal.folder!r} takes no more messages",
                    "Free space there or raise its quota. All is recorded; what is due is moved by the next run.",
                ) from error
            raise

    def _dispose(self, disposal: Disposal, folder: str, uids: list[int]) -> None:
        numbers = sequence.dump(uids)
        if disposal.action is Action.SEEN:
            self._flag(numbers, "Seen")
        elif disposal.action is Action.DELETE:
            self._delete(numbers)
        elif not (self._can_move or self._can_expunge):
            # A copy of what stays here would be made again whenever the folder is read from its beginning.
            self._flag(numbers, "Seen")
        elif disposal.folder is not None:
            target = self._target(disposal.folder)
            if not same_folder(target, folder):  # there already, under a name without the server's prefix
                self._move(numbers, mailbox_name(target))

    def _target(self, folder: str) -> str:
        if folder not in self._targets:
            self._targets[folder] = ensure_folder(self._client, folder)
        return self._targets[folder]

    def _move(self, numbers: str, target: str) -> None:
        if self._can_move:
            self._wire.do(f"UID MOVE {numbers} {target}")  # RFC 6851
        else:
            self._wire.do(f"UID COPY {numbers} {target}")
            self._delete(numbers)

    def _delete(self, numbers: str) -> None:
        self._flag(numbers, "Deleted")
        # A plain EXPUNGE would also take what other programs marked as deleted, so without UIDPLUS (RFC 4315) the mark
        # is all there is.
        if self._can_expunge:
            self._wire.do(f"UID EXPUNGE {numbers}")

    def _flag(self, numbers: str, flag: str) -> None:
        self._wire.do(f"UID STORE {numbers} +FLAGS.SILENT (\\{flag})")
