"""Whoever holds the list in memory reads all of it that is in force, and what it then says is what the store says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bounceproc.address import Address
from bounceproc.lookup.bulk.judge import Judge
from bounceproc.store import whole
from tests.store.kit import DAY

if TYPE_CHECKING:
    from tests.store.kit import Bench


@pytest.mark.parametrize("stream", [None, "news", "other"])
def test_a_list_held_in_memory_answers_as_the_store_does(
    bench: Bench, stream: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "PAGE", 2)
    bench.suppress("always@example.com")
    bench.suppress("always@example.com", reason="bounce", scope="stream:news")
    bench.suppress("news@example.com", scope="stream:news", reason="unsubscribe")
    bench.suppress("later@example.com", until=bench.now + DAY)
    bench.suppress("over@example.com", until=bench.now - DAY)
    bench.suppress("@gone.example", reason="bounce")
    names = [
        "always@example.com",
        "news@example.com",
        "later@example.com",
        "over@example.com",
        "x@gone.example",
        "y@example.com",
    ]

    read = list(bench.store.suppressions.standing(stream=stream, now=bench.now))
    found = Judge(read, key_of_sha256=bench.store.keys.of_sha256).judge([name.encode() for name in names])

    asked = bench.store.suppressions.check(list(map(Address.parse, names)), stream=stream, now=bench.now)
    assert {names[place]: (why.reason, why.scope) for place, why in found.items()} == {
        name: (entry.reason, entry.scope) for name, entry in asked.items()
    }
    assert bench.store.suppressions.count() == 6
