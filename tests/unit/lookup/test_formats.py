"""Formats of others: each holds what its reader can read, and says aloud what it cannot hold."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sqlite3
import tracemalloc
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.errors import UsageError
from bounceproc.lookup.export import export
from bounceproc.lookup.export import once as room
from bounceproc.lookup.export.cdb import CdbWriter, cdb_hash
from bounceproc.lookup.export.formats import FORMATS
from tests.unit.lookup.test_export import NOW, List, change, entry

if TYPE_CHECKING:
    from pathlib import Path

    from bounceproc.lookup.export import ExportSummary

HARD = entry("user@example.com")
COMPLAINT = entry("angry@example.com", reason="complaint", category=None, class_=None, ref=None)
DOMAIN = entry("@gone.example", reason="manual", origin="manual", category=None, class_=None, ref=None)
ABROAD = entry("ü@xn--bcher-kva.example")
ALL = [HARD, COMPLAINT, DOMAIN, ABROAD, entry(None)]
BINARY = [name for name, each in FORMATS.items() if each.fill is not None]
TEXT = [name for name in FORMATS if name not in BINARY]


def written(entries: Any, format_: str, **options: Any) -> tuple[str, ExportSummary]:
    out = io.BytesIO()
    summary = export(List(**entries) if isinstance(entries, dict) else List(entries), format_, out, now=NOW, **options)
    return out.getvalue().decode(), summary


@pytest.mark.parametrize("format_", FORMATS)
def test_forgotten_entries_are_counted_aloud_and_whatever_else_cannot_be_listed(format_: str, tmp_path: Path) -> None:
    summary = export(List(ALL), format_, tmp_path / "list", now=NOW)

    assert summary.without_address == 1
    assert summary.written + summary.domains + summary.others + summary.unwritable == 4
    assert json.loads((tmp_path / "list.stamp").read_text())["format"] == format_


def test_hashes_are_those_of_the_normal_form() -> None:
    for algorithm in ("sha256", "md5"):
        text, summary = written(ALL, algorithm)

        expected = {
            hashlib.new(algorithm, each.encode()).hexdigest()
            for each in ("user@example.com", "angry@example.com", "ü@xn--bcher-kva.example")
        }
        assert set(text.split()) == expected
        assert summary.domains == 1


def test_a_table_of_postfix_says_5_1_1_for_hard_bounces_and_5_7_1_for_all_the_rest() -> None:
    text, _ = written(ALL, "texthash")

    head, *lines = text.splitlines()
    assert head == "# bounceproc: version 7 at 2026-11-23T12:00:00Z"
    assert dict(line.split("\t") for line in lines) == {
        "user@example.com": "REJECT 5.1.1 undeliverable since 2026-11-01, ref=00ff",
        "angry@example.com": "REJECT 5.7.1 not to be mailed since 2026-11-01",
        "gone.example": "REJECT 5.7.1 not to be mailed since 2026-11-01",
        "ü@xn--bcher-kva.example": "REJECT 5.1.1 undeliverable since 2026-11-01, ref=00ff",
        "ü@bücher.example": "REJECT 5.1.1 undeliverable since 2026-11-01, ref=00ff",
    }


def test_the_strongest_entry_of_an_address_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "HELD_ENTRIES", 1)
    until = datetime(2027, 1, 1, tzinfo=UTC)
    entries = [entry("a@example.com", scope="stream:news"), entry("a@example.com", reason="complaint", until=until)]

    text, summary = written([*entries, entry("a@example.com", origin="manual", reason="manual")], "texthash")

    assert text.splitlines()[1:] == ["a@example.com\tREJECT 5.7.1 not to be mailed since 2026-11-01, ref=00ff"]
    assert summary.written == 1


def test_one_stream_has_its_own_list() -> None:
    entries = [
        entry("a@example.com"),
        entry("b@example.com", scope="stream:news"),
        entry("c@example.com", scope="stream:x"),
    ]

    assert written(entries, "txt", stream="news")[0].split() == ["a@example.com", "b@example.com"]
    assert len(written(entries, "txt")[0].split()) == 3


@pytest.mark.parametrize("address", ["#a@example.com", '"a b"@example.com'])
def test_what_would_be_a_comment_or_two_words_in_a_table_is_left_out_aloud(address: str) -> None:
    for format_ in ("texthash", "rspamd"):
        text, summary = written([entry(address)], format_)

        assert len(text.splitlines()) == 1
        assert (summary.written, summary.unwritable) == (0, 1)
    assert written([entry(address)], "lsearch")[0].splitlines()[1].startswith('"')


def test_exim_asks_for_a_domain_with_a_star() -> None:
    lines = written(ALL, "exim")[0].splitlines()

    assert "*@gone.example: 5.7.1 not to be mailed since 2026-11-01" in lines
    assert "user@example.com: 5.1.1 undeliverable since 2026-11-01, ref=00ff" in lines


def test_rspamd_asks_for_the_domain_alone() -> None:
    assert {"gone.example", "user@example.com", "ü@bücher.example"} < set(written(ALL, "rspamd")[0].splitlines())


# ---- services ----------------------------------------------------------------------------------------------------------


def test_ses_knows_bounces_and_complaints() -> None:
    text, summary = written(ALL, "ses")

    assert set(text.splitlines()) == {
        "user@example.com,BOUNCE",
        "angry@example.com,COMPLAINT",
        "ü@xn--bcher-kva.example,BOUNCE",
    }
    assert summary.domains == 1


def test_mailgun_has_three_lists_and_each_says_what_belongs_into_the_others() -> None:
    entries = [HARD, COMPLAINT, entry("left@example.com", reason="unsubscribe", category=None, class_=None)]
    rows = {}
    for kind in ("bounces", "complaints", "unsubscribes"):
        text, summary = written(entries, f"mailgun-{kind}")
        (rows[kind],) = csv.DictReader(io.StringIO(text))
        assert (summary.written, summary.others) == (1, 2)

    assert rows["bounces"] == {
        "address": "user@example.com",
        "code": "550",
        "error": "bad-mailbox",
        "created_at": "Sun, 01 Nov 2026 08:30:00 GMT",
    }
    assert rows["complaints"]["address"] == "angry@example.com"
    assert rows["unsubscribes"]["tags"] == "*"


def test_sendgrid_takes_one_column() -> None:
    assert written([HARD], "sendgrid")[0] == "email\nuser@example.com\n"
    assert written([entry("=a@example.com")], "sendgrid")[0] == 'email\n"""=a""@example.com"\n'


def test_postmark_and_sparkpost_get_requests_of_a_bounded_size() -> None:
    entries = [entry(f"user{number}@example.com") for number in range(120)]

    bodies = [json.loads(line) for line in written(entries, "postmark")[0].splitlines()]
    assert [len(body["Suppressions"]) for body in bodies] == [50, 50, 20]
    left = entry("left@example.com", reason="unsubscribe", category=None)
    (body,) = [json.loads(line) for line in written([HARD, left], "sparkpost")[0].splitlines()]
    assert {(each["recipient"], each["type"]) for each in body["recipients"]} == {
        ("user@example.com", "transactional"),
        ("user@example.com", "non_transactional"),
        ("left@example.com", "non_transactional"),
    }


def test_additions_since_a_version_are_those_that_still_stand() -> None:
    over = entry("over@example.com", until=NOW - timedelta(days=1))
    feed = [
        change(3, "add", entry("old@example.com")),
        change(4, "add", entry("gone@example.com")),
        change(5, "add", HARD),
        change(6, "change", entry("user@example.com", reason="bounce", since=NOW)),
        change(7, "remove", entry("gone@example.com")),
        change(8, "add", entry(None)),
        change(9, "add", over),
    ]

    text, summary = written({"feed": feed}, "ses", since=3)

    assert text == "user@example.com,BOUNCE\n"
    assert (summary.written, summary.lifted, summary.without_address, summary.version) == (1, 2, 1, 9)
    with pytest.raises(UsageError, match="cannot say what was added"):
        written({"feed": feed}, "texthash", since=3)


# ---- files that are no text --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", BINARY)
def test_what_is_no_text_needs_a_file(format_: str) -> None:
    with pytest.raises(UsageError, match="-o"):
        written(ALL, format_)


def test_a_snapshot_answers_in_sql_and_what_has_ended_is_not_in_its_views(tmp_path: Path) -> None:
    later = entry("later@example.com", until=datetime.now(UTC) + timedelta(hours=1))
    over = entry("over@example.com", until=datetime(2021, 1, 1, tzinfo=UTC))
    news = entry("user@example.com", scope="stream:news", reason="unsubscribe")
    out = tmp_path / "snapshot.db"

    export(List([*ALL, news, later, over]), "sqlite", out, now=datetime(2020, 1, 1, tzinfo=UTC))

    with closing(sqlite3.connect(out)) as database:
        assert dict(database.execute("SELECT name, value FROM stamp")) == {"version": "7", "at": "2020-01-01T00:00:00Z"}
        rows = database.execute("SELECT address, scope FROM v_suppressed ORDER BY 1, 2").fetchall()
        (action,) = database.execute("SELECT action FROM v_postfix WHERE address = '@gone.example'").fetchone()
        listed = database.execute("SELECT count(*) FROM suppressed").fetchone()
    assert ("user@example.com", "stream:news") in rows
    assert ("later@example.com", "*") in rows
    assert listed == (7,)
    assert ("over@example.com", "*") not in rows
    assert action == "REJECT 5.7.1 not to be mailed since 2026-11-01"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["snapshot.db", "snapshot.db.stamp"]


def test_the_hash_of_cdb_is_bernsteins() -> None:
    assert cdb_hash(b"") == 5381
    assert cdb_hash(b"a") == (5381 * 33) ^ 97
    assert cdb_hash(b"x" * 100) < 2**32


def looked_up(data: bytes, key: bytes) -> list[bytes]:
    """Read a cdb as its description says."""

    def pair(place: int) -> tuple[int, int]:
        return int.from_bytes(data[place : place + 4], "little"), int.from_bytes(data[place + 4 : place + 8], "little")

    hashed = cdb_hash(key)
    table, slots = pair(8 * (hashed & 255))
    found = []
    for step in range(slots):
        known, place = pair(table + 8 * (((hashed >> 8) + step) % slots))
        if not place:
            break
        length, size = pair(place)
        if known == hashed and data[place + 8 : place + 8 + length] == key:
            found.append(data[place + 8 + length : place + 8 + length + size])
    return found


@given(st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=6)), max_size=40), st.binary(max_size=6))
def test_what_was_put_into_a_cdb_is_found_in_it_and_nothing_else(
    records: list[tuple[bytes, bytes]], other: bytes
) -> None:
    file = io.BytesIO()
    writer = CdbWriter(file)
    for key, value in records:
        writer.put(key, value)
    writer.finish()

    for key in {key for key, _ in records} | {other}:
        assert looked_up(file.getvalue(), key) == [value for known, value in records if known == key]


@pytest.mark.parametrize("format_", FORMATS)
def test_memory_hardly_grows_with_the_list(format_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "HELD_ENTRIES", 1_000)

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            export(
                List(entry(f"user{number}@example.com") for number in range(count)), format_, tmp_path / "list", now=NOW
            )
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    # 12,000 entries more would need several MB; the tables of a cdb need eight octets of each, and twice that while they are written.
    assert peak(15_000) < peak(3_000) + 512 * 1024
