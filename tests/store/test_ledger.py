"""The ledger remembers each thing once, in one transaction, on both databases."""

from __future__ import annotations

import random
from datetime import UTC, timedelta
from itertools import permutations
from typing import Any

import pytest
import sqlalchemy as sa

from bounceproc.classify.classifier import default_classifier
from bounceproc.event import EventType, Kind
from bounceproc.pipeline import Pipeline
from bounceproc.policy.history import KEPT_PER_GROUP
from bounceproc.ports import Attempt, Checkpoint, Flight, MessageBatch, Outcome, Settlement
from bounceproc.rawmessage import RawMessage
from tests.store.kit import DAY, START, Bench, bounce, complaint, reading, soft


def test_a_message_is_recorded_with_its_events_and_gives_the_history(bench: Bench) -> None:
    recorded, changed = bench.process(reading(bounce("a@example.com"), bounce("b@example.com")))
    assert (recorded.new, recorded.duplicates, recorded.events) == (1, 0, (2,))
    assert sorted(len(history.evidence) for history in recorded.histories) == [1, 1]
    assert changed == 2
    events = bench.rows("event")
    assert {row["address"] for row in events} == {"a@example.com", "b@example.com"}
    assert {row["status"] for row in events} == {"5.1.1"}


def test_the_same_message_at_the_same_place_changes_nothing_but_is_settled_again(bench: Bench) -> None:
    bench.process(reading(bounce()))
    bench.store.ledger.settled("returns", ["1"])
    before = bench.rows("event"), bench.rows("address"), bench.rows("suppression"), bench.rows("suppression_change")
    recorded, changed = bench.process(reading(bounce()))
    assert (recorded.new, recorded.duplicates, recorded.events, recorded.histories, changed) == (0, 1, (0,), (), 0)
    after = bench.rows("event"), bench.rows("address"), bench.rows("suppression"), bench.rows("suppression_change")
    assert before == after
    assert [row["attempts"] for row in bench.rows("message")] == [2]
    assert bench.store.ledger.unsettled("returns") == [Settlement("1", Outcome.REPORT)]


def test_the_same_message_at_another_place_is_a_duplicate_of_the_first(bench: Bench) -> None:
    bench.process(reading(bounce(), ref="1", body="same"))
    recorded, changed = bench.process(
        reading(bounce(), ref="other", body="same", outcome=Outcome.MALFORMED), source="files"
    )
    assert (recorded.duplicates, recorded.events, changed) == (1, (0,), 0)
    first, second = bench.rows("message")
    assert (second["duplicate_of"], second["outcome"], second["raw"]) == (first["id"], "report", None)
    assert first["raw"] is not None
    assert bench.count("event") == 1


def test_duplicates_inside_one_batch_count_once(bench: Bench) -> None:
    recorded, _ = bench.process(
        reading(bounce(), ref="1", body="same"),
        reading(bounce(), ref="2", body="same"),
        reading(bounce(), ref="2", body="same"),
        reading(bounce("b@example.com"), ref="3"),
    )
    assert (recorded.new, recorded.duplicates, recorded.events) == (2, 2, (1, 0, 0, 1))
    assert [row["duplicate_of"] for row in bench.rows("message")].count(None) == 2
    assert bench.count("message") == 3


def test_rows_behind_numbers_that_were_given_away_before_are_told_right(bench: Bench) -> None:
    bench.process(*[reading(bounce(f"old{n}@example.com"), ref=f"old{n}") for n in range(6)])
    with bench.database.writing() as connection:
        connection.execute(sa.text("DELETE FROM event"))
        connection.execute(sa.text("DELETE FROM message WHERE ref = 'old5'"))
    # Five of these six are new, and the last of them gets a number that is six above the newest row's.
    again = [reading(bounce(f"old{n}@example.com"), ref=f"new{n}", body=f"old{n}") for n in (0, 6, 7, 8, 9, 10)]
    recorded, _ = bench.process(*again)
    assert (recorded.new, recorded.duplicates) == (5, 1)
    places = {row["id"]: row["ref"] for row in bench.rows("message")}
    assert sorted(f"{places[row['message_id']]} {row['address']}" for row in bench.rows("event")) == sorted(
        f"new{n} old{n}@example.com" for n in (6, 7, 8, 9, 10)
    )


def test_the_same_report_in_another_wrapping_counts_once(bench: Bench) -> None:
    bench.process(reading(soft(), ref="1"))
    recorded, _ = bench.process(reading(soft(), ref="2"))
    assert (recorded.new, recorded.events, recorded.histories) == (1, (0,), ())
    recorded, _ = bench.process(reading(soft(at=START + DAY), ref="3"), reading(soft(at=START + DAY), ref="4"))
    assert recorded.events == (1, 0)
    assert bench.count("event") == 2


def test_redacted_complaints_are_never_taken_for_one(bench: Bench) -> None:
    recorded, changed = bench.process(reading(complaint(None), ref="1"), reading(complaint(None), ref="2"))
    assert (recorded.events, recorded.histories, changed) == ((1, 1), (), 0)
    assert [row["key"] for row in bench.rows("event")] == [None, None]


def test_histories_do_not_depend_on_the_order_of_arrival(bench: Bench) -> None:
    categories = ("expired", "mailbox-full", "mailbox-full", "expired")
    found = set()
    for number, order in enumerate(permutations(range(len(categories)))):
        address = f"user@d{number}.example"  # each order of arrival is tried on an address and a domain of its own
        for n in order:
            event = soft(address, categories[n], at=START + n * DAY, original=f"<{n}@sender.example>")
            recorded, _ = bench.process(reading(event, ref=f"{number}-{n}"))
        again = soft(address, "expired", at=START + 9 * DAY, original="<9@sender.example>")
        recorded, _ = bench.process(reading(again, ref=f"{number}-9"))
        found.add(tuple(sorted((h.is_domain, tuple(e.occurred_at for e in h.evidence)) for h in recorded.histories)))
    days = [START + n * DAY for n in (0, 3, 9, 1, 2)]
    assert found == {((False, tuple(days)), (True, tuple(days[:3])))}


def test_no_batch_goes_through_what_earlier_ones_left(bench: Bench) -> None:
    """SQLite plans without knowing how much there is: each question of a batch has an index that leads to its own rows."""
    plans: dict[str, str] = {}

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if bench.database.is_sqlite and statement.startswith(("SELECT", "UPDATE", "DELETE")) and not many:
            asked = cursor.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans[statement] = "; ".join(row[3] for row in asked)

    bench.process(*(reading(bounce(f"u{n}@example.com"), ref=f"{n}") for n in range(3)))
    sa.event.listen(bench.database._engine, "before_cursor_execute", explain)
    bench.process(*(reading(bounce(f"u{n}@example.com"), ref=f"{n}") for n in range(2, 500)))
    with bench.store.ledger.batch("returns") as batch:
        batch.settled([str(n) for n in range(2, 500)])
    sa.event.remove(bench.database._engine, "before_cursor_execute", explain)
    assert len(plans) > 5 or not bench.database.is_sqlite  # PostgreSQL plans by statistics
    for statement, plan in plans.items():
        if "LIMIT ?" not in statement:  # which is one row
            assert "SCAN " not in plan, statement
        assert "duplicate_of=?" not in plan, statement
        assert "ix_message_unsettled" not in plan, statement


def test_a_history_stays_bounded(bench: Bench) -> None:
    many = [reading(soft(at=START + timedelta(hours=n)), ref=str(n)) for n in range(KEPT_PER_GROUP + 8)]
    bench.process(*many[:20])
    recorded, _ = bench.process(*many[20:])
    assert len(recorded.histories[0].evidence) == KEPT_PER_GROUP


def test_what_may_be_the_domains_fault_stands_in_its_history_too(bench: Bench) -> None:
    recorded, _ = bench.process(
        reading(soft("a@example.com", "expired"), ref="1"),
        reading(soft("b@EXAMPLE.com", "dns-failure"), ref="2"),
        reading(soft("c@example.com", "mailbox-full"), ref="3"),
        reading(soft("d@example.com", "expired", type=EventType.DELAY), ref="4"),
    )
    (domain,) = [history for history in recorded.histories if history.is_domain]
    people = {history.key for history in recorded.histories if not history.is_domain}
    assert len(domain.evidence) == 2
    assert {piece.address for piece in domain.evidence} < people
    assert {row["address"] for row in bench.rows("address") if row["is_domain"]} == {"@example.com"}


def test_a_batch_that_raises_leaves_nothing(bench: Bench) -> None:
    def fail() -> None:
        with bench.store.ledger.batch("returns") as batch:
            assert batch.record([reading(bounce())]).new == 1
            batch.advance(Checkpoint("INBOX", 1, 1))
            raise RuntimeError("power failure")

    with pytest.raises(RuntimeError, match="power"):
        fail()
    assert [bench.count(name) for name in ("message", "event", "address", "suppression", "checkpoint")] == [0] * 5


def test_a_batch_is_one_commit_and_few_statements_whatever_its_size(bench: Bench) -> None:
    assert _statements(bench, 20) == _statements(bench, 400)
    assert len(_statements(bench, 40)) <= 22
    # And where everything is known.
    assert _statements(bench, 20) == _statements(bench, 400)


def _statements(bench: Bench, size: int) -> list[str]:
    seen: list[str] = []
    commits: list[sa.Connection] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(" ".join(statement.split()[:3]))

    def commit(connection: sa.Connection) -> None:
        commits.append(connection)

    engine = bench.database._engine
    given = [reading(soft(f"u{n}@d{n}.{size}.example", "expired"), ref=f"{size}-{n}") for n in range(size // 2)]
    given += [reading(bounce(f"h{n}.{size}@example.com"), ref=f"{size}-h{n}") for n in range(size // 2)]
    pipeline = Pipeline(
        ledger=bench.store.ledger, classifier=default_classifier(), policy=bench.policy, clock=lambda: bench.now
    )
    messages = tuple(RawMessage(one.ref, one.raw, None) for one in given)
    ahead = Flight("INBOX;", "INBOX;UIDVALIDITY=7/;UID=", tuple(range(size)))
    batch = MessageBatch(messages, Checkpoint("INBOX", 7, size), ahead=ahead)
    sa.event.listen(engine, "before_cursor_execute", note)
    sa.event.listen(engine, "commit", commit)
    pipeline.record("returns", tuple(given), batch, [f"{size}-{n}" for n in range(size)])
    sa.event.remove(engine, "before_cursor_execute", note)
    sa.event.remove(engine, "commit", commit)
    assert len(commits) == 1
    return seen


def test_settling_closes_the_gap_after_a_crash(bench: Bench) -> None:
    ledger = bench.store.ledger
    bench.process(reading(bounce(), ref="1"), reading(ref="2", outcome=Outcome.UNRECOGNISED, kind=Kind.OTHER))
    bench.process(reading(bounce("c@example.com"), ref="elsewhere"), source="other")
    assert ledger.unsettled("returns") == [Settlement("1", Outcome.REPORT), Settlement("2", Outcome.UNRECOGNISED)]
    ledger.settled("returns", ["1"])
    assert ledger.unsettled("returns") == [Settlement("2", Outcome.UNRECOGNISED)]
    ledger.settled("returns", ["2", "unheard of"])
    assert ledger.unsettled("returns") == []
    assert len(ledger.unsettled("other")) == 1


def test_what_was_recorded_from_a_place_is_known_there_and_nowhere_else(bench: Bench) -> None:
    odd = "/mail/\x00" + "x" * 5_000
    bench.process(reading(bounce(), ref="1"), reading(bounce("b@example.com"), ref=odd))
    bench.process(reading(bounce(), ref="copy"))
    many = [str(number) for number in range(20_000)]
    known = bench.store.ledger.known
    assert known("returns", [*many, odd, odd + "x", "copy"]) == {"1", odd, "copy"}
    assert known("other", ["1"]) == set()
    assert known("returns", []) == set()


def test_what_is_unsettled_is_told_for_each_folder(bench: Bench) -> None:
    for number, folder in enumerate(("INBOX", "INBOX.x", "Junk", "%", "100%25")):
        bench.process(reading(bounce(f"u{number}@example.com"), ref=f"{folder};UIDVALIDITY=7/;UID=1", body=folder))
    ledger = bench.store.ledger
    assert [one.ref for one in ledger.unsettled("returns", "INBOX;")] == ["INBOX;UIDVALIDITY=7/;UID=1"]
    assert [one.ref for one in ledger.unsettled("returns", "%;")] == ["%;UIDVALIDITY=7/;UID=1"]
    assert len(ledger.unsettled("returns")) == 5


def test_what_is_in_the_air_when_a_run_ends_without_a_word_had_an_attempt(bench: Bench) -> None:
    ledger, prefix = bench.store.ledger, "INBOX;UIDVALIDITY=7/;UID="
    ledger.announce("returns", Flight("INBOX;", prefix, (1, 2, 3, 5)))
    ledger.announce("returns", Flight("Junk;", "Junk;UIDVALIDITY=7/;UID=", (1,)))
    with ledger.batch("returns") as batch:
        batch.announce(Flight("INBOX;", prefix, (4, 5)))
    ledger.stranded("returns", "INBOX;")
    ledger.stranded("returns", "INBOX;")  # counted once
    assert ledger.attempts("returns", "INBOX;") == {
        f"{prefix}{uid}": Attempt(1, "the program ended without a word while it was read") for uid in (4, 5)
    }
    ledger.failed("returns", "INBOX;", [f"{prefix}5"], "it hung up")
    assert ledger.attempts("returns", "INBOX;")[f"{prefix}5"] == Attempt(2, "it hung up")
    assert ledger.attempts("returns", "Junk;") == ledger.attempts("other", "INBOX;") == {}
    ledger.stranded("returns", "Junk;")
    assert len(ledger.attempts("returns", "Junk;")) == 1
    with ledger.batch("returns") as batch:
        batch.forgive([f"{prefix}4"])
    assert list(ledger.attempts("returns", "INBOX;")) == [f"{prefix}5"]


def test_what_landed_or_was_never_in_the_air_is_not_counted(bench: Bench) -> None:
    ledger = bench.store.ledger
    ledger.announce("returns", Flight("INBOX;", "INBOX;UIDVALIDITY=7/;UID=", (1, 2)))
    ledger.landed("returns", "INBOX;")
    ledger.announce("returns", Flight("INBOX;", "INBOX;UIDVALIDITY=7/;UID=", (1, 2)))
    with ledger.batch("returns") as batch:
        batch.announce(Flight("INBOX;", "", ()))
    ledger.stranded("returns", "INBOX;")
    assert ledger.attempts("returns", "INBOX;") == {}
    assert bench.count("in_flight") == 0


def test_counters_rise_with_each_commit_and_only_with_it(bench: Bench) -> None:
    ledger = bench.store.ledger
    for _ in range(2):
        with ledger.batch("returns") as batch:
            batch.count({"messages": 5, "event:bounce": 3})
    with ledger.batch("other") as batch:
        batch.count({"messages": 1})

    def fail() -> None:
        with ledger.batch("other") as batch:
            batch.count({"messages": 1})
            raise RuntimeError("power failure")

    with pytest.raises(RuntimeError):
        fail()
    assert ledger.counters() == {"other": {"messages": 1}, "returns": {"event:bounce": 6, "messages": 10}}


def test_settling_recorded_with_a_later_batch_is_settled(bench: Bench) -> None:
    bench.process(reading(bounce(), ref="1"))
    with bench.store.ledger.batch("returns") as batch:
        batch.settled(["1"])
    assert bench.store.ledger.unsettled("returns") == []


def test_a_checkpoint_is_kept_for_each_source_and_folder(bench: Bench) -> None:
    ledger = bench.store.ledger
    assert ledger.checkpoint("returns", "INBOX") is None
    for checkpoint in (Checkpoint("INBOX", 7, 10), Checkpoint("INBOX", 2**32 - 1, 12, 2**63 - 1)):
        with ledger.batch("returns") as batch:
            batch.advance(checkpoint)
        assert ledger.checkpoint("returns", "INBOX") == checkpoint
    assert ledger.checkpoint("returns", "Junk") is None
    assert ledger.checkpoint("other", "INBOX") is None


def test_what_strangers_write_fits_into_both_databases(bench: Bench) -> None:
    random_text = random.Random(1).randbytes(20_000).decode(errors="replace")  # nothing that an index could compress
    nasty = "\0 \udcff " + "x" * 100_000
    event = bounce('"a b"@example.com', diagnostic=nasty, reporting_mta=nasty, remote_mta=nasty, action=nasty)
    given = reading(event, ref="caf\udce9\0" + random_text, message_id=nasty, error=nasty, reporting_mta=nasty)
    recorded, _ = bench.process(given)
    assert recorded.events == (1,)
    bench.store.ledger.settled("returns", [given.ref])
    assert bench.store.ledger.unsettled("returns") == []


def test_moments_come_back_as_they_went_in(bench: Bench) -> None:
    at = START + timedelta(microseconds=123_456)
    recorded, _ = bench.process(reading(bounce(at=at), at=at + DAY))
    piece = recorded.histories[0].evidence[0]
    assert (piece.occurred_at, piece.received_at) == (at, at + DAY)
    entry = bench.answer("user@example.com")
    assert entry is not None
    assert entry.since == at + DAY
    assert entry.since.tzinfo is UTC
