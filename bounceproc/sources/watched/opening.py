"""Which kind of place a path is, to be watched."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from bounceproc.errors import UsageError
from bounceproc.sources.files import MBOX_SUFFIXES, as_text
from bounceproc.sources.watched.folder import FolderSource
from bounceproc.sources.watched.growing import MboxSource
from bounceproc.sources.watched.maildir import MaildirSource, is_maildir

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from bounceproc.config import Disposal
    from bounceproc.ports import Checkpoint, Outcome

WatchedSource: TypeAlias = FolderSource | MboxSource


def watched(
    path: str,
    *,
    mbox: bool,
    disposals: Mapping[Outcome, Disposal],
    known: Callable[[str, Sequence[str]], Collection[str]],
    checkpoint: Callable[[str, str], Checkpoint | None],
) -> WatchedSource:
    """The source for a path: a Maildir, a folder of messages, or an mbox, which need not be there yet.

    Raises:
        UsageError: it is none of them, or messages are to be moved where nothing can be moved.

    """
    absolute = str(Path(path).absolute())
    if is_maildir(absolute):
        return MaildirSource(absolute, known, disposals)
    if disposals:
        raise UsageError(f"{as_text(path)} is no Maildir, and only there messages are moved", "Leave --on-report out.")
    if Path(absolute).is_dir():
        return FolderSource(absolute, known)
    if not _may_be_mbox(absolute, mbox=mbox):
        raise UsageError(
            f"{as_text(path)} is nothing that mail keeps coming into",
            "Name a Maildir, a folder, or an mbox (any file with --mbox).",
        )
    name = MboxSource(absolute, None).name
    return MboxSource(absolute, checkpoint(name, as_text(absolute)))


def _may_be_mbox(path: str, *, mbox: bool) -> bool:
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            return False
        with open(path, "rb") as stream:  # noqa: PTH123 - a plain string, whatever its octets
            return mbox or path.lower().endswith(MBOX_SUFFIXES) or stream.read(5) in {b"From ", b""}
    except FileNotFoundError:
        return Path(path).parent.is_dir()  # a delivery agent makes it with the first message
    except OSError as error:
        raise UsageError(f"{as_text(path)} cannot be read: {error.strerror}", "Check its owner and mode.") from error
