"""A mailbox as a source: its new messages in bounded batches, and each where it belongs once it is recorded."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Self

from bounceproc.errors import UnavailableError
from bounceproc.ports import Checkpoint, MessageBatch, RawMessage
from bounceproc.sources.bounds import HEAD_BYTES, MAX_BATCH_BYTES, MAX_MESSAGE_BYTES, bounded
from bounceproc.sources.imap.connection import close_connection, conversation, open_connection
from bounceproc.sources.imap.disposing import Disposer
from bounceproc.sources.imap.fetching import fetch_messages, list_messages
from bounceproc.sources.imap.folders import Selected, missing_folder, select, uids_above
from bounceproc.sources.imap.place import Place
from bounceproc.sources.mailbox import Action

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imapclient import IMAPClient

    from bounceproc.ports import Settlement
    from bounceproc.sources.imap.fetching import Listed
    from bounceproc.sources.mailbox import Disposal, Mailbox


class ImapSource:
    """One folder of an IMAP account. Used as a context manager: the connection lasts as long as the block.

    Messages are fetched without marking them as read. A run gives what lay in the folder when it began; what arrives
    in the meantime is for the next. A dry run opens the folder read-only and settles nothing.

    Of a message longer than `max_message` octets only the head is read (1 MB), without an `error`: a report says what
    it has to say before the mail that it returns, and ordinary mail with a large attachment stays ordinary mail.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        checkpoint: Checkpoint | None = None,
        *,
        dry_run: bool = False,
        max_batch_bytes: int = MAX_BATCH_BYTES,
        max_message: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._mailbox = mailbox
        self._checkpoint = checkpoint
        self._dry_run = dry_run
        self._max_batch_bytes = max_batch_bytes
        self._max_message = max_message
        self._connection: IMAPClient | None = None
        self._disposer: Disposer | None = None
        self._selected: Selected | None = None
        only_left = all(disposal.action is Action.LEAVE for disposal in mailbox.disposals.values())
        self._readonly = dry_run or only_left

    @property
    def name(self) -> str:
        """The mailbox's name in the configuration."""
        return self._mailbox.name

    def __enter__(self) -> Self:
        """Connect and log in.

        Raises:
            ConfigError: the protection asked for cannot be had, or the certificate is not trusted.
            UnavailableError: the server does not answer.
            AccessError: it refuses us.

        """
        self._connection = open_connection(self._mailbox)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Log out, or just hang up in the middle of an answer; a server that is gone is no error any more."""
        if self._connection is not None:
            close_connection(self._connection, politely=kind is None)
        self._connection = self._disposer = self._selected = None

    # ---- reading -----------------------------------------------------------------------------------------------------

    def batches(self) -> Iterator[MessageBatch]:
        """The messages with UIDs above the checkpoint's, in ascending order; all of them where UIDVALIDITY changed.

        Batches hold at most `batch_size` messages and 32 MB; a longer message makes one of its own. Messages that are
        deleted meanwhile are left out. Asking for the next batch says that the last one is recorded: a second call goes
        on behind it.

        Raises:
            ConfigError: the folder does not exist; the advice names those that do.
            UnavailableError: the server does not answer.
            AccessError: it refuses us.

        """
        with conversation(self._mailbox):
            self._selected = None  # to learn what arrived since
            selected = self._open_own_folder()
            uids = uids_above(self._client, selected, self._last_uid(selected))
        for start in range(0, len(uids), self._mailbox.batch_size):
            chunk = uids[start : start + self._mailbox.batch_size].tolist()
            with conversation(self._mailbox):
                self._reopen(selected)
                listed = list_messages(self._client, chunk)
            for group in bounded(listed, self._fetched_size, max_bytes=self._max_batch_bytes):
                with conversation(self._mailbox):
                    self._reopen(selected)
                    messages = self._fetch(selected, group)
                if messages:
                    reached = Checkpoint(self._mailbox.folder, selected.uidvalidity, group[-1].uid)
                    yield MessageBatch(messages, reached, len(uids))
                    self._checkpoint = reached

    def _last_uid(self, selected: Selected) -> int:
        before = self._checkpoint
        if before is None or before.folder != selected.folder:
            return 0
        return before.uid if selected.uidvalidity and before.uidvalidity == selected.uidvalidity else 0

    def _fetched_size(self, message: Listed) -> int:
        return HEAD_BYTES if message.size > self._max_message else message.size

    def _fetch(self, selected: Selected, group: list[Listed]) -> tuple[RawMessage, ...]:
        content: dict[int, bytes | str] = {}
        for head in (None, HEAD_BYTES):
            uids = [message.uid for message in group if (message.size > self._max_message) is (head is not None)]
            if uids:
                content |= fetch_messages(self._client, uids, head)
        return tuple(_raw(message, content[message.uid], selected) for message in group if message.uid in content)

    # ---- settling ----------------------------------------------------------------------------------------------------

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Move, flag or delete messages in bulk, as the mailbox's `on_...` say.

        What is no longer there is settled: a message that is gone, a folder that is gone, or one that was made anew
        and has another UIDVALIDITY.

        Raises:
            UnavailableError: the server does not answer, or refuses; the settlements stay due.
            AccessError: we may not change the folder.

        """
        if self._dry_run:
            return
        for (folder, uidvalidity), due in self._due(settlements).items():
            with conversation(self._mailbox):
                selected = self._open(folder, readonly=False)
                if selected is None or selected.uidvalidity != uidvalidity:
                    continue
                if self._disposer is None:
                    self._disposer = Disposer(self._client)
                for disposal, uids in due.items():
                    self._disposer.dispose(disposal, folder, sorted(uids))
                # imaplib keeps one line for each message that left, until the folder is selected again.
                self._selected = None

    def _due(self, settlements: Sequence[Settlement]) -> dict[tuple[str, int], dict[Disposal, list[int]]]:
        """UIDs by what is to be done with them, by folder and its UIDVALIDITY."""
        due: dict[tuple[str, int], dict[Disposal, list[int]]] = defaultdict(lambda: defaultdict(list))
        disposals = self._mailbox.disposals
        for settlement in settlements:
            disposal = disposals[settlement.outcome]
            place = Place.parse(settlement.ref)
            if place is not None and disposal.action is not Action.LEAVE:
                due[place.folder, place.uidvalidity][disposal].append(place.uid)
        return due

    # ---- the folder --------------------------------------------------------------------------------------------------

    @property
    def _client(self) -> IMAPClient:
        if self._connection is None:
            raise RuntimeError("an ImapSource is used as a context manager")
        return self._connection

    def _open(self, folder: str, *, readonly: bool) -> Selected | None:
        current = self._selected
        if current is None or current.folder != folder or (current.readonly and not readonly):
            self._selected = None
            self._selected = select(self._client, folder, readonly=readonly)
        return self._selected

    def _open_own_folder(self) -> Selected:
        selected = self._open(self._mailbox.folder, readonly=self._readonly)
        if selected is None:
            raise missing_folder(self._client, self._mailbox)
        return selected

    def _reopen(self, before: Selected) -> None:
        """Back to the folder being read, which settling may have left."""
        if self._open_own_folder().uidvalidity != before.uidvalidity:
            raise UnavailableError(
                f"folder {before.folder!r} was made anew while it was read", "The next run reads it from its beginning."
            )


def _raw(message: Listed, content: bytes | str, selected: Selected) -> RawMessage:
    ref = str(Place(selected.folder, selected.uidvalidity, message.uid))
    if isinstance(content, bytes):
        return RawMessage(ref, content, message.received_at)
    return RawMessage(ref, b"", message.received_at, error=content)
