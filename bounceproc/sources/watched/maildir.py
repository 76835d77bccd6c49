"""A Maildir that mail is delivered to: `new` and `cur` are read, `tmp` never, and messages move only by rename."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bounceproc.config import Action
from bounceproc.errors import AccessError, UsageError
from bounceproc.sources.files import as_text
from bounceproc.sources.watched.folder import FolderSource

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from bounceproc.config import Disposal
    from bounceproc.ports import Outcome, RawMessage, Settlement

DELIVERED: Final = ("new", "cur")
"""Where finished messages lie."""
FLAGS: Final = ":2,"
"""What stands between a message's unique name and its flags in `cur`."""


def is_maildir(path: str) -> bool:
    """Whether a folder is one."""
    return all(Path(path, name).is_dir() for name in DELIVERED)


class MaildirSource(FolderSource):
    """One folder of a Maildir, without its subfolders. A message is known by its unique name, whatever its flags."""

    def __init__(
        self,
        path: str,
        known: Callable[[str, Sequence[str]], Collection[str]],
        disposals: Mapping[Outcome, Disposal] | None = None,
    ) -> None:
        """Moves go to a subfolder as Maildir++ has them: `Processed` is the folder `.Processed`.

        Raises:
            UsageError: something else than `leave` or a move is asked for, or no folder has such a name.

        """
        super().__init__(path, known)
        self._targets = {
            outcome: _subfolder(path, disposal.folder or "")
            for outcome, disposal in (disposals or {}).items()
            if _is_move(disposal)
        }

    @property
    def folders(self) -> tuple[str, ...]:
        """Where new files appear."""
        return tuple(f"{self.path}/{name}" for name in DELIVERED)

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Move what is to be moved, as seen. What is no longer there is settled.

        Raises:
            AccessError: we may not write there; the settlements stay due.

        """
        due = {s.ref: target for s in settlements if (target := self._targets.get(s.outcome))}
        if not due:
            return
        places = dict(self._entries())
        try:
            for target in sorted(set(due.values())):
                _make(target)
            for ref, target in due.items():
                if ref in places:
                    _move(places[ref], target)
        except OSError as error:
            advice = "Check owner and mode of the Maildir and of its subfolder."
            raise AccessError(f"messages of {as_text(self.path)} cannot be moved: {error.strerror}", advice) from error

    def _entries(self) -> Iterator[tuple[str, str]]:
        # A reader may move a message from `new` to `cur` between the two looks, and never back: `cur` is looked at last.
        for folder in self.folders:
            try:
                with os.scandir(folder) as entries:
                    names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
            except FileNotFoundError:
                continue
            for name in names:
                yield f"{as_text(self.path)}/{as_text(name.partition(':')[0])}", f"{folder}/{name}"

    def _read(self, ref: str, path: str) -> RawMessage | None:
        message = super()._read(ref, path)
        if message is None:
            self.is_waiting = True  # it has other flags by now, or is gone
            return None
        try:
            delivered = Path(path).stat().st_mtime  # where Maildir keeps the date of delivery
        except OSError:
            return message
        return message._replace(received_at=datetime.fromtimestamp(min(delivered, time.time()), UTC))


def _is_move(disposal: Disposal) -> bool:
    if disposal.action not in {Action.LEAVE, Action.MOVE}:
        raise UsageError(f"{disposal} cannot be done in a Maildir", "Write leave or move:FOLDER.")
    return disposal.action is Action.MOVE


def _subfolder(path: str, name: str) -> Path:
    parts = name.strip(".").replace("/", ".").split(".")
    if not all(parts):
        raise UsageError(f"{name!r} is no folder of a Maildir", "Write a name such as Processed or Bounces/Processed.")
    return Path(path, "." + ".".join(parts))


def _make(target: Path) -> None:
    for name in ("tmp", *DELIVERED):
        (target / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    (target / "maildirfolder").touch(exist_ok=True)  # Maildir++: delivery agents know a subfolder by it


def _move(path: str, target: Path) -> None:
    unique, colon, flags = Path(path).name.partition(FLAGS)
    flags = "".join(sorted({*flags, "S"} if colon else {"S"}))
    there = target / "cur" / f"{unique}{FLAGS}{flags}"
    if not there.exists():  # a unique name is there once, or it is the same message
        Path(path).rename(there)
