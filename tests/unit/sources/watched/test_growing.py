"""An mbox that grows, is locked, rotated, truncated and rewritten."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bounceproc.errors import UsageError
from bounceproc.sources.watched.growing import STALE_LOCK, MboxSource
from bounceproc.sources.watched.opening import watched
from bounceproc.sources.watched.quiet import QUIET, STALLED

if TYPE_CHECKING:
    from bounceproc.ports import Checkpoint

FROM = b"From bounces@example.com Tue Nov 24 02:00:00 2026\n"


def message(number: int) -> bytes:
    return FROM + b"Subject: %d\n\nbody\n\n" % number


@pytest.fixture
def mbox(tmp_path: Path) -> Path:
    return tmp_path / "box"


def write(path: Path, *messages: bytes, age: float = QUIET + 1, mode: str = "ab") -> None:
    with path.open(mode) as stream:
        stream.write(b"".join(messages))
    os.utime(path, (time.time() - age, time.time() - age))


def read(source: MboxSource) -> list[bytes]:
    return [message.data.split(b"\n")[0] for batch in source.batches() for message in batch.messages]


def subjects(*numbers: int) -> list[bytes]:
    return [b"Subject: %d" % number for number in numbers]


def last(source: MboxSource) -> Checkpoint | None:
    return source._checkpoint


def test_what_is_appended_is_read_and_nothing_twice(mbox: Path) -> None:
    source = MboxSource(str(mbox), None)
    assert read(source) == []  # it is not even there
    write(mbox, message(1), message(2))
    assert read(source) == subjects(1, 2)
    assert read(source) == []
    write(mbox, message(3))
    assert read(source) == subjects(3)


def test_a_restart_goes_on_behind_the_checkpoint_of_each_batch(mbox: Path) -> None:
    write(mbox, *map(message, range(5)))
    source = MboxSource(str(mbox), None, max_batch=2)
    batches = list(source.batches())
    assert [len(batch.messages) for batch in batches] == [2, 2, 1]
    refs = [message.ref for batch in batches for message in batch.messages]
    assert len(set(refs)) == 5
    assert batches[1].checkpoint is not None
    assert batches[1].checkpoint.uid == len(b"".join(map(message, range(4))))
    assert read(MboxSource(str(mbox), batches[1].checkpoint)) == subjects(4)
    assert read(MboxSource(str(mbox), batches[2].checkpoint)) == []


@pytest.mark.parametrize(
    "content",
    [
        [message(7), message(8), message(9), message(10)],  # rotated
        [message(1)],  # truncated
        [message(1), message(3) + b"\n" * 3, message(4), message(5)],  # one was deleted, others came
    ],
    ids=["rotated", "truncated", "rewritten"],
)
def test_another_file_in_its_place_is_read_from_its_beginning(mbox: Path, content: list[bytes]) -> None:
    source = MboxSource(str(mbox), None)
    write(mbox, message(1), message(2), message(3))
    assert read(source) == subjects(1, 2, 3)
    write(mbox, *content, mode="wb")
    if content == [message(1)]:
        assert read(source) == subjects(1)
    else:
        assert len(read(source)) == len(content)


@pytest.mark.parametrize(("tail", "age"), [(b"", QUIET - 1), (b"half a li", QUIET + 1), (b"half a line\n", QUIET + 1)])
def test_the_last_message_is_left_until_it_is_finished(mbox: Path, tail: bytes, age: float) -> None:
    write(mbox, message(1), message(2), tail, age=age)
    source = MboxSource(str(mbox), None)
    assert read(source) == subjects(1)
    assert source.is_waiting
    os.utime(mbox, (time.time() - STALLED - 1,) * 2)
    assert read(source) == subjects(2)
    assert not source.is_waiting


@pytest.mark.parametrize("lock", ["lockf", "flock"])
def test_a_file_that_is_being_delivered_to_is_not_read(mbox: Path, lock: str) -> None:
    write(mbox, message(1))
    source = MboxSource(str(mbox), None)
    # A lock of this process would not hold this process up.
    program = f"import fcntl, sys; f = open(sys.argv[1], 'ab'); fcntl.{lock}(f, fcntl.LOCK_EX); print('locked', flush=True); input()"
    command = [sys.executable, "-c", program, str(mbox)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as agent:
        assert agent.stdout is not None
        assert agent.stdout.readline() == b"locked\n"
        assert read(source) == []
        assert source.is_waiting
        agent.communicate(b"\n")
    assert read(source) == subjects(1)


def test_a_lock_file_is_respected_until_it_is_stale(mbox: Path) -> None:
    write(mbox, message(1))
    lock = Path(f"{mbox}.lock")
    lock.touch()
    source = MboxSource(str(mbox), None)
    assert read(source) == []
    assert source.is_waiting
    os.utime(lock, (time.time() - STALE_LOCK - 1,) * 2)
    assert read(source) == subjects(1)


def test_nothing_is_changed_in_it(mbox: Path) -> None:
    write(mbox, message(1))
    before = (mbox.read_bytes(), mbox.stat().st_mtime_ns, list(mbox.parent.iterdir()))
    source = MboxSource(str(mbox), None)
    read(source)
    source.settle([])
    assert before == (mbox.read_bytes(), mbox.stat().st_mtime_ns, list(mbox.parent.iterdir()))


def test_a_message_that_is_too_long_is_parked_and_the_next_one_read(mbox: Path) -> None:
    write(mbox, FROM + b"Subject: long\n\n" + b"line\n" * 100 + b"\n", message(2))
    (batch,) = MboxSource(str(mbox), None, max_message=100).batches()
    assert [bool(found.error) for found in batch.messages] == [True, False]


def test_a_path_may_be_an_mbox_that_is_yet_to_come_and_nothing_else(tmp_path: Path) -> None:
    def opened(name: str, *, mbox: bool = False) -> object:
        return watched(
            str(tmp_path / name), mbox=mbox, disposals={}, known=lambda _s, _r: (), checkpoint=lambda _s, _f: None
        )

    (tmp_path / "one.eml").write_bytes(b"Subject: x\n\n")
    (tmp_path / "spool").write_bytes(message(1))
    assert isinstance(opened("spool"), MboxSource)
    assert isinstance(opened("later"), MboxSource)
    assert isinstance(opened("one.eml", mbox=True), MboxSource)
    with pytest.raises(UsageError, match="nothing that mail keeps coming into"):
        opened("one.eml")
    with pytest.raises(UsageError, match="nothing that mail keeps coming into"):
        opened("no/such/folder")
