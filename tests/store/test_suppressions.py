"""The list: policy's entries and people's, who wins, what is in force, and how it is read."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from bounceproc.address import Address
from bounceproc.errors import ConsentError
from bounceproc.policy.verdict import Decision, Verdict
from bounceproc.ports import Loaded, Wish
from bounceproc.store import feed, suppressions
from tests.store.kit import DAY, START, Bench, bounce, complaint, delivery, reading, soft, unsubscribe


def test_a_hard_bounce_suppresses_its_address_and_nobody_else(bench: Bench) -> None:
    bench.process(reading(bounce("User@Example.COM")))
    entry = bench.answer("user@example.com")
    assert entry is not None
    assert (entry.address, entry.scope, entry.reason, entry.origin) == ("user@example.com", "*", "bounce", "policy")
    assert (entry.category, entry.class_, entry.until) == ("bad-mailbox", "hard", None)
    assert entry.since == START + timedelta(minutes=1)
    assert entry.ref == bench.rows("event")[0]["id"].hex()
    assert entry.note == "bad-mailbox: 1 message on 1 day"
    assert bench.answer("other@example.com") is None


def test_the_same_verdict_twice_changes_nothing(bench: Bench) -> None:
    verdict = _verdict(bench, until=START + 30 * DAY)
    assert _apply(bench, verdict) == 1
    assert _apply(bench, verdict) == 0
    assert _apply(bench, verdict, verdict) == 0
    assert bench.store.suppressions.version() == 1


def test_a_verdict_extends_an_entry_and_never_shortens_it(bench: Bench) -> None:
    assert _apply(bench, _verdict(bench, until=START + 30 * DAY)) == 1
    assert _apply(bench, _verdict(bench, until=START + 20 * DAY)) == 0
    assert _apply(bench, _verdict(bench, since=START + DAY, until=START + 40 * DAY)) == 1
    (row,) = bench.store.suppressions.suppressions(now=START)
    assert (row.since, row.until) == (START, START + 40 * DAY)
    assert _apply(bench, _verdict(bench, until=None)) == 1
    assert [change.action for change in bench.store.suppressions.changes(since=0)] == ["add", "change", "change"]


def test_an_entry_that_had_ended_begins_anew(bench: Bench) -> None:
    _apply(bench, _verdict(bench, until=START + 30 * DAY))
    _apply(bench, _verdict(bench, since=START + 90 * DAY, until=START + 120 * DAY))
    (row,) = bench.store.suppressions.suppressions(now=START)
    assert (row.since, row.until) == (START + 90 * DAY, START + 120 * DAY)


def test_only_policys_own_entries_are_lifted_by_a_delivery(bench: Bench) -> None:
    bench.suppress("user@example.com", reason="bounce", origin="import")
    full = [reading(soft(at=START + n * DAY), ref=str(n)) for n in (0, 5, 10, 15)]
    assert bench.process(*full)[1] == 0  # they are from long ago and would have expired by now
    bench.now = START + 20 * DAY
    assert bench.process(reading(soft(at=START + 16 * DAY), ref="one more"))[1] == 1
    assert bench.process(reading(delivery(at=START + 17 * DAY), ref="delivered"))[1] == 1
    standing = list(bench.store.suppressions.suppressions(now=bench.now))
    assert [(entry.origin, entry.reason) for entry in standing] == [("import", "bounce")]


def test_what_a_person_decided_beats_policy(bench: Bench) -> None:
    bench.process(reading(complaint(), ref="1"), reading(bounce(at=START + DAY), ref="2"))
    assert bench.suppress("user@example.com", note="by phone", until=bench.now + DAY)
    entry = bench.answer("user@example.com")
    assert entry is not None
    assert (entry.origin, entry.reason, entry.note) == ("manual", "manual", "by phone")
    later = bench.answer("user@example.com", now=bench.now + DAY)
    assert later is not None
    assert (later.origin, later.reason) == ("policy", "complaint")


def test_an_entry_is_in_force_until_its_moment_and_not_at_it(bench: Bench) -> None:
    bench.suppress("user@example.com", until=bench.now + DAY)
    assert bench.answer("user@example.com", now=bench.now + DAY - timedelta(microseconds=1))
    assert bench.answer("user@example.com", now=bench.now + DAY) is None
    listed = bench.store.suppressions
    assert list(listed.suppressions(now=bench.now + DAY)) == []
    assert len(list(listed.suppressions(now=bench.now + DAY, include_expired=True))) == 1


def test_a_stream_has_its_own_entries_and_those_of_all_streams(bench: Bench) -> None:
    bench.process(reading(unsubscribe(stream="news")))
    assert bench.answer("user@example.com", stream="news")
    assert bench.answer("user@example.com", stream="billing") is None
    anyhow = bench.answer("user@example.com")
    assert anyhow is not None
    assert (anyhow.scope, anyhow.reason) == ("stream:news", "unsubscribe")
    bench.process(reading(bounce(at=START + DAY), ref="2"))
    for stream in ("news", "billing", None):
        found = bench.answer("user@example.com", stream=stream)
        assert found is not None
        assert found.scope == "*"


def test_a_whole_domain_answers_for_its_addresses(bench: Bench) -> None:
    bench.suppress("@Example.COM")
    entry = bench.answer("anybody@example.com")
    assert entry is not None
    assert entry.address == "@example.com"
    assert bench.answer("anybody@sub.example.com") is None
    bench.suppress("somebody@example.com")
    own = bench.answer("somebody@example.com")
    assert own is not None
    assert own.address == "somebody@example.com"
    status = bench.store.suppressions.status(Address.parse("somebody@example.com"), stream=None, now=bench.now)
    assert [found.address for found in status.suppressions] == ["somebody@example.com", "@example.com"]


def test_policy_suppresses_a_dead_domain(bench: Bench) -> None:
    bench.now = START + 12 * DAY
    given = [reading(soft(f"u{n % 3}@dead.example", "expired", at=START + n * 2 * DAY), ref=str(n)) for n in range(6)]
    assert bench.process(*given)[1] == 1
    entry = bench.answer("fresh@dead.example")
    assert entry is not None
    assert (entry.address, entry.reason, entry.category) == ("@dead.example", "bounce", "expired")


def test_suppressing_by_hand_twice_is_once(bench: Bench) -> None:
    assert bench.suppress("user@example.com", note="a")
    assert not bench.suppress("user@example.com", note="a", now=bench.now + DAY)
    assert bench.suppress("user@example.com", note="b", now=bench.now + 2 * DAY)
    (entry,) = bench.store.suppressions.suppressions(now=bench.now)
    assert (entry.note, entry.since) == ("b", bench.now)
    assert [change.actor for change in bench.store.suppressions.changes(since=0)] == ["tester", "tester"]


def test_an_import_is_kept_apart_from_what_people_typed(bench: Bench) -> None:
    bench.suppress("user@example.com", reason="import")
    bench.suppress("user@example.com", reason="bounce", origin="import")
    bench.suppress("user@example.com", reason="bounce")
    found = {(entry.reason, entry.origin) for entry in bench.store.suppressions.suppressions(now=bench.now)}
    assert found == {("import", "import"), ("bounce", "import"), ("bounce", "manual")}


def test_an_import_is_one_transaction_and_counts_what_is_new(bench: Bench) -> None:
    subjects = [Address.parse(f"u{n}@example.com") for n in range(1200)]
    wishes = [Wish(subject, "*", "bounce", None, "from the old system") for subject in subjects]
    put = bench.store.suppressions.suppress_many
    assert put(wishes[:1000], origin="import", actor="tester", now=bench.now) == 1000
    assert put(wishes + wishes, origin="import", actor="tester", now=bench.now) == 200
    assert put([], origin="import", actor="tester", now=bench.now) == 0
    assert bench.store.suppressions.version() == 1200
    assert {change.suppression.origin for change in bench.store.suppressions.changes(since=0)} == {"import"}


def test_the_same_list_twice_changes_nothing_whatever_its_order(bench: Bench) -> None:
    user = Address.parse("user@example.com")
    ends = [bench.now + n * DAY for n in (9, 3, 7)]
    wishes = [Wish(user, "*", "bounce", end, f"until {end}", since=START) for end in ends]
    load = bench.store.suppressions.load
    for wish in wishes:
        load([wish], actor="tester", now=bench.now)
    before = {name: bench.rows(name) for name in ("suppression", "suppression_change", "address")}
    for part in (wishes, wishes[::-1], *([wish] for wish in wishes)):
        assert load(part, actor="tester", now=bench.now) == Loaded(known=len(part))
    assert {name: bench.rows(name) for name in before} == before
    (entry,) = bench.store.suppressions.suppressions(now=bench.now)
    assert (entry.since, entry.until) == (START, ends[0])


def test_a_list_never_shortens_and_never_beats_a_decision_to_go_on_sending(bench: Bench) -> None:
    user, other = Address.parse("user@example.com"), Address.parse("other@example.com")
    load = bench.store.suppressions.load
    assert load([Wish(user, "*", "bounce")], actor="t", now=bench.now) == Loaded(added=1)
    assert load([Wish(user, "*", "bounce", bench.now + DAY)], actor="t", now=bench.now) == Loaded(known=1)
    assert load([Wish(other, "*", "bounce", bench.now - DAY)], actor="t", now=bench.now) == Loaded(over=1)
    bench.store.keeping.keep(other, scope="*", until=None, note="ours", consent=None, actor="t", now=bench.now)
    assert load([Wish(other, "*", "bounce")], actor="t", now=bench.now) == Loaded(kept=1)
    assert load([Wish(other, "*", "complaint")], actor="t", now=bench.now) == Loaded(added=1)


def test_a_dry_run_of_a_list_says_the_same_and_changes_nothing(bench: Bench) -> None:
    wishes = [Wish(Address.parse(f"u{n % 70}@example.com"), "*", "bounce") for n in range(100)]
    load = bench.store.suppressions.load
    tables = ("suppression", "suppression_change", "address")
    assert load(wishes, actor="t", now=bench.now, dry_run=True) == Loaded(added=70, known=30)
    assert [bench.rows(name) for name in tables] == [[], [], []]
    assert load(wishes, actor="t", now=bench.now) == Loaded(added=70, known=30)


def test_a_part_of_a_list_has_as_few_statements_as_one_row(bench: Bench) -> None:
    def statements(count: int) -> int:
        seen: list[str] = []

        def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
            seen.append(statement)

        wishes = [Wish(Address.parse(f"u{n}@d{count}.example"), "*", "bounce") for n in range(count)]
        sa.event.listen(bench.database._engine, "before_cursor_execute", note)
        bench.store.suppressions.load(wishes, actor="t", now=bench.now)
        sa.event.remove(bench.database._engine, "before_cursor_execute", note)
        return len(seen)

    assert statements(1) == statements(1000) <= 15


def test_a_complaint_is_lifted_only_with_a_stated_consent(bench: Bench) -> None:
    bench.process(reading(complaint()), reading(bounce(), ref="2"))
    bench.suppress("user@example.com", scope="stream:news", reason="complaint")
    lift = bench.store.suppressions.lift
    user = Address.parse("user@example.com")
    for consent in (None, "", "  "):
        with pytest.raises(ConsentError, match="complaint"):
            lift(user, scope=None, note="a mistake", consent=consent, actor="t", now=bench.now)
    assert bench.count("suppression") == 3, "nothing was lifted"
    assert bench.count("suppression_change") == 3
    assert lift(user, scope=None, note="a mistake", consent="her letter of 2 March", actor="t", now=bench.now) == 3
    assert {row["note"] for row in bench.rows("suppression_change")[3:]} == {
        "a mistake; consent: her letter of 2 March"
    }


def test_lifting_by_hand_lifts_everything_and_old_evidence_never_brings_it_back(bench: Bench) -> None:
    bench.process(reading(bounce()), reading(unsubscribe(stream="news"), ref="2"))
    bench.suppress("user@example.com")
    assert bench.lift("user@example.com") == 3
    assert bench.answer("user@example.com") is None
    assert bench.process(reading(bounce(at=START + DAY), ref="3"))[1] == 0
    assert bench.lift("user@example.com") == 0
    assert bench.process(reading(bounce(at=bench.now + DAY), ref="4"))[1] == 1
    *_, removed, added = bench.store.suppressions.changes(since=0)
    assert (removed.action, removed.actor, added.action, added.actor) == ("remove", "tester", "add", "policy")


def test_lifting_one_scope_leaves_the_others(bench: Bench) -> None:
    bench.suppress("user@example.com", scope="stream:news")
    bench.suppress("user@example.com", scope="*")
    assert bench.lift("user@example.com", scope="stream:news") == 1
    assert [entry.scope for entry in bench.store.suppressions.suppressions(now=bench.now)] == ["*"]


def test_many_are_checked_at_once(bench: Bench) -> None:
    bench.process(*(reading(bounce(f"u{n}@d{n % 7}.example"), ref=str(n)) for n in range(0, 3000, 3)))
    asked = [Address.parse(f"u{n}@d{n % 7}.example") for n in range(3000)]
    found = bench.store.suppressions.check(asked, stream=None, now=bench.now)
    assert set(found) == {f"u{n}@d{n % 7}.example" for n in range(0, 3000, 3)}


def test_the_story_of_an_address_is_told_newest_first(bench: Bench) -> None:
    first, second = soft(at=START), complaint(at=START + DAY)
    bench.process(reading(first, ref="1"), reading(second, ref="2"))
    status = bench.store.suppressions.status(Address.parse("USER@example.com"), stream=None, now=bench.now)
    assert status.address == "USER@example.com"
    assert [recorded.event for recorded in status.events] == [second, first]
    newest = status.events[0]
    assert (newest.source, newest.ref, newest.kind, newest.detector) == ("returns", "2", "dsn", "rfc3464")
    assert status.suppressions[0].ref == newest.id


def test_the_list_and_the_feed_are_read_in_pages(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppressions, "PAGE", 3)
    monkeypatch.setattr(feed, "PAGE", 3)
    bench.process(*(reading(bounce(f"u{n}@example.com"), ref=str(n)) for n in range(9)))
    listed = bench.store.suppressions.suppressions(now=bench.now)
    first = next(listed)
    bench.suppress(
        "late@example.com"
    )  # a reader between two pages holds up no writer, and sees what came behind its page
    rest = list(listed)
    assert len({first.key, *(entry.key for entry in rest)}) == 10
    assert [change.version for change in bench.store.suppressions.changes(since=0)] == list(range(1, 11))
    assert [change.version for change in bench.store.suppressions.changes(since=8)] == [9, 10]
    assert bench.store.suppressions.version() == 10


def test_the_feed_tells_what_an_entry_was_and_is(bench: Bench) -> None:
    bench.suppress("user@example.com", until=bench.now + DAY)
    bench.suppress("user@example.com", note="for good")
    bench.lift("user@example.com")
    added, changed, removed = bench.store.suppressions.changes(since=0)
    assert (added.suppression.until, changed.suppression.until) == (bench.now + DAY, None)
    assert removed.suppression == changed.suppression
    before, after = (bench.rows("suppression_change")[1][name] for name in ("before", "after"))
    assert before != after


def _verdict(bench: Bench, *, since: datetime = START, until: datetime | None = None) -> Verdict:
    key = bench.store.keys.of(Address.parse("user@example.com"))
    decision = Decision("*", "bounce", START, None, "mailbox-full", "soft", b"e" * 16, "counted")
    return Verdict(key, False, (decision._replace(since=since, until=until),))


def _apply(bench: Bench, *verdicts: Verdict) -> int:
    with bench.store.ledger.batch("returns") as batch:
        return batch.apply(verdicts)


def test_a_delivery_to_any_address_of_a_dead_domain_lets_it_go(bench: Bench) -> None:
    bench.now = START + 12 * DAY
    given = [reading(soft(f"u{n % 3}@dead.example", "expired", at=START + n * 2 * DAY), ref=str(n)) for n in range(6)]
    assert bench.process(*given)[1] == 1
    assert bench.answer("anybody@dead.example") is not None
    assert bench.process(reading(delivery("u9@dead.example", at=START + 11 * DAY), ref="ok"))[1] == 1
    assert bench.answer("anybody@dead.example") is None
    assert [change.action for change in bench.store.suppressions.changes(since=0)] == ["add", "remove"]


def test_what_a_delivery_leaves_is_all_that_is_left_whatever_came_first(bench: Bench) -> None:
    bench.now = START + 40 * DAY
    early = [
        reading(soft("a@example.com", at=START + n * DAY), ref=f"a{n}", at=START + 38 * DAY) for n in (0, 5, 10, 14)
    ]
    late = [reading(soft("a@example.com", at=START + n * DAY), ref=f"b{n}") for n in (16, 20, 25, 30)]
    delivered = reading(delivery("a@example.com", at=START + 15 * DAY), ref="ok")
    bench.process(*early, *late)
    longer = bench.answer("a@example.com")
    bench.process(delivered)
    shorter = bench.answer("a@example.com")
    assert longer is not None
    assert shorter is not None
    assert (longer.until, shorter.until) == (START + 218 * DAY, START + 210 * DAY + timedelta(minutes=1))
