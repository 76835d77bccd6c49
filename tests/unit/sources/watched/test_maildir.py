"""A Maildir that mail is delivered to, and a folder of messages."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from bounceproc.config import Disposal
from bounceproc.errors import UsageError
from bounceproc.ports import Outcome, Settlement
from bounceproc.sources.watched.folder import FolderSource
from bounceproc.sources.watched.maildir import MaildirSource, is_maildir
from bounceproc.sources.watched.quiet import QUIET

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

MESSAGE = b"Subject: one\n\nbody\n"
MOVE = {Outcome.REPORT: Disposal.parse("move:Processed")}


def nothing_known(_source: str, _refs: Sequence[str]) -> Collection[str]:
    return ()


@pytest.fixture
def box(tmp_path: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (tmp_path / "box" / name).mkdir(parents=True)
    return tmp_path / "box"


def refs(source: FolderSource) -> list[str]:
    return [os.path.relpath(message.ref, source.path) for batch in source.batches() for message in batch.messages]


def tree(box: Path) -> list[str]:
    return sorted(str(path.relative_to(box)) for path in box.rglob("*") if path.is_file())


def test_new_and_cur_are_read_and_tmp_and_subfolders_are_not(box: Path) -> None:
    for name in ("new/a", "cur/b:2,S", "tmp/c", ".Sub/new/d", "new/.hidden"):
        (box / name).parent.mkdir(parents=True, exist_ok=True)
        (box / name).write_bytes(MESSAGE)
    assert is_maildir(str(box))
    source = MaildirSource(str(box), nothing_known)
    assert refs(source) == ["a", "b"]
    assert refs(source) == []


def test_a_message_that_gets_flags_is_the_same_message(box: Path) -> None:
    source = MaildirSource(str(box), nothing_known)
    (box / "new/a").write_bytes(MESSAGE)
    assert refs(source) == ["a"]
    (box / "new/a").rename(box / "cur/a:2,RS")
    assert refs(source) == []


def test_what_an_earlier_run_recorded_is_not_even_opened(box: Path) -> None:
    (box / "new/a").write_bytes(MESSAGE)
    (box / "new/b").write_bytes(MESSAGE)
    asked: list[tuple[str, list[str]]] = []

    def known(source: str, refs: Sequence[str]) -> Collection[str]:
        asked.append((source, list(refs)))
        return {f"{box}/a"}

    source = MaildirSource(str(box), known)
    assert refs(source) == ["b"]
    assert asked == [(f"watch:{box}", [f"{box}/a", f"{box}/b"])]


def test_a_batch_that_was_not_recorded_is_given_again(box: Path) -> None:
    (box / "new/a").write_bytes(MESSAGE)
    source = MaildirSource(str(box), nothing_known)
    assert next(source.batches()).messages  # and the caller fails to record it
    assert refs(source) == ["a"]


def test_the_date_of_delivery_is_the_files(box: Path) -> None:
    (box / "new/a").write_bytes(MESSAGE)
    os.utime(box / "new/a", (1_700_000_000, 1_700_000_000))
    (batch,) = MaildirSource(str(box), nothing_known).batches()
    received = batch.messages[0].received_at
    assert received is not None
    assert received.timestamp() == 1_700_000_000


def test_nothing_is_moved_by_default(box: Path) -> None:
    (box / "new/a").write_bytes(MESSAGE)
    source = MaildirSource(str(box), nothing_known)
    source.settle([Settlement(f"{box}/a", outcome) for outcome in Outcome])
    assert tree(box) == ["new/a"]


def test_a_report_moves_by_rename_into_a_subfolder_as_seen_and_the_rest_stays(box: Path) -> None:
    for name in ("new/a", "cur/b:2,RF", "cur/c", "new/other"):
        (box / name).write_bytes(MESSAGE)
    inode = (box / "new/a").stat().st_ino
    source = MaildirSource(str(box), nothing_known, MOVE)
    due = [Settlement(f"{box}/{name}", Outcome.REPORT) for name in ("a", "b", "c", "gone")]

    source.settle([*due, Settlement(f"{box}/other", Outcome.UNRECOGNISED)])
    source.settle(due)

    moved = [".Processed/cur/a:2,S", ".Processed/cur/b:2,FRS", ".Processed/cur/c:2,S", ".Processed/maildirfolder"]
    assert tree(box) == [*moved, "new/other"]
    assert (box / ".Processed/cur/a:2,S").stat().st_ino == inode
    assert (box / ".Processed/new").is_dir()
    assert refs(source) == ["other"]


def test_a_message_is_never_moved_over_another(box: Path) -> None:
    (box / "new/a").write_bytes(MESSAGE)
    (box / ".Processed/cur").mkdir(parents=True)
    (box / ".Processed/cur/a:2,S").write_bytes(b"somebody else's")
    MaildirSource(str(box), nothing_known, MOVE).settle([Settlement(f"{box}/a", Outcome.REPORT)])
    assert (box / ".Processed/cur/a:2,S").read_bytes() == b"somebody else's"
    assert (box / "new/a").read_bytes() == MESSAGE


@pytest.mark.parametrize("action", ["delete", "seen", "move:..", "move:a//b", "move:../../etc/x"])
def test_what_a_maildir_cannot_do_is_refused_before_anything_is_read(box: Path, action: str) -> None:
    with pytest.raises(UsageError):
        MaildirSource(str(box), nothing_known, {Outcome.REPORT: Disposal.parse(action)})


# ---- folders of messages ---------------------------------------------------------------------------------------------


def test_a_file_that_may_still_be_written_is_left_for_later(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(MESSAGE)
    source = FolderSource(str(tmp_path), nothing_known)
    assert refs(source) == []
    assert source.is_waiting

    old = time.time() - QUIET - 1
    os.utime(tmp_path / "a.eml", (old, old))

    assert refs(source) == ["a.eml"]
    assert refs(source) == []


def test_a_date_in_the_future_keeps_no_file_waiting(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(MESSAGE)
    os.utime(tmp_path / "a.eml", (time.time() + 1e6, time.time() + 1e6))
    assert refs(FolderSource(str(tmp_path), nothing_known)) == ["a.eml"]


def test_gone_names_are_forgotten(box: Path) -> None:
    source = MaildirSource(str(box), nothing_known)
    for number in range(3):
        (box / f"new/{number}").write_bytes(MESSAGE)
        assert refs(source) == [str(number)]
        (box / f"new/{number}").unlink()
    assert refs(source) == []
    assert source._seen == set()
