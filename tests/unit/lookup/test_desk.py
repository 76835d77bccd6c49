"""Answers come out of memory, follow the feed, and are not given when they would be too old."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bounceproc.address import Address
from bounceproc.errors import UnavailableError
from bounceproc.lookup.bulk.normal import normal_forms
from bounceproc.lookup.desk import Desk, StaleError
from bounceproc.lookup.follower import Follower
from bounceproc.policy.history import Kept
from tests.unit.lookup.lists import FakeList

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bounceproc.ports import Said, Suppression

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def _desk(
    known: FakeList, *, delimiter: str | None = None, path: Path | None = None, confirmed_within: float = 60.0
) -> Desk:
    follower = Follower(known, "0123abcd", path=path)
    follower.load()
    return Desk(known.keys, follower, delimiter=delimiter, confirmed_within=confirmed_within, now=lambda: NOW)


def _ask(desk: Desk, text: str, stream: str | None = None) -> Suppression | None:
    return asyncio.run(desk.answer(desk.of(Address.parse(text)), stream))


def test_an_unknown_address_is_answered_without_the_list() -> None:
    known = FakeList()
    known.add("gone@example.com")
    desk = _desk(known)

    assert _ask(desk, "anybody@example.com") is None
    assert known.questions == 0


def test_a_hit_is_confirmed_once_and_kept() -> None:
    known = FakeList()
    known.add("gone@example.com")
    desk = _desk(known)

    for _ in range(3):
        assert _ask(desk, "Gone@EXAMPLE.com") is not None
    assert known.questions == 1


def test_scope_and_expiry_are_the_lists_and_not_the_indexs() -> None:
    known = FakeList()
    known.add("news@example.com", scope="stream:news")
    known.add("full@example.com", until=NOW)
    known.add("held@example.com", until=NOW + timedelta(seconds=1))
    desk = _desk(known)

    assert _ask(desk, "news@example.com") is not None
    assert _ask(desk, "news@example.com", "news") is not None
    assert _ask(desk, "news@example.com", "invoices") is None
    assert _ask(desk, "full@example.com") is None
    assert _ask(desk, "held@example.com") is not None


def test_a_domain_answers_for_its_addresses_in_every_writing() -> None:
    known = FakeList()
    known.add("@bücher.example")
    desk = _desk(known)

    assert _ask(desk, "a@xn--bcher-kva.example") is not None
    assert _ask(desk, "a@BÜCHER.example") is not None
    assert _ask(desk, "a@sub.bücher.example") is None


def test_an_extension_is_taken_off_where_that_is_asked_for() -> None:
    known = FakeList()
    known.add("user@example.com")

    assert _ask(_desk(known), "user+tag@example.com") is None
    assert _ask(_desk(known, delimiter="+"), "user+tag@example.com") is not None
    assert _ask(_desk(known, delimiter="+"), "+user@example.com") is None


def test_a_decision_to_go_on_sending_beats_the_domain_and_costs_nothing_where_no_domain_is_hit(tmp_path: Path) -> None:
    kept = Kept("*", NOW - timedelta(days=1), NOW + timedelta(days=1))
    known = FakeList()
    known.add("@dead.example")
    known.keep("boss@dead.example", kept)
    known.keep("boss@live.example", kept)
    known.keep("over@dead.example", Kept("*", NOW - timedelta(days=2), NOW))
    for _ in range(2):  # once the index is made, once it comes from the snapshot
        desk = _desk(known, path=tmp_path / "index")
        desk.follower._delta.clear()

        assert _ask(desk, "boss@dead.example") is None
        assert _ask(desk, "over@dead.example") is not None
        asked = known.questions
        assert _ask(desk, "anybody@dead.example") is not None
        assert desk.of(Address.parse("boss@live.example")).keys == ()
        assert known.questions == asked


def test_a_decision_is_answered_when_the_feed_was_read_and_is_not_lost_with_a_new_index() -> None:
    known = FakeList()
    known.add("@dead.example")
    desk = _desk(known, delimiter="+")
    assert _ask(desk, "boss@dead.example") is not None

    known.keep("boss@dead.example", Kept("*", NOW, None))
    desk.follower._catch_up()
    assert _ask(desk, "boss@dead.example") is None
    desk.follower._rebuild()
    assert _ask(desk, "Boss+tag@dead.example") is None
    known.add("@dead.example", reason="complaint")
    desk.follower._catch_up()
    assert _ask(desk, "boss@dead.example") is not None


def test_many_questions_are_those_of_each() -> None:
    known = FakeList()
    for name in ("gone@example.com", "user@example.org", '"a+b c"@example.net', "@dead.example"):
        known.add(name)
    desk = _desk(known, delimiter="+")
    known.add("late@example.com")  # in what changed since the index was made
    desk.follower._catch_up()
    asked = ["ok@example.com", "gone@example.com", "user+tag@example.org", "+user@example.org", '"a+b c"@example.net']
    asked += ["a@dead.example", "late@example.com", "late+x@example.com", "a@b+c.example", "nobody"]
    forms = normal_forms([text.encode() for text in asked])

    found = desk.of_many(forms)

    assert sorted(place for place, question in found.items() if question.keys) == [1, 2, 4, 5, 6, 7]
    assert all(question == desk.of(Address.parse(asked[place])) for place, question in found.items())
    assert desk.of_many(normal_forms([b"ok@example.com"])) == {}


def test_a_hash_is_a_question() -> None:
    known = FakeList()
    known.add("user@example.com")
    desk = _desk(known)

    assert asyncio.run(desk.answer(desk.of_sha256(Address.parse("user@example.com").sha256()), None)) is not None
    assert asyncio.run(desk.answer(desk.of_sha256(bytes(32)), None)) is None


def test_a_change_is_answered_when_the_feed_was_read(tmp_path: Path) -> None:
    known = FakeList()
    known.add("gone@example.com")
    desk = _desk(known, path=tmp_path / "index")
    assert _ask(desk, "gone@example.com") is not None

    known.add("new@example.com")
    known.remove("gone@example.com")
    desk.follower._catch_up()

    assert _ask(desk, "new@example.com") is not None
    assert _ask(desk, "gone@example.com") is None


def test_a_start_takes_the_snapshot_and_what_changed_since(tmp_path: Path) -> None:
    known = FakeList()
    known.add("old@example.com")
    _desk(known, path=tmp_path / "index")
    known.add("new@example.com")
    known.prefixes = None  # type: ignore[method-assign, assignment]

    desk = _desk(known, path=tmp_path / "index")

    assert _ask(desk, "old@example.com") is not None
    assert _ask(desk, "new@example.com") is not None


def test_a_snapshot_of_a_later_state_of_the_database_is_not_taken(tmp_path: Path) -> None:
    known = FakeList()
    known.add("lifted@example.com")
    backup = FakeList({key: list(entries) for key, entries in known.entries.items()}, feed=list(known.feed))
    known.remove("lifted@example.com")
    _desk(known, path=tmp_path / "index")

    assert _ask(_desk(backup, path=tmp_path / "index"), "lifted@example.com") is not None


def test_a_snapshot_of_another_history_of_the_same_length_is_not_taken(tmp_path: Path) -> None:
    one, other = FakeList(), FakeList()
    one.add("one@example.com")
    other.add("other@example.com")
    _desk(one, path=tmp_path / "index")

    assert _ask(_desk(other, path=tmp_path / "index"), "other@example.com") is not None
    assert _ask(_desk(other, path=tmp_path / "index"), "one@example.com") is None


@pytest.mark.parametrize("later", [0, 1, 5], ids=["behind", "as-far", "further"])
def test_a_database_put_back_under_a_running_server_is_read_anew(later: int) -> None:
    known = FakeList()
    known.add("lifted@example.com")
    entries, feed = {key: list(standing) for key, standing in known.entries.items()}, list(known.feed)
    known.remove("lifted@example.com")
    desk = _desk(known)
    assert _ask(desk, "lifted@example.com") is None

    known.entries, known.feed = entries, feed
    for number in range(later):
        known.add(f"since{number}@example.com")
    desk.follower._catch_up()

    assert _ask(desk, "lifted@example.com") is not None
    assert all(_ask(desk, f"since{number}@example.com") is not None for number in range(later))


def test_nothing_is_answered_while_a_database_that_was_put_back_is_read() -> None:
    known = FakeList()
    known.add("old@example.com")
    desk = _desk(known)
    known.feed = []
    read = known.prefixes

    def watched() -> Iterator[bytes]:
        assert not desk.is_fresh()
        return read()

    known.prefixes = watched  # type: ignore[method-assign]
    desk.follower._catch_up()

    assert desk.is_fresh()


def test_an_index_of_another_database_never_takes_the_place_of_ours() -> None:
    known = FakeList()
    known.add("ours@example.com")
    desk = _desk(known)
    other = FakeList()
    other.add("theirs@example.com")

    desk.follower._swap(_desk(other).follower._made())

    assert _ask(desk, "ours@example.com") is not None


def test_an_index_made_anew_has_what_came_meanwhile() -> None:
    known = FakeList()
    known.add("old@example.com")
    desk = _desk(known)
    made = desk.follower._made()
    known.add("meanwhile@example.com")
    desk.follower._catch_up()

    desk.follower._swap(made)

    assert _ask(desk, "meanwhile@example.com") is not None
    assert _ask(desk, "old@example.com") is not None


def test_a_list_that_fell_silent_ends_the_answers() -> None:
    known = FakeList()
    desk = _desk(known)
    desk.follower.answered_at -= 61

    with pytest.raises(StaleError):
        desk.of(Address.parse("a@example.com"))


def test_a_hit_that_cannot_be_confirmed_is_no_answer() -> None:
    known = FakeList()
    known.add("gone@example.com")
    desk = _desk(known)
    known.broken = True

    with pytest.raises(UnavailableError):
        _ask(desk, "gone@example.com")
    assert _ask(desk, "fine@example.com") is None


class _Silent(FakeList):
    """A list that says nothing until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()

    def standing(self, keys: Sequence[bytes]) -> dict[bytes, tuple[Said, ...]]:
        self.may.wait()
        return super().standing(keys)


def test_a_hit_that_is_not_confirmed_in_time_is_no_answer_and_one_that_comes_later_is_kept() -> None:
    known = _Silent()
    known.add("gone@example.com")
    desk = _desk(known, confirmed_within=0.01)
    question = desk.of(Address.parse("gone@example.com"))

    async def asked() -> None:
        try:
            with pytest.raises(UnavailableError, match=r"said nothing for 0\.01 seconds"):
                await desk.answer(question, None)
        finally:
            known.may.set()  # the end of the loop waits for the thread

    asyncio.run(asked())
    known_now, entry = desk.at_hand(question, None)
    assert known_now
    assert entry is not None
