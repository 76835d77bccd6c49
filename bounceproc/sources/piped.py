"""One message on standard input, as an MTA hands it to a command: `pipe(8)` of Postfix, the pipe transport of Exim."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from bounceproc.ports import MessageBatch
from bounceproc.rawmessage import RawMessage
from bounceproc.sources.bounds import HEAD_BYTES, MAX_MESSAGE_BYTES, reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from bounceproc.ports import Settlement

READ_SIZE: Final = 1024 * 1024
"""Octets that are read at once."""


class PipedSource:
    """Exactly one message. What is longer than the limit is read by its head: an MTA would return a refused bounce to nobody."""

    def __init__(self, stream: BinaryIO | None = None, *, max_message: int = MAX_MESSAGE_BYTES) -> None:
        self._stream = stream
        self._max_message = max_message

    @property
    def name(self) -> str:
        """The name of all files: the same message out of a file is the same."""
        return "files"

    def batches(self) -> Iterator[MessageBatch]:
        """The one message, read to its end even where it is cut: an MTA takes a broken pipe for a failed delivery."""
        data = self._read(self._stream if self._stream is not None else sys.stdin.buffer)
        # A delivery agent may put the From_ line of an mbox on top (Exim does so by default).
        if data[:5] == b"From ":
            data = data[data.find(b"\n") + 1 :]
        yield MessageBatch((RawMessage(reference("-", data), data, None),))

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Do nothing: the exit code tells the MTA."""

    def _read(self, stream: BinaryIO) -> bytes:
        kept = bytearray()
        limit = self._max_message
        while piece := stream.read(READ_SIZE):
            kept += piece
            if len(kept) > limit:
                limit = HEAD_BYTES
                del kept[limit:]
        return bytes(kept)
