"""Mail in files and folders."""

from __future__ import annotations

import io
import os
import socket
from typing import TYPE_CHECKING

import pytest

from bounceproc.errors import UsageError
from bounceproc.ports import Outcome, Settlement
from bounceproc.rawmessage import RawMessage
from bounceproc.sources.files import FileSource, read_messages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MESSAGE = b"Subject: one\n\nbody\n"
FROM = b"From bounces@example.com Tue Nov 24 02:00:00 2026\n"


def lay(folder: Path, files: Mapping[str, bytes]) -> str:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return str(folder)


def read(*paths: str, **settings: object) -> list[RawMessage]:
    return list(read_messages(paths, **settings))  # type: ignore[arg-type]  # each test names what it sets


def refs(*paths: str, below: str) -> list[str]:
    return [os.path.relpath(message.ref, below) for message in read(*paths)]


# ---- single files ----------------------------------------------------------------------------------------------------


def test_a_file_is_one_message_under_its_path_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, {"one.eml": MESSAGE})
    monkeypatch.chdir(tmp_path)
    assert read("./one.eml") == [RawMessage("./one.eml", MESSAGE, None)]


def test_a_leading_from_line_is_skipped(tmp_path: Path) -> None:
    lay(tmp_path, {"one.eml": FROM + MESSAGE, "two.eml": FROM.replace(b"\n", b"\r\n") + MESSAGE})
    assert [message.data for message in read(str(tmp_path))] == [MESSAGE, MESSAGE]


def test_an_eml_with_several_from_lines_is_one_message(tmp_path: Path) -> None:
    lay(tmp_path, {"one.eml": FROM + MESSAGE + b"\n" + FROM + MESSAGE})
    assert [message.data for message in read(str(tmp_path))] == [MESSAGE + b"\n" + FROM + MESSAGE]


@pytest.mark.parametrize("name", ["box.mbox", "box.mbx", "BOX.MBOX"])
def test_an_mbox_gives_its_messages_with_numbers(tmp_path: Path, name: str) -> None:
    folder = lay(tmp_path, {name: FROM + MESSAGE + b"\n" + FROM + MESSAGE})
    path = f"{folder}/{name}"
    assert read(path) == [RawMessage(f"{path}#1", MESSAGE, None), RawMessage(f"{path}#2", MESSAGE, None)]


def test_any_file_is_an_mbox_on_request(tmp_path: Path) -> None:
    folder = lay(tmp_path, {"sent": FROM + MESSAGE, "plain": MESSAGE})
    assert [message.ref[-7:] for message in read(folder, mbox=True)] == ["plain#1", "/sent#1"]


def test_standard_input_is_one_message_or_an_mbox() -> None:
    assert read("-", stdin=io.BytesIO(FROM + MESSAGE)) == [RawMessage("-", MESSAGE, None)]
    assert read("-", stdin=io.BytesIO(FROM + MESSAGE), mbox=True) == [RawMessage("-#1", MESSAGE, None)]


def test_a_pipe_named_on_the_command_line_is_read(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, MESSAGE)
    os.close(writing)
    try:
        assert [message.data for message in read(f"/dev/fd/{reading}")] == [MESSAGE]
    finally:
        os.close(reading)


def test_a_message_that_is_too_large_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    folder = lay(tmp_path, {"a.eml": b"x" * 200_001, "b.eml": b"x" * 200_000})
    large, other = read(folder, max_message=200_000)
    assert (large.data, large.error) == (b"", "the message is longer than 0 MB")
    assert other.error is None
    assert read("-", stdin=io.BytesIO(b"x" * 11), max_message=10)[0].error


# ---- folders ---------------------------------------------------------------------------------------------------------


def test_a_folder_is_read_with_the_folders_in_it_in_sorted_order(tmp_path: Path) -> None:
    folder = lay(tmp_path, dict.fromkeys(["b.eml", "a/2.eml", "a/10.eml", "a/b/1", "c/1.eml"], MESSAGE))
    assert refs(folder, below=folder) == ["a/10.eml", "a/2.eml", "a/b/1", "b.eml", "c/1.eml"]


def test_hidden_files_are_passed_over_unless_they_are_named(tmp_path: Path) -> None:
    folder = lay(tmp_path, {".hidden.eml": MESSAGE, ".git/config": MESSAGE, "a.eml": MESSAGE})
    assert refs(folder, below=folder) == ["a.eml"]
    assert len(read(f"{folder}/.hidden.eml")) == 1


def test_of_a_maildir_only_what_was_delivered_is_read(tmp_path: Path) -> None:
    names = [
        "cur/1:2,S",
        "new/2",
        "tmp/3",
        "dovecot-uidlist",
        ".Sub/cur/4",
        ".Sub/new/5",
        ".Sub/tmp/6",
        ".Sub/maildirfolder",
    ]
    folder = lay(tmp_path, dict.fromkeys(["box/" + name for name in names], MESSAGE))
    assert refs(folder, below=folder) == ["box/.Sub/cur/4", "box/.Sub/new/5", "box/cur/1:2,S", "box/new/2"]


def test_links_to_files_and_folders_are_followed_and_loops_are_not(tmp_path: Path) -> None:
    folder = lay(tmp_path / "in", {"a/1.eml": MESSAGE})
    outside = lay(tmp_path / "out", {"2.eml": MESSAGE})
    (tmp_path / "in" / "b.eml").symlink_to(f"{outside}/2.eml")
    (tmp_path / "in" / "c").symlink_to(outside)
    (tmp_path / "in" / "a" / "up").symlink_to(folder)
    (tmp_path / "in" / "d").symlink_to(f"{folder}/a")
    assert refs(folder, below=folder) == ["a/1.eml", "b.eml", "c/2.eml"]


def test_a_broken_link_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    folder = lay(tmp_path, {"b.eml": MESSAGE})
    (tmp_path / "a.eml").symlink_to("nowhere")
    (tmp_path / "round").symlink_to("round")
    broken, whole, circle = read(folder)
    assert broken.error == "the file cannot be read: No such file or directory"
    assert whole.error is None
    assert circle.error is not None


def test_pipes_and_sockets_in_a_folder_are_not_waited_for(tmp_path: Path) -> None:
    folder = lay(tmp_path, {"a.eml": MESSAGE})
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        assert refs(folder, below=folder) == ["a.eml"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_what_may_not_be_read_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    folder = lay(tmp_path, {"a.eml": MESSAGE, "b.mbox": MESSAGE, "c/d.eml": MESSAGE, "e.eml": MESSAGE})
    for name in ("a.eml", "b.mbox", "c"):
        (tmp_path / name).chmod(0)
    assert [message.error for message in read(folder)] == ["the file cannot be read: Permission denied"] * 3 + [None]


def test_a_file_that_disappears_meanwhile_is_told(tmp_path: Path) -> None:
    folder = lay(tmp_path, {"a.eml": MESSAGE, "b.eml": MESSAGE, "c.mbox": MESSAGE})
    messages = read_messages([folder])
    next(messages)
    (tmp_path / "b.eml").unlink()
    (tmp_path / "c.mbox").unlink()
    assert [message.error for message in messages] == ["the file cannot be read: No such file or directory"] * 2


@pytest.fixture
def very_deep_folder(tmp_path: Path) -> Iterator[Path]:
    folders = [tmp_path]
    for _ in range(1500):
        folders.append(folders[-1] / "d")
        folders[-1].mkdir()
    (folders[-1] / "a.eml").write_bytes(MESSAGE)
    yield tmp_path
    (folders[-1] / "a.eml").unlink()
    for folder in folders[:0:-1]:  # not every Python can remove a tree this deep
        folder.rmdir()


def test_a_very_deep_folder_is_read(very_deep_folder: Path) -> None:
    assert len(read(str(very_deep_folder))) == 1


def test_a_name_that_is_no_utf_8_can_be_printed_and_stored(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"R\xfcck.eml")).write_bytes(MESSAGE)
        (tmp_path / "Rück.eml").write_bytes(MESSAGE)
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    assert sorted(message.ref.rpartition("/")[2] for message in read(str(tmp_path))) == ["R\\xfcck.eml", "Rück.eml"]


# ---- the command line ------------------------------------------------------------------------------------------------


def test_a_path_that_does_not_exist_is_told_before_anything_is_read(tmp_path: Path) -> None:
    folder = lay(tmp_path, {"a.eml": MESSAGE})
    with pytest.raises(UsageError, match=r"missing\.eml cannot be read: No such file") as failed:
        read_messages([folder, f"{folder}/missing.eml"])
    assert failed.value.exit_code == 2


def test_a_path_with_a_null_is_no_path() -> None:
    with pytest.raises(UsageError, match="it is no path"):
        read_messages(["a\0b"])


# ---- the source ------------------------------------------------------------------------------------------------------


def test_a_source_of_files_gives_bounded_batches_without_a_checkpoint(tmp_path: Path) -> None:
    folder = lay(tmp_path, {f"{number:04}.eml": MESSAGE for number in range(1201)})
    source = FileSource([folder])
    batches = list(source.batches())
    assert source.name == "files"
    assert [len(batch.messages) for batch in batches] == [500, 500, 201]
    assert all(batch.checkpoint is None and batch.total is None for batch in batches)


def test_settling_leaves_files_as_they_are(tmp_path: Path) -> None:
    folder = lay(tmp_path, {"a.eml": MESSAGE})
    source = FileSource([folder])
    (batch,) = source.batches()
    source.settle([Settlement(message.ref, Outcome.REPORT) for message in batch.messages])
    assert (tmp_path / "a.eml").read_bytes() == MESSAGE


def test_standard_input_is_the_processes_own_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(MESSAGE)))
    assert [message.data for batch in FileSource(["-"]).batches() for message in batch.messages] == [MESSAGE]


@pytest.mark.parametrize("size", [9, 10, 11, 70_000, 2_000_000])
def test_a_file_is_read_whole_up_to_the_limit_and_not_beyond(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.eml"
    content = bytes(range(65, 91)) * (size // 26 + 1)
    path.write_bytes(content[:size])

    assert [message.data for message in read_messages([str(path)], max_message=size)] == [content[:size]]
    (refused,) = read_messages([str(path)], max_message=size - 1)
    assert refused.data == b""
    assert refused.error
