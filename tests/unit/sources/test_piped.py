"""One message on standard input."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from bounceproc.sources import piped
from bounceproc.sources.piped import PipedSource

if TYPE_CHECKING:
    import pytest

MESSAGE = b"Subject: one\n\nbody\n"


def test_it_is_one_message_whatever_is_in_it() -> None:
    several = MESSAGE + b"\nFrom a@example.com Tue Nov 24 02:00:00 2026\n" + MESSAGE
    (batch,) = PipedSource(io.BytesIO(several)).batches()
    assert [message.data for message in batch.messages] == [several]


def test_the_from_line_of_a_delivery_agent_is_skipped() -> None:
    (batch,) = PipedSource(io.BytesIO(b"From a@example.com Tue Nov 24 02:00:00 2026\n" + MESSAGE)).batches()
    assert batch.messages[0].data == MESSAGE


def test_each_message_has_a_place_of_its_own_and_the_same_one_has_the_same() -> None:
    def ref(data: bytes) -> str:
        (batch,) = PipedSource(io.BytesIO(data)).batches()
        return batch.messages[0].ref

    assert ref(MESSAGE) == ref(MESSAGE) != ref(MESSAGE + b"more\n")


def test_a_long_message_is_read_to_its_end_and_kept_by_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piped, "READ_SIZE", 50)
    monkeypatch.setattr(piped, "HEAD_BYTES", 40)
    stream = io.BytesIO(MESSAGE + b"x" * 1000)
    (batch,) = PipedSource(stream, max_message=200).batches()
    assert batch.messages[0].data == (MESSAGE + b"x" * 1000)[:40]
    assert batch.messages[0].error is None
    assert stream.read() == b""
