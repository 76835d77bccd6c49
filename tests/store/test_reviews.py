"""What cannot be believed suppresses nobody, and waits for a person, once, in bounded room."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.address import Address
from bounceproc.event import Trust
from bounceproc.policy.settings import Policy
from bounceproc.store import reviews
from tests.store.kit import DAY, START, Bench, bounce, complaint, reading, soft

if TYPE_CHECKING:
    from bounceproc.store.reviews import Waiting

TOKENS = Policy(acts=frozenset({Trust.SIGNED, Trust.MATCHED}), counts=frozenset(), reviews=frozenset({Trust.REPORTED}))
USER = Address.parse("user@example.com")


@pytest.fixture(autouse=True)
def _with_tokens(bench: Bench) -> None:
    bench.policy = TOKENS


def waiting(bench: Bench, *, decided: bool = False) -> list[Waiting]:
    return list(bench.store.reviews.listing(now=bench.now, decided=decided))


def later(bench: Bench, number: int, **more: Any) -> None:
    """The next day comes with one more bounce."""
    bench.now += DAY
    bench.process(reading(bounce(at=bench.now - timedelta(hours=1)), ref=f"later {number}"), **more)


def test_reports_without_a_token_however_many_on_however_many_days_only_wait(bench: Bench) -> None:
    given = [reading(bounce(at=START + n * DAY), ref=str(n)) for n in range(30)]
    assert bench.process(*given)[1] == 0
    bench.process(reading(complaint(), ref="c"))
    assert bench.answer("user@example.com") is None
    assert [(one.address, one.reason, one.count, one.cause) for one in waiting(bench)] == [
        ("user@example.com", "bounce", 30, "trust"),
        ("user@example.com", "complaint", 1, "trust"),
    ]


def test_what_would_not_be_enough_does_not_wait(bench: Bench) -> None:
    bench.process(*(reading(soft(at=START + n * DAY), ref=str(n)) for n in range(3)))
    assert waiting(bench) == []


def test_what_is_trusted_acts_and_does_not_wait(bench: Bench) -> None:
    bench.process(reading(bounce(trust=Trust.SIGNED)), reading(bounce(at=START + DAY), ref="2"))
    assert bench.answer("user@example.com") is not None
    assert waiting(bench) == []


def test_confirming_suppresses_by_hand_and_cites_the_events(bench: Bench) -> None:
    bench.process(reading(bounce()), reading(bounce(at=START + DAY), ref="2"))
    assert bench.store.reviews.confirm(USER, note="I called", actor="tester", now=bench.now) == 1
    entry = bench.answer("user@example.com")
    assert entry is not None
    assert (entry.origin, entry.reason, entry.category) == ("manual", "bounce", "bad-mailbox")
    assert entry.note is not None
    assert entry.note.startswith("I called; confirmed on review: bad-mailbox: 1 message on 1 day; events ")
    assert all(row["id"].hex() in entry.note for row in bench.rows("event"))
    assert waiting(bench) == []
    for number in range(5):
        later(bench, number)
    assert waiting(bench) == []
    assert bench.store.reviews.confirm(USER, note=None, actor="tester", now=bench.now) == 0


def test_what_was_dismissed_comes_back_with_new_evidence_alone(bench: Bench) -> None:
    bench.process(reading(bounce()), reading(bounce(at=START + DAY), ref="2"))
    assert bench.store.reviews.dismiss(USER, note="forged", actor="tester", now=bench.now) == 1
    bench.process(reading(bounce(at=START + 2 * DAY), ref="old, read late"))
    later(bench, 1)
    later(bench, 2)
    assert waiting(bench) == []
    assert [one.state for one in waiting(bench, decided=True)] == ["dismissed"]
    later(bench, 3)
    assert [one.count for one in waiting(bench)] == [3]


def test_the_same_again_changes_nothing(bench: Bench) -> None:
    bench.process(reading(bounce()))
    before = bench.rows("review")
    bench.process(reading(bounce()), reading(bounce(), ref="copy"))
    assert bench.rows("review") == before


def test_lifting_by_hand_answers_the_question(bench: Bench) -> None:
    bench.process(reading(bounce()))
    bench.suppress("user@example.com")
    assert waiting(bench) == []
    bench.lift("user@example.com")
    assert waiting(bench, decided=True) == []


def test_what_a_person_overruled_waits_for_a_person(bench: Bench) -> None:
    bench.policy = Policy()
    bench.store.keeping.keep(USER, scope="*", until=None, note="why", consent=None, actor="tester", now=bench.now)
    later(bench, 1)
    assert [(one.cause, one.count) for one in waiting(bench)] == [("kept", 1)]


def test_what_nothing_new_comes_for_is_dropped_and_there_is_room_for_so_many(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reviews, "MAX_OPEN", 3)
    bench.process(*(reading(bounce(f"u{n}@example.com", at=START + n * DAY), ref=str(n)) for n in range(8)))
    with bench.database.writing() as connection:
        assert reviews.purge(connection, before=START + 2 * DAY, limit=100) == 5
    assert sorted(str(one.address) for one in waiting(bench)) == [f"u{n}@example.com" for n in (5, 6, 7)]


def test_the_list_is_read_in_pages(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviews, "PAGE", 2)
    bench.process(*(reading(bounce(f"u{n}@example.com"), ref=str(n)) for n in range(5)))
    assert len({one.address for one in waiting(bench)}) == 5
