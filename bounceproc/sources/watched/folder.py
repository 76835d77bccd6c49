"""A folder of messages, one a file, read again and again: each message once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bounceproc.ports import MessageBatch
from bounceproc.rawmessage import RawMessage
from bounceproc.sources.bounds import bounded
from bounceproc.sources.files import MBOX_SUFFIXES, as_text, read_message, walk
from bounceproc.sources.watched.quiet import is_quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from bounceproc.ports import Settlement


class FolderSource:
    """A folder and those below it; mboxes in them are left to whoever names them. Nothing is changed."""

    def __init__(self, path: str, known: Callable[[str, Sequence[str]], Collection[str]]) -> None:
        self.path = path
        self.is_waiting = False
        """Whether something there was not finished, and is worth another look soon."""
        self._known = known
        self._seen: set[str] = set()

    @property
    def name(self) -> str:
        """The source's name in the ledger. No mailbox has a colon in its name."""
        return f"watch:{as_text(self.path)}"

    @property
    def folders(self) -> tuple[str, ...]:
        """Where new files appear. A subfolder that is made later is found when it is time to look again."""
        return (self.path, *(folder for folder, _, _ in os.walk(self.path)))

    def batches(self) -> Iterator[MessageBatch]:
        """What is there and was not read before, in this run or in an earlier one."""
        self.is_waiting = False
        found = dict(self._entries())
        self._seen &= found.keys()
        fresh = [ref for ref in found if ref not in self._seen]
        self._seen.update(recorded := self._known(self.name, fresh))
        fresh = [ref for ref in fresh if ref not in recorded]
        messages = (message for ref in fresh if (message := self._read(ref, found[ref])) is not None)
        for group in bounded(messages, lambda message: len(message.data)):
            yield MessageBatch(tuple(group), total=len(fresh))
            self._seen.update(message.ref for message in group)

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Do nothing: the files belong to whoever put them there."""

    def _entries(self) -> Iterator[tuple[str, str]]:
        """Reference and path of each message that can be read."""
        for path in walk(self.path):
            if path.lower().endswith(MBOX_SUFFIXES):
                continue
            try:
                finished = is_quiet(Path(path).stat().st_mtime)
            except OSError:
                continue  # gone, or a link to nowhere
            if finished:
                yield as_text(path), path
            else:
                self.is_waiting = True

    def _read(self, ref: str, path: str) -> RawMessage | None:
        try:
            return read_message(path, ref)
        except FileNotFoundError:
            return None  # moved away in the meantime
        except OSError as error:
            return RawMessage(ref, b"", None, f"the file cannot be read: {error.strerror or error}")
