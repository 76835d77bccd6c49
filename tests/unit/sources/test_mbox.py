"""Splitting an mbox."""

from __future__ import annotations

import io
import mailbox
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.sources.mbox import split_mbox

if TYPE_CHECKING:
    from pathlib import Path

FROM = b"From bounces@example.com Tue Nov 24 02:00:00 2026\n"


def split(content: bytes, limit: int = 10**6) -> list[bytes | None]:
    return list(split_mbox(io.BytesIO(content), limit))


def test_messages_come_without_their_from_lines_and_the_blank_line_behind() -> None:
    assert split(FROM + b"A: 1\n\none\n\n" + FROM + b"A: 2\n\ntwo\n\n") == [b"A: 1\n\none\n", b"A: 2\n\ntwo\n"]


def test_line_ends_are_kept() -> None:
    crlf = (FROM + b"A: 1\n\none\n\n" + FROM + b"A: 2\n\ntwo\n").replace(b"\n", b"\r\n")
    assert split(crlf) == [b"A: 1\r\n\r\none\r\n", b"A: 2\r\n\r\ntwo\r\n"]


def test_quoted_from_lines_lose_one_mark() -> None:
    assert split(FROM + b"A: 1\n\n>From here\n>>From there\n> From\n") == [b"A: 1\n\nFrom here\n>From there\n> From\n"]


@pytest.mark.parametrize(
    "line",
    [
        b"From MAILER-DAEMON Tue Nov 24 02:00:00 2026",
        b"From - Tue Nov 24 02:00:00 2026",
        b"From 1234@xxx Tue Nov 24 02:00:00 +0000 2026",
        b'From "two words"@example.com Tue, 24 Nov 2026 02:00',
        b"From MAILER-DAEMON",
        b"From ",
    ],
)
def test_from_lines_of_all_makers_are_known(line: bytes) -> None:
    assert split(FROM + b"A: 1\n\none\n\n" + line + b"\nA: 2\n\ntwo\n") == [b"A: 1\n\none\n", b"A: 2\n\ntwo\n"]


@pytest.mark.parametrize(
    "body",
    [
        b"a line\nFrom me Tue Nov 24 02:00:00 2026\nA: 2\n",
        b"\nFrom here on it goes\nuphill.\n",
        b"\nFrom here: https://example.com/\n",
        b"\nFrom now on\nhttps://example.com/ is ours.\n",
        b"\nFrom",
    ],
)
def test_prose_that_begins_with_from_is_prose(body: bytes) -> None:
    assert split(FROM + b"A: 1\n\n" + body) == [b"A: 1\n\n" + body]


def test_what_stands_before_the_first_from_line_is_not_dropped() -> None:
    assert split(b"\n\nA: 0\n\nzero\n\n" + FROM + b"A: 1\n\none\n") == [b"A: 0\n\nzero\n", b"A: 1\n\none\n"]


def test_an_empty_mbox_has_no_message() -> None:
    assert split(b"") == split(b"\n\n") == []


def test_a_message_without_content_is_one() -> None:
    assert split(FROM + b"\n" + FROM + b"A: 2\n") == [b"\n", b"A: 2\n"]


def test_a_message_that_is_too_large_is_none_and_the_next_is_read() -> None:
    content = FROM + b"A: 1\n\n" + b"x" * 500 + b"\n\n" + FROM + b"A: 2\n\ntwo\n"
    assert split(content, 100) == [None, b"A: 2\n\ntwo\n"]


def test_a_line_longer_than_the_buffer_is_one_line() -> None:
    body = b"x" * 65536 + b"\nFrom me Tue Nov 24 02:00:00 2026\n" + b"y" * 65535 + b"\n\n"
    assert split(FROM + b"A: 1\n\n" + body) == [b"A: 1\n\n" + body[:-1]]


def test_a_hostile_from_line_costs_no_time() -> None:
    began = time.monotonic()
    split(FROM + b"A: 1\n\nFrom " + b"Mon " * 500_000 + b"\n")
    assert time.monotonic() - began < 1


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_can_be_split(parts: list[bytes]) -> None:
    content = (b"\n\n" + FROM).join(parts)
    assert all(message is not None for message in split(content))


def test_what_the_standard_library_writes_is_read_as_it_was(tmp_path: Path) -> None:
    messages = [b"A: %d\n\nFrom the start,\n\nFrom me Tue Nov 24 02:00:00 2026\n\n" % number for number in range(3)]
    box = mailbox.mbox(tmp_path / "box")
    for message in messages:
        box.add(message)
    box.close()
    assert split((tmp_path / "box").read_bytes()) == messages
