"""A mailbox as a source: its new messages in bounded batches, and each where it belongs once it is recorded."""

from __future__ import annotations

import socket
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from bounceproc.errors import UnavailableError
from bounceproc.rawmessage import RawMessage
from bounceproc.sources.bounds import HEAD_BYTES, MAX_ATTEMPTS, MAX_BATCH_BYTES, bounded
from bounceproc.sources.imap.connection import close_connection, conversation, open_connection
from bounceproc.sources.imap.disposing import Disposer
from bounceproc.sources.imap.fetching import SHORT_BYTES, fetch_messages, fetch_short, list_messages
from bounceproc.sources.imap.folders import Selected, enable_extensions, missing_folder, select, uids_above
from bounceproc.sources.imap.place import Place
from bounceproc.sources.imap.plan import Plan
from bounceproc.sources.imap.proving import Proof, elsewhere, older, some
from bounceproc.sources.imap.wire import Wire
from bounceproc.sources.mailbox import Action, same_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from imapclient import IMAPClient

    from bounceproc.ports import Attempt, Checkpoint, Flight, MessageBatch, Settlement
    from bounceproc.sources.imap.fetching import Listed
    from bounceproc.sources.imap.plan import Chunk
    from bounceproc.sources.mailbox import Disposal, Mailbox


class ImapSource:
    """One folder of an IMAP account. Used as a context manager: the connection lasts as long as the block.

    Messages are fetched without marking them as read. A run gives what lay in the folder when it began; what arrives
    in the meantime is for the next. A dry run opens the folder read-only and settles nothing.

    Of a message longer than the mailbox's `max_message_mb` only the head is read (1 MB), without an `error`: a report says
    what it has to say before the mail that it returns, and ordinary mail with a large attachment stays ordinary mail.

    A message that was tried `attempts` times, and ended the conversation or the program each time, is given unread, with an
    `error`. The last attempt counts only where other mail came through just before: a line that breaks anyway blames nobody.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        checkpoint: Checkpoint | None = None,
        *,
        dry_run: bool = False,
        max_batch_bytes: int = MAX_BATCH_BYTES,
        attempts: int = MAX_ATTEMPTS,
    ) -> None:
        self._mailbox = mailbox
        self._checkpoint = checkpoint
        self._dry_run = dry_run
        self._max_batch_bytes = max_batch_bytes
        self._max_message = mailbox.max_message_mb * 1024 * 1024
        self._max_attempts = attempts
        self._connection: IMAPClient | None = None
        self._wire: Wire | None = None
        self._disposer: Disposer | None = None
        self._selected: Selected | None = None
        self._plan: Plan | None = None
        self._reading: Flight | None = None
        self._mostly_short = True
        """Whether most of the messages read last were."""
        self._is_fresh = False
        """Whether the folder was opened just now, so that there is nothing that the server would say if it were opened again."""
        only_left = all(disposal.action is Action.LEAVE for disposal in mailbox.disposals.values())
        self._readonly = dry_run or only_left

    @property
    def name(self) -> str:
        """The mailbox's name in the configuration."""
        return self._mailbox.name

    @property
    def folder(self) -> str:
        """The folder that is read."""
        return self._mailbox.folder

    @property
    def within(self) -> str:
        """What the references of all its messages begin with."""
        return Place.within(self._mailbox.folder)

    @property
    def reading(self) -> Flight | None:
        """What the server was asked for and has not given yet."""
        return self._reading

    @property
    def messages(self) -> int:
        """How many messages lay in the folder when it was opened, new or not."""
        return self._selected.exists if self._selected is not None else 0

    def interrupt(self) -> None:
        """Break off the conversation, from any thread: whoever waits for an answer gets an error."""
        connection = self._connection
        if connection is not None:
            with suppress(OSError):
                connection.socket().shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        """Connect and log in, unless `begin` did.

        Raises:
            ConfigError: the protection asked for cannot be had, or the certificate is not trusted.
            UnavailableError: the server does not answer.
            AccessError: it refuses us.

        """
        if self._connection is None:
            self._connect()
        return self

    def begin(self, opening: Callable[[], None] = lambda: None) -> None:
        """Connect before the block begins, and open the folder: a server takes its time for a large one.

        Nothing is read or changed yet. Whoever does not come to the block calls `__exit__`. `opening` is called when all is
        said but for the folder.

        Raises:
            ConfigError, UnavailableError, AccessError: see `__enter__`.

        """
        self._connect()
        opening()
        try:
            with conversation(self._mailbox):
                self._is_fresh = self._open(self._mailbox.folder, readonly=self._readonly) is not None
        except BaseException:
            self.__exit__(UnavailableError)
            raise

    def _connect(self) -> None:
        self._connection = open_connection(self._mailbox)
        self._wire = Wire(self._connection, max(2 * self._max_message, HEAD_BYTES))
        try:
            with conversation(self._mailbox):
                if not self._readonly:
                    enable_extensions(self._connection)
        except BaseException:
            self.__exit__(UnavailableError)
            raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Log out, or just hang up in the middle of an answer; a server that is gone is no error any more."""
        if self._connection is not None:
            close_connection(self._connection, politely=kind is None)
        self._connection = self._wire = self._disposer = self._selected = self._plan = None

    # ---- reading -----------------------------------------------------------------------------------------------------

    def look(self, checkpoint: Checkpoint | None, attempts: Mapping[str, Attempt]) -> Flight:
        """See which messages have UIDs above the checkpoint's; all of them where UIDVALIDITY changed.

        Raises:
            ConfigError, UnavailableError, AccessError: see `batches`.

        """
        self._checkpoint = checkpoint
        self._plan = self._planned(attempts)
        return self._plan.ahead(-1)

    def batches(self) -> Iterator[MessageBatch]:
        """The messages with UIDs above the checkpoint's, in ascending order; all of them where UIDVALIDITY changed.

        Batches hold at most `batch_size` messages and 16 MB; a longer message makes one of its own. Messages that are
        deleted meanwhile are left out. Asking for the next batch says that the last one need not come again: a second call
        goes on behind it, unless `look` says otherwise.

        Raises:
            ConfigError: the folder does not exist; the advice names those that do.
            UnavailableError: the server does not answer.
            AccessError: it refuses us.

        """
        plan, self._plan = self._plan or self._planned({}), None
        for number, chunk in enumerate(plan.chunks):
            for batch in self._chunk(plan, number, chunk):
                yield batch
                self._checkpoint = batch.checkpoint

    def _planned(self, attempts: Mapping[str, Attempt]) -> Plan:
        with conversation(self._mailbox):
            if not self._is_fresh:
                self._selected = None  # to learn what arrived since
            self._is_fresh = False
            selected = self._open_own_folder()
            uids = uids_above(self._client, selected, self._last_uid(selected))
        return Plan(selected, uids, attempts, self._mailbox.batch_size, self._max_attempts)

    def _chunk(self, plan: Plan, number: int, chunk: Chunk) -> Iterator[MessageBatch]:
        selected = plan.selected
        uids = plan.uids[chunk.start : chunk.end].tolist()
        if chunk.given_up is not None:
            refs = [str(Place(selected.folder, selected.uidvalidity, uid)) for uid in uids]
            unread = tuple(RawMessage(ref, b"", None, error=chunk.given_up) for ref in refs)
            yield plan.batch(number, unread, uids[-1])
            return
        with conversation(self._mailbox):
            self._reopen(selected)
            short = self._short(plan, chunk, uids)
            longer = [uid for uid in uids if uid not in short]
            listed = list_messages(self._own_wire, longer) if longer else []
        listed = sorted([*listed, *(message for message, _ in short.values())])
        self._mostly_short = 4 * sum(message.size >= SHORT_BYTES for message in listed) <= len(listed)
        groups = list(bounded(listed, self._fetched_size, max_bytes=self._max_batch_bytes))
        for place, group in enumerate(groups, 1):
            rest = [message.uid for later in groups[place:] for message in later]
            with conversation(self._mailbox):
                self._reopen(selected)
                blamed = not chunk.last or self._prove(plan, chunk, group[0].size)
                self._reading = plan.flight([message.uid for message in group]) if blamed else None
                messages = self._fetch(selected, group, short)
                self._reading = None
            if messages:
                yield plan.batch(number, messages, group[-1].uid, rest)

    def _prove(self, plan: Plan, chunk: Chunk, octets: int) -> bool:
        """Have as many octets of other mail come through, as far as there are: False where there is none to prove the line with."""
        proof = Proof(self._own_wire, octets)
        other = plan.less_suspected(chunk)
        if other is not None:
            self._reading = plan.flight([other])  # should this be what the server breaks off at, it is suspected next
            proof.hear([other])
            self._reading = None
        if not proof.is_full:
            proof.hear(older(self._client, plan.selected, plan.uids[0]))
        if not proof.is_full:
            self._selected = None
            elsewhere(self._client, self._mailbox, proof.hear)
            self._reopen(plan.selected)
        if not proof.holds:
            proof.hear(some(plan.equally_suspected(chunk)))
        return proof.holds

    def _last_uid(self, selected: Selected) -> int:
        before = self._checkpoint
        if before is None or before.folder != selected.folder:
            return 0
        return before.uid if selected.uidvalidity and before.uidvalidity == selected.uidvalidity else 0

    def _fetched_size(self, message: Listed) -> int:
        return HEAD_BYTES if message.size > self._max_message else message.size

    def _short(self, plan: Plan, chunk: Chunk, uids: list[int]) -> dict[int, tuple[Listed, bytes]]:
        """What short messages there are among these, read at once; none where one is suspected, or long ones are usual here."""
        if chunk.suspected or not self._mostly_short or len(uids) * SHORT_BYTES > self._max_batch_bytes:
            return {}
        self._reading = plan.flight(uids)
        found = fetch_short(self._own_wire, uids)
        self._reading = None
        return found

    def _fetch(
        self, selected: Selected, group: list[Listed], short: Mapping[int, tuple[Listed, bytes]]
    ) -> tuple[RawMessage, ...]:
        content: dict[int, bytes | str] = {
            message.uid: short[message.uid][1] for message in group if message.uid in short
        }
        for head in (None, HEAD_BYTES):
            uids = [
                message.uid
                for message in group
                if message.uid not in short and (message.size > self._max_message) is (head is not None)
            ]
            if uids:
                content |= fetch_messages(self._client, self._own_wire, uids, head)
        return tuple(_raw(message, content[message.uid], selected) for message in group if message.uid in content)

    # ---- settling ----------------------------------------------------------------------------------------------------

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Move, flag or delete messages in bulk, as the mailbox's `on_...` say.

        What is no longer there is settled: a message that is gone, the folder of an earlier configuration that is gone, or
        one that was made anew and has another UIDVALIDITY.

        Raises:
            ConfigError: the folder does not exist any more; the settlements stay due.
            FullError: there is no room where messages are to be moved; what was not moved stays due.
            UnavailableError: the server does not answer, or refuses; the settlements stay due.
            AccessError: we may not change the folder.

        """
        if self._dry_run:
            return
        for (folder, uidvalidity), due in self._due(settlements).items():
            with conversation(self._mailbox):
                selected = self._open(folder, readonly=False)
                if selected is None and same_folder(folder, self._mailbox.folder):
                    raise missing_folder(self._client, self._mailbox)  # renamed, or not mounted: its mail is not gone
                if selected is None or selected.uidvalidity != uidvalidity:
                    continue
                if self._disposer is None:
                    self._disposer = Disposer(self._client, self._own_wire)
                for disposal, uids in due.items():
                    self._disposer.dispose(disposal, folder, sorted(uids))

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

    @property
    def _own_wire(self) -> Wire:
        assert self._wire is not None, "it is there as long as the connection"
        return self._wire

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
