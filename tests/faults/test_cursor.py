"""The cursor is UIDVALIDITY and UID: a folder without news costs no search, whatever else changed in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers.proxy import Way

if TYPE_CHECKING:
    from tests.crash.ground import Ground

pytestmark = pytest.mark.server


def test_flags_and_moves_of_others_are_no_news_and_cost_neither_search_nor_fetch(ground: Ground) -> None:
    with ground.trial() as trial:
        assert not trial.run().failures
        with trial.user.connected() as client:
            client.select_folder("INBOX")
            left = client.search()
            assert left, "ordinary mail stays"
            client.add_flags(left, [b"\\Flagged", b"\\Seen"])
            client.move(left[:1], "Processed")
        ground.proxy.forget()
        (summary,) = trial.run().summaries
        assert summary.messages == 0
        (conversation,) = ground.proxy.conversations
        said = bytes(conversation.passed[Way.UP])
        assert b"SELECT" in said
        assert b"SEARCH" not in said
        assert b"FETCH" not in said
        (row,) = trial.house.snapshot()["checkpoint"]
        assert row["modseq"] is None, "nobody followed changes"
