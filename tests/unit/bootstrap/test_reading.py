"""What other processes get to read at a time."""

from __future__ import annotations

from bounceproc.bootstrap import reading
from bounceproc.rawmessage import RawMessage


def test_chunks_are_bounded_in_messages_and_octets_and_keep_the_order() -> None:
    small = [RawMessage(f"s{number}", b"x", None) for number in range(reading.CHUNK + 1)]
    large = [RawMessage(f"l{number}", bytes(reading.CHUNK_BYTES // 2), None) for number in range(3)]

    chunks = [*reading.in_chunks([*small, *large])]

    assert [message.ref for chunk in chunks for message in chunk] == [message.ref for message in (*small, *large)]
    assert [len(chunk) for chunk in chunks] == [reading.CHUNK, 2, 2]
