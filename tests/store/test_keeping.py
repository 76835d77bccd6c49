"""A person's decision to go on sending holds against everything automatic, is never taken back in silence, and ends as it began."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.address import Address
from bounceproc.errors import UsageError
from tests.store.kit import DAY, START, Bench, bounce, complaint, delivery, reading, soft, unsubscribe

if TYPE_CHECKING:
    from bounceproc.ports import Change


def keep(bench: Bench, address: str = "user@example.com", **more: Any) -> int:
    subject = Address.parse_domain(address) if address.startswith("@") else Address.parse(address)
    fields = {"scope": "*", "until": None, "note": "asked by telephone", "consent": None, "actor": "tester"}
    return bench.store.keeping.keep(subject, **{**fields, "now": bench.now, **more})


def end(bench: Bench, address: str = "user@example.com", scope: str | None = None) -> int:
    return bench.store.keeping.end(Address.parse(address), scope=scope, actor="tester", now=bench.now)


def feed(bench: Bench) -> list[Change]:
    return list(bench.store.suppressions.changes(since=0))


def after(bench: Bench, days: int) -> Any:
    """A moment behind the present of the bench, which moves there."""
    bench.now += days * DAY
    return bench.now - timedelta(hours=1)


def test_it_lifts_what_stands_and_holds_against_new_evidence(bench: Bench) -> None:
    bench.process(reading(bounce()))
    assert keep(bench) == 1
    assert bench.answer("user@example.com") is None
    at = after(bench, 3)
    assert bench.process(reading(bounce(at=at), ref="2"), reading(bounce(at=at - DAY), ref="3"))[1] == 0
    assert bench.answer("user@example.com") is None
    assert [change.action for change in feed(bench)] == ["add", "remove", "keep"]


def test_it_is_listed_with_who_when_why_and_until(bench: Bench) -> None:
    keep(bench, until=bench.now + DAY)
    keep(bench, "@example.org", scope="stream:news")
    listed = sorted((one.to_dict() for one in bench.store.keeping.listing(now=bench.now)), key=str)
    assert [one["address"] for one in listed] == ["@example.org", "user@example.com"]
    assert listed[1]["reason"] == "asked by telephone"
    assert listed[1]["by"] == "tester"
    assert [one.address for one in bench.store.keeping.listing(now=bench.now + DAY)] == ["@example.org"]
    assert [change.suppression.note for change in feed(bench)] == ["asked by telephone"] * 2


def test_when_it_is_over_what_is_reported_counts_again_and_what_was_reported_does_not(bench: Bench) -> None:
    keep(bench, until=bench.now + 10 * DAY)
    assert bench.process(reading(bounce(at=after(bench, 5)), ref="1"))[1] == 0
    bench.now += 10 * DAY
    assert (
        bench.process(reading(soft(at=bench.now - DAY), ref="2"))[1] == 0
    )  # decided again, with the bounce from before
    assert bench.process(reading(bounce(at=after(bench, 2)), ref="3"))[1] == 1


def test_it_ends_by_hand_and_the_same_goes_for_that(bench: Bench) -> None:
    keep(bench)
    bench.process(reading(bounce(at=after(bench, 5)), ref="1"))
    assert (end(bench), end(bench)) == (1, 0)
    assert bench.process(reading(soft(at=after(bench, 1)), ref="2"))[1] == 0
    assert bench.process(reading(bounce(at=after(bench, 1)), ref="3"))[1] == 1
    assert [change.action for change in feed(bench)] == ["keep", "unkeep", "add"]


def test_who_complained_or_left_is_mailed_again_only_with_a_stated_consent(bench: Bench) -> None:
    bench.process(reading(complaint()), reading(unsubscribe("leaver@example.com"), ref="2"))
    with pytest.raises(UsageError, match="there for a complaint"):
        keep(bench)
    with pytest.raises(UsageError, match="there for an unsubscribe"):
        keep(bench, "leaver@example.com")
    assert bench.answer("user@example.com") is not None
    assert keep(bench, consent="wrote to us on 3 March") == 1
    assert bench.process(reading(complaint(at=after(bench, 3)), ref="3"))[1] == 0


def test_without_a_consent_a_complaint_acts_all_the_same(bench: Bench) -> None:
    keep(bench)
    at = after(bench, 3)
    assert bench.process(reading(bounce(at=at), ref="1"), reading(complaint(at=at), ref="2"))[1] == 1
    entry = bench.answer("user@example.com")
    assert entry is not None
    assert entry.reason == "complaint"


def test_one_stream_is_one_stream(bench: Bench) -> None:
    keep(bench, scope="stream:news", consent="wrote to us")
    at = after(bench, 3)
    bench.process(reading(unsubscribe(stream="news"), ref="1", at=at), reading(bounce(at=at), ref="2"))
    entry = bench.answer("user@example.com", stream="news")
    assert entry is not None
    assert (entry.reason, entry.scope) == ("bounce", "*")


def test_a_decision_about_an_address_beats_what_is_automatic_about_its_domain(bench: Bench) -> None:
    bench.now = START + 12 * DAY
    keep(bench, "boss@dead.example")
    given = [reading(soft(f"u{n % 3}@dead.example", "expired", at=START + n * 2 * DAY), ref=str(n)) for n in range(6)]
    bench.process(*given)
    assert bench.answer("anybody@dead.example") is not None
    assert bench.answer("boss@dead.example") is None
    status = bench.store.suppressions.status(Address.parse("boss@dead.example"), stream=None, now=bench.now)
    assert status.suppressions == ()
    bench.suppress("@dead.example", note="they are bankrupt")
    assert bench.answer("boss@dead.example") is not None


def test_a_later_suppression_by_hand_ends_it_and_a_list_does_not(bench: Bench) -> None:
    keep(bench)
    assert bench.suppress("user@example.com", reason="import", origin="import") is False
    assert bench.answer("user@example.com") is None
    assert bench.suppress("user@example.com", note="they moved") is True
    assert bench.answer("user@example.com") is not None
    assert list(bench.store.keeping.listing(now=bench.now)) == []
    assert [change.action for change in feed(bench)] == ["keep", "unkeep", "add"]


def test_what_a_person_suppressed_no_delivery_lifts(bench: Bench) -> None:
    bench.suppress("user@example.com")
    bench.process(reading(soft(at=START), ref="1"))
    bench.process(reading(delivery(at=START + DAY), ref="2"))
    entry = bench.answer("user@example.com")
    assert entry is not None
    assert entry.origin == "manual"


def test_nothing_of_an_address_is_kept_where_only_hashes_may_be(bench: Bench) -> None:
    bench.process(reading(bounce()))
    keep(bench, note="x")
    (row,) = [row for row in bench.rows("address") if row["kept"]]
    assert "user@example.com" not in row["kept"]
