"""Messages that a server breaks off at: each is parked in the end, and all others are processed."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from bounceproc.sources.imap.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.crash.ground import Ground

pytestmark = pytest.mark.server

RUNS = 16
"""Enough for two messages with three attempts each, and what is read in between."""


@pytest.mark.parametrize("bad", [{17, 31}, {17, 40}, {1, 2}, {5, 21}], ids=str)
def test_two_messages_that_end_the_conversation_are_parked_both(
    ground: Ground, bad: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = Wire.fetch

    def broken(wire: Wire, uids: Sequence[int], items: str) -> dict[int, dict[bytes, bytes | None]]:
        if bad & set(uids) and "BODY" in items:
            wire._socket.shutdown(socket.SHUT_RDWR)
        return fetch(wire, uids, items)

    monkeypatch.setattr(Wire, "fetch", broken)
    with ground.trial() as trial:
        for _ in range(RUNS):
            if not trial.run().failures:
                break
        else:
            pytest.fail("the mailbox is never read to its end")
        assert trial.progress().recorded == ground.count
        assert trial.progress().unsettled == 0
        parked = [row for row in trial.rows()["message"] if "given up after" in row]
        assert len(parked) == len(bad)
        assert (ground.rows["event"] - trial.rows()["event"]).total() <= len(bad) * 2
