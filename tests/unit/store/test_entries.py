"""Which entry is the strongest, and how one reaches further."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

from bounceproc.store.entries import Entry, strength
from tests.store.kit import DAY, START

ENTRY = Entry(
    key=b"k",
    address="user@example.com",
    is_domain=False,
    scope="*",
    reason="bounce",
    origin="policy",
    since=START,
    until=None,
)


def test_the_strongest_comes_first_whatever_the_order() -> None:
    ranked = [
        ENTRY._replace(reason="manual", origin="manual"),
        ENTRY._replace(reason="bounce", origin="manual"),
        ENTRY._replace(reason="complaint", until=START + DAY),
        ENTRY._replace(reason="unsubscribe"),
        ENTRY._replace(reason="bounce"),
        ENTRY._replace(reason="bounce", is_domain=True),
        ENTRY._replace(reason="bounce", until=START + 2 * DAY),
        ENTRY._replace(reason="bounce", until=START + DAY),
        ENTRY._replace(reason="bounce", until=START + DAY, since=START + DAY),
        ENTRY._replace(reason="import", origin="import"),
        ENTRY._replace(reason="something new"),
        ENTRY._replace(reason="manual", origin="manual", scope="stream:news"),
        ENTRY._replace(reason="unsubscribe", scope="stream:news"),
    ]
    for order in list(permutations(range(5))):
        assert sorted([ranked[n] for n in order] + ranked[5:][::-1], key=strength) == ranked


def test_an_entry_is_extended_and_never_shortened() -> None:
    short = ENTRY._replace(until=START + 10 * DAY)
    assert short.extended(short) is short
    assert short.extended(short._replace(until=START + 5 * DAY, category="other")) is short
    assert ENTRY.extended(short) is ENTRY
    longer = short.extended(short._replace(since=START + 3 * DAY, until=START + 20 * DAY, category="other"))
    assert (longer.since, longer.until, longer.category) == (START, START + 20 * DAY, "other")
    assert short.extended(ENTRY).until is None


def test_an_entry_that_had_ended_begins_anew() -> None:
    short = ENTRY._replace(until=START + 10 * DAY)
    again = short._replace(since=START + 10 * DAY + timedelta(seconds=1), until=START + 30 * DAY)
    assert short.extended(again).since == again.since


def test_the_plaintext_of_the_standing_entry_is_kept() -> None:
    forgotten = ENTRY._replace(address=None, until=START)
    assert forgotten.extended(ENTRY).address is None


def test_the_feed_gets_no_address() -> None:
    assert "user@example.com" not in repr(ENTRY.told())
