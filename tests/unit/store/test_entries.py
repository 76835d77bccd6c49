"""Which entry is the strongest, and how one reaches further."""

from __future__ import annotations

from dataclasses import replace
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
        replace(ENTRY, reason="manual", origin="manual"),
        replace(ENTRY, reason="bounce", origin="manual"),
        replace(ENTRY, reason="complaint", until=START + DAY),
        replace(ENTRY, reason="unsubscribe"),
        replace(ENTRY, reason="bounce"),
        replace(ENTRY, reason="bounce", is_domain=True),
        replace(ENTRY, reason="bounce", until=START + 2 * DAY),
        replace(ENTRY, reason="bounce", until=START + DAY),
        replace(ENTRY, reason="bounce", until=START + DAY, since=START + DAY),
        replace(ENTRY, reason="import", origin="import"),
        replace(ENTRY, reason="something new"),
        replace(ENTRY, reason="manual", origin="manual", scope="stream:news"),
        replace(ENTRY, reason="unsubscribe", scope="stream:news"),
    ]
    for order in list(permutations(range(5))):
        assert sorted([ranked[n] for n in order] + ranked[5:][::-1], key=strength) == ranked


def test_an_entry_is_extended_and_never_shortened() -> None:
    short = replace(ENTRY, until=START + 10 * DAY)
    assert short.extended(short) is short
    assert short.extended(replace(short, until=START + 5 * DAY, category="other")) is short
    assert ENTRY.extended(short) is ENTRY
    longer = short.extended(replace(short, since=START + 3 * DAY, until=START + 20 * DAY, category="other"))
    assert (longer.since, longer.until, longer.category) == (START, START + 20 * DAY, "other")
    assert short.extended(ENTRY).until is None


def test_an_entry_that_had_ended_begins_anew() -> None:
    short = replace(ENTRY, until=START + 10 * DAY)
    again = replace(short, since=START + 10 * DAY + timedelta(seconds=1), until=START + 30 * DAY)
    assert short.extended(again).since == again.since


def test_the_plaintext_of_the_standing_entry_is_kept() -> None:
    forgotten = replace(ENTRY, address=None, until=START)
    assert forgotten.extended(ENTRY).address is None


def test_the_feed_gets_no_address() -> None:
    assert "user@example.com" not in repr(ENTRY.told())
