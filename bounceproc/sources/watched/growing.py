"""An mbox that grows: read on from where the last run ended, and never in the middle of a delivery."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bounceproc.errors import AccessError
from bounceproc.ports import Checkpoint, MessageBatch
from bounceproc.rawmessage import RawMessage
from bounceproc.sources.bounds import MAX_BATCH_BYTES, MAX_BATCH_MESSAGES, MAX_MESSAGE_BYTES
from bounceproc.sources.files import as_text
from bounceproc.sources.mbox import spans_mbox
from bounceproc.sources.watched.quiet import QUIET, STALLED, is_quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from bounceproc.ports import Settlement

HEAD: Final = 512
"""Octets at the beginning of an mbox by which it is known again: the first message's From_ line and its trace."""
STALE_LOCK: Final = 1024.0
"""Seconds after which procmail takes a lock file for one that its maker left behind."""


class MboxSource:
    """One mbox. Nothing is changed in it.

    The checkpoint has the offset as its UID, and a digest of the file's head as its UIDVALIDITY: a file that was rotated,
    truncated or rewritten is read from its beginning, and what was read before changes nothing.
    """

    def __init__(
        self,
        path: str,
        checkpoint: Checkpoint | None,
        *,
        max_message: int = MAX_MESSAGE_BYTES,
        max_batch: int = MAX_BATCH_MESSAGES,
    ) -> None:
        self.path = path
        self.is_waiting = False
        """Whether something there was locked or not finished, and is worth another look soon."""
        self._checkpoint = checkpoint
        self._max_message = max_message
        self._max_batch = max_batch

    @property
    def name(self) -> str:
        """The source's name in the ledger. No mailbox has a colon in its name."""
        return f"watch:{as_text(self.path)}"

    @property
    def folders(self) -> tuple[str, ...]:
        """Where changes show: the folder, for a rotated file is another one."""
        return (str(Path(self.path).parent),)

    def batches(self) -> Iterator[MessageBatch]:
        """What was appended and is finished.

        Raises:
            AccessError: we may not read it.

        """
        self.is_waiting = False
        while batch := self._read():
            yield batch
            self._checkpoint = batch.checkpoint

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Do nothing: the file belongs to whoever delivers to it."""

    def _read(self) -> MessageBatch | None:
        """The next messages. The lock is held for as long as they are read, and no longer."""
        if _has_lock_file(self.path):
            self.is_waiting = True
            return None
        try:
            with open(self.path, "rb") as stream:  # noqa: PTH123 - a plain string, whatever its octets
                if not _locked(stream):
                    self.is_waiting = True
                    return None
                return self._next(stream)
        except FileNotFoundError:
            return None  # rotated away, or nothing was ever delivered
        except OSError as error:
            raise AccessError(
                f"{as_text(self.path)} cannot be read: {error.strerror or error}", "Check its owner and mode."
            ) from error

    def _next(self, stream: BinaryIO) -> MessageBatch | None:
        status = os.fstat(stream.fileno())
        begin = start = self._start(stream, status.st_size)
        messages: list[RawMessage] = []
        octets = 0
        for data, reached in spans_mbox(_upto(stream, start, status.st_size), self._max_message):
            end = start + reached
            if end == status.st_size and not _is_finished(stream, status):
                self.is_waiting = True
                break
            messages.append(self._message(data, begin))
            begin, octets = end, octets + len(data or b"")
            if len(messages) >= self._max_batch or octets > MAX_BATCH_BYTES:
                break
        if not messages:
            return None
        return MessageBatch(tuple(messages), Checkpoint(as_text(self.path), _head(stream, begin), begin))

    def _start(self, stream: BinaryIO, size: int) -> int:
        before = self._checkpoint
        if before is None or size < before.uid or _head(stream, before.uid) != before.uidvalidity:
            return 0
        stream.seek(before.uid)
        begins = stream.read(16).lstrip(b"\r\n")
        return before.uid if not begins or begins.startswith(b"From ") else 0

    def _message(self, data: bytes | None, begin: int) -> RawMessage:
        ref = f"{as_text(self.path)};OFFSET={begin}"
        if data is None:
            return RawMessage(ref, b"", None, f"the message is longer than {self._max_message // 1024 // 1024} MB")
        return RawMessage(ref, data, None)


def _head(stream: BinaryIO, reached: int) -> int:
    stream.seek(0)
    return int.from_bytes(blake2b(stream.read(min(HEAD, reached)), digest_size=7).digest(), "big")


def _upto(stream: BinaryIO, start: int, end: int) -> Callable[[int], bytes]:
    """Lines from one offset to another: what is appended meanwhile belongs to the next look."""
    at = start

    def readline(limit: int) -> bytes:
        nonlocal at
        stream.seek(at)
        line = stream.readline(min(limit, end - at))
        at += len(line)
        return line

    return readline


def _is_finished(stream: BinaryIO, status: os.stat_result) -> bool:
    """Whether the last message is whole: who locks nothing at least falls silent, and ends with a blank line."""
    tail = os.pread(stream.fileno(), 4, max(0, status.st_size - 4)).replace(b"\r", b"")
    return is_quiet(status.st_mtime, QUIET if tail.endswith(b"\n\n") else STALLED)


def _has_lock_file(path: str) -> bool:
    try:
        return time.time() - Path(f"{path}.lock").stat().st_mtime < STALE_LOCK
    except OSError:
        return False


def _locked(stream: BinaryIO) -> bool:
    """Take both kinds of lock for reading, as delivery agents take one or the other; both end with the file."""
    for lock in (fcntl.lockf, fcntl.flock):
        try:
            lock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in {errno.ENOLCK, errno.EOPNOTSUPP}:  # a file system that has no locks
                return False
    return True
