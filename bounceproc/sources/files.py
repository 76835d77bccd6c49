"""Mail in files: .eml, mbox, Maildir, folders of them, and standard input. Nothing here is ever changed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bounceproc.errors import UsageError
from bounceproc.rawmessage import RawMessage
from bounceproc.sources.bounds import MAX_MESSAGE_BYTES, bounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import BinaryIO

    from bounceproc.ports import MessageBatch, Settlement

STDIN: Final = "-"
"""The path that stands for standard input."""
MBOX_SUFFIXES: Final = (".mbox", ".mbx")
"""Files that are mboxes without being called so on the command line."""
READ_SIZE: Final = 64 * 1024
"""Octets that are read at once: most reports come whole."""
READ_MORE: Final = 1024 * 1024
"""Octets that are read at once of a longer file."""
_READING: Final = os.O_RDONLY | os.O_CLOEXEC


class FileSource:
    """Files and folders as a mail source: read once, in a stable order, and left as they are."""

    def __init__(self, paths: Sequence[str], *, stdin: BinaryIO | None = None, mbox: bool = False) -> None:
        self._paths = tuple(paths)
        self._stdin = stdin
        self._mbox = mbox

    @property
    def name(self) -> str:
        """The same for all files: a message is known again by its content, not by its path."""
        return "files"

    def batches(self) -> Iterator[MessageBatch]:
        """All messages, in bounded batches. What cannot be read is a message with an `error`.

        Raises:
            UsageError: a path does not exist; nothing was read.

        """
        from bounceproc.ports import MessageBatch  # noqa: PLC0415 - whoever reads messages alone needs no ports

        messages = read_messages(self._paths, stdin=self._stdin, mbox=self._mbox)
        for group in bounded(messages, lambda message: len(message.data)):
            yield MessageBatch(tuple(group))

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Do nothing: files belong to whoever named them."""


def read_messages(
    paths: Sequence[str],
    *,
    stdin: BinaryIO | None = None,
    mbox: bool = False,
    max_message: int = MAX_MESSAGE_BYTES,
) -> Iterator[RawMessage]:
    """The messages of files and folders, one at a time: folders in sorted order, `*.mbox` and `*.mbx` split up.

    With `mbox` every file is an mbox, standard input too. A message of an mbox has the `ref` PATH#N, counted from 1.
    Links are followed, each folder is read once, hidden files and folders are passed over. Of a Maildir only what was
    delivered is read (`cur`, `new`, and its subfolders). What cannot be read, or is longer than `max_message` octets,
    is a message without data and with an `error`.

    Raises:
        UsageError: a path does not exist; raised before anything is read.

    """
    for path in paths:
        if path != STDIN:
            _check_exists(path)
    return _read_all(paths, stdin, max_message, mbox=mbox)


def _check_exists(path: str) -> None:
    try:
        Path(path).stat()
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "it is no path"
        raise UsageError(
            f"{as_text(path)} cannot be read: {why}", "Name files, folders, or - for standard input."
        ) from error


def _read_all(paths: Sequence[str], stdin: BinaryIO | None, limit: int, *, mbox: bool) -> Iterator[RawMessage]:
    for path in paths:
        if path == STDIN:
            yield from _read_stream(stdin if stdin is not None else sys.stdin.buffer, STDIN, limit, mbox=mbox)
        elif Path(path).is_dir():
            yield from _read_paths(walk(path), limit, mbox=mbox)
        else:
            yield from _read_paths((path,), limit, mbox=mbox)


def _read_paths(paths: Iterable[str], limit: int, *, mbox: bool) -> Iterator[RawMessage]:
    for path in paths:
        ref = as_text(path)
        try:
            if mbox or path.lower().endswith(MBOX_SUFFIXES):
                with open(path, "rb") as stream:  # noqa: PTH123 - a plain string, for speed
                    yield from _read_stream(stream, ref, limit, mbox=True)
            else:
                yield read_message(path, ref, limit)
        except OSError as error:
            yield RawMessage(ref, b"", None, f"the file cannot be read: {error.strerror or error}")


def read_message(path: str, ref: str, limit: int = MAX_MESSAGE_BYTES) -> RawMessage:
    """The one message in a file.

    Raises:
        OSError: the file cannot be read.

    """
    return _message(ref, _read_file(path, limit), limit)


def _read_stream(stream: BinaryIO, ref: str, limit: int, *, mbox: bool) -> Iterator[RawMessage]:
    if mbox:
        from bounceproc.sources.mbox import split_mbox  # noqa: PLC0415 - most files are none

        for number, data in enumerate(split_mbox(stream, limit), 1):
            yield _message(f"{ref}#{number}", data, limit)
    else:
        content = stream.read(limit + 1)
        yield _message(ref, content if len(content) <= limit else None, limit)


def _read_file(path: str, limit: int) -> bytes | None:
    """The content of a file of any kind, None when it is longer than `limit`."""
    descriptor = os.open(path, _READING)
    try:
        content = os.read(descriptor, READ_SIZE)
        if not (more := os.read(descriptor, 1)):
            return content if len(content) <= limit else None  # most reports are short
        pieces = bytearray(content)
        while more:
            pieces += more
            if len(pieces) > limit:
                return None
            more = os.read(descriptor, READ_MORE)
    finally:
        os.close(descriptor)
    return bytes(pieces)


def _message(ref: str, data: bytes | None, limit: int) -> RawMessage:
    if data is None:
        return RawMessage(ref, b"", None, f"the message is longer than {limit // 1024 // 1024} MB")
    # Delivery agents and exports leave the From_ line of an mbox on top of single messages.
    if data[:5] == b"From ":
        data = data[data.find(b"\n") + 1 :]
    # A named tuple's own constructor is Python of its own, not to be compiled.
    return tuple.__new__(RawMessage, (ref, data, None, None))


def walk(root: str) -> Iterator[str]:
    """The files below a folder, sorted by path, and whatever there cannot be opened."""
    seen: set[tuple[int, int]] = set()
    waiting = [(root, True)]
    while waiting:
        path, is_folder = waiting.pop()
        if not is_folder:
            yield path
            continue
        try:
            status = Path(path).stat()
            if (status.st_dev, status.st_ino) in seen:
                continue  # a link back: read once is enough
            seen.add((status.st_dev, status.st_ino))
            waiting += reversed(_entries(path))
        except OSError:
            yield path  # opening it fails again, and says why


def _entries(folder: str) -> list[tuple[str, bool]]:
    """What to read in a folder, sorted: pairs of path and whether it is a folder."""
    with os.scandir(folder) as scanned:
        entries = sorted(scanned, key=lambda entry: entry.name)
    names = {entry.name for entry in entries}
    maildir = "cur" in names and "new" in names
    found = []
    for entry in entries:
        hidden = entry.name.startswith(".")
        kind = None if hidden and not maildir else _is_folder(entry)
        # In a Maildir, mail lies in cur and new; tmp is unfinished, and subfolders begin with a dot (Maildir++).
        if kind is None or (maildir and not (kind and (hidden or entry.name in {"cur", "new"}))):
            continue
        found.append((entry.path, kind))
    return found


def _is_folder(entry: os.DirEntry[str]) -> bool | None:
    """True for a folder, False for a file or a broken link, None for pipes, sockets and devices, which may never end."""
    try:
        if entry.is_file():
            return False
        if entry.is_dir():
            return True
        return False if entry.is_symlink() and not Path(entry.path).exists() else None
    except OSError:
        return False


def as_text(path: str) -> str:
    r"""The path as text that can be stored and printed: bytes of a name that are no UTF-8 become `\xNN`."""
    return path if path.isascii() else path.encode(errors="surrogateescape").decode(errors="backslashreplace")
