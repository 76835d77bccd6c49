"""The views that outside readers ask say what the list says, and what has ended is not in them."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from bounceproc.event import iso
from bounceproc.lookup.action import postfix, text_of
from bounceproc.store import views
from bounceproc.store.schema import Schema
from tests.servers import require
from tests.store.kit import DAY, Bench, bounce, complaint, reading, soft
from tests.store.test_keeping import keep

if TYPE_CHECKING:
    from pathlib import Path


def fill(bench: Bench) -> None:
    """Some entries of each kind. The database's own clock decides what has ended."""
    moment = datetime.now(UTC)
    bench.process(reading(bounce("hard@example.com")))
    bench.suppress("hand@example.com", note="asked us")
    bench.suppress("news@example.com", scope="stream:news", reason="unsubscribe")
    bench.suppress("later@example.com", until=moment + DAY)
    bench.suppress("over@example.com", until=moment - DAY)
    bench.suppress("@gone.example")


def test_they_say_what_the_list_says(bench: Bench) -> None:
    fill(bench)

    entries = {each.address: each for each in bench.store.suppressions.suppressions(now=datetime.now(UTC))}
    shown = {row["address"]: row for row in bench.rows("v_suppressed")}
    actions = {row["address"]: row["action"] for row in bench.rows("v_postfix")}

    assert set(shown) == set(actions) == set(entries)
    assert "over@example.com" not in shown
    assert "later@example.com" in shown
    for address, entry in entries.items():
        row = shown[address]
        assert (row["scope"], row["reason"], row["class"], row["ref"]) == (
            entry.scope,
            entry.reason,
            entry.class_,
            entry.ref,
        )
        assert "note" not in row
        since = row["since"] if isinstance(row["since"], str) else iso(row["since"])
        assert since == iso(entry.since)
        assert actions[address] == postfix(
            text_of(reason=entry.reason, class_=entry.class_, since=iso(entry.since) or "", ref=entry.ref)
        )
    assert actions["hard@example.com"].startswith("REJECT 5.1.1 undeliverable since 2026-03-02, ref=")


def test_a_decision_to_go_on_sending_is_shown_where_the_domain_would_answer(bench: Bench) -> None:
    bench.now = datetime.now(UTC)
    for address in (
        "boss@dead.example",
        '"a@b"@dead.example',
        "boss@shut.example",
        "own@dead.example",
        "x@live.example",
    ):
        keep(bench, address, now=bench.now - DAY)
    keep(bench, "soon@dead.example", now=bench.now - DAY, until=bench.now + DAY)
    keep(bench, "over@dead.example", now=bench.now - DAY, until=bench.now - DAY / 2)
    days = [bench.now - (14 - 2 * number) * DAY for number in range(6)]
    dead = [reading(soft(f"u{n % 3}@dead.example", "expired", at=at), ref=str(n)) for n, at in enumerate(days)]
    bench.process(*dead, reading(complaint("own@dead.example", at=bench.now - DAY / 4), ref="own"))
    bench.suppress("@shut.example")

    allowed = {row["address"]: row["until"] for row in bench.rows("v_allowed")}
    actions = {row["address"]: row["action"][:6] for row in bench.rows("v_postfix")}

    assert set(allowed) == {"boss@dead.example", '"a@b"@dead.example', "soon@dead.example"}
    assert allowed["boss@dead.example"] is None
    assert allowed["soon@dead.example"] is not None
    assert {address for address, action in actions.items() if action == "DUNNO"} == set(allowed)
    assert actions["own@dead.example"] == actions["@dead.example"] == "REJECT"
    spared = bench.store.suppressions.spared(stream=None, now=bench.now)
    assert {one.address for one in spared} == set(allowed)


def test_forgotten_entries_have_no_address_to_show(bench: Bench) -> None:
    bench.suppress("a@example.com")
    with bench.database.writing() as connection:
        connection.execute(sa.text("UPDATE suppression SET address = NULL"))

    assert bench.rows("v_suppressed") == bench.rows("v_postfix") == []


def test_asking_for_an_address_uses_an_index(bench: Bench) -> None:
    question = "SELECT action FROM v_postfix WHERE address IN ('a@example.com', '@example.com')"
    with bench.database.reading() as connection:
        if bench.database.is_sqlite:
            plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {question}").all())
        else:
            connection.exec_driver_sql("SET enable_seqscan = off")
            plan = str(connection.exec_driver_sql(f"EXPLAIN {question}").all())

    assert "ix_suppression_address" in plan


def test_a_changed_view_is_drift_in_sqlite_which_keeps_its_text(tmp_path: Path) -> None:
    with Bench.prepare(f"sqlite:///{tmp_path}/b.db", tmp_path) as bench:
        with bench.database.writing() as connection:
            connection.exec_driver_sql("DROP VIEW v_postfix")
            connection.exec_driver_sql("CREATE VIEW v_postfix AS SELECT address FROM suppression")

        assert Schema(bench.url).check() == ["differs: view v_postfix"]


def test_the_words_are_those_of_the_lookups() -> None:
    for statement in (views.SQLITE["v_postfix"], views.POSTGRESQL["v_postfix"]):
        words = re.findall(r"'(5\.[^']+)'", statement)

        assert words == [
            text_of(reason="bounce", class_="hard", since="", ref=None).removesuffix(" since "),
            text_of(reason="complaint", class_=None, since="", ref=None).removesuffix(" since "),
        ]


@pytest.mark.server
def test_postfix_asks_the_database_itself(bench: Bench, tmp_path: Path) -> None:
    fill(bench)
    query = "query = SELECT action FROM v_postfix WHERE address IN ('%s', '@%d') ORDER BY action LIMIT 1\n"
    if bench.database.is_sqlite:
        kind, place = "sqlite", f"dbpath = {bench.database.path}\n"
    else:
        url = sa.make_url(bench.url)
        kind = "pgsql"
        place = f"hosts = {url.host or url.query.get('host')}{f':{url.port}' if url.port else ''}\nuser = {url.username}\npassword = {url.password or ''}\ndbname = {url.database}\n"
    (tmp_path / "table.cf").write_text(place + query)

    def asked(key: str) -> str:
        command = [require("postmap", "postfix"), "-q", key, f"{kind}:{tmp_path}/table.cf"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.stderr == ""
        return done.stdout.strip()

    assert asked("hard@example.com").startswith("REJECT 5.1.1 undeliverable since 2026-03-02, ref=")
    assert asked("x@gone.example").startswith("REJECT 5.7.1 not to be mailed since")
    assert asked("over@example.com") == asked("x@sub.gone.example") == asked("gone.example") == ""
