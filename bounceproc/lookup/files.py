"""Files that others read: there in full or not at all, and still there after a power cut."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bounceproc.errors import TemporaryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A file that is there in full or not at all; its mode is what the umask makes of any new file."""
    try:
        with _direct(path) if _is_special(path) else _beside(Path(os.path.realpath(path))) as file:
            yield file
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise TemporaryError(f"{path} cannot be written: {error.strerror}", "Make room on the disk.") from error
        advice = "Name a file in a folder that exists and that this account may write to."
        raise UsageError(f"{path} cannot be written: {error.strerror}", advice) from error


def _is_special(path: Path) -> bool:
    """A pipe or a device: it is written to, not replaced."""
    return path.exists() and not path.is_file() and not path.is_dir()


@contextlib.contextmanager
def _direct(path: Path) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        yield file


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[BinaryIO]:
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
