"""`classify` says what mail means, with no database: one object a message, in order, whatever the messages are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.stories.house import House
from tests.unit.mails import NO_RECIPIENT, ORDINARY, complaint, dsn

if TYPE_CHECKING:
    from pathlib import Path

REPORT_KEYS = {
    "recipient", "final_recipient", "event", "class", "category", "status", "smtp_code", "diagnostic", "action",
    "remote_mta", "feedback_type", "trust", "rule", "original_message_id", "occurred_at",
}  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> House:
    mail = tmp_path / "mail"
    mail.mkdir()
    for number in range(200):
        content = (dsn(f"u{number}@example.com"), complaint(f"u{number}@example.com"), ORDINARY, NO_RECIPIENT)[
            number % 4
        ]
        (mail / f"{number:03}.eml").write_bytes(content)
    return House(tmp_path)


def test_one_object_a_message_in_sorted_order(house: House) -> None:
    rows = house.json("classify", "--format", "jsonl", "mail")

    assert [row["source"] for row in rows] == [f"mail/{number:03}.eml" for number in range(200)]
    assert [row["kind"] for row in rows[:4]] == ["dsn", "arf", "other", "malformed"]
    assert rows[2]["reports"] == []
    assert rows[3]["error"]
    assert set(rows[0]["reports"][0]) >= REPORT_KEYS
    assert (rows[1]["reports"][0]["event"], rows[1]["reports"][0]["class"]) == ("complaint", None)
    assert not house.database.exists()


def test_more_processes_give_the_same_lines_in_the_same_order(house: House) -> None:
    one = house.run("classify", "--format", "jsonl", "mail").stdout

    assert house.run("classify", "--format", "jsonl", "--jobs", "3", "mail").stdout == one


def test_an_mbox_is_numbered_and_standard_input_is_one_message(house: House) -> None:
    mbox = b"".join(
        b"From MAILER-DAEMON Mon Nov 23 08:00:00 2026\n" + dsn(f"m{n}@example.com") + b"\n" for n in (1, 2, 3)
    )
    (house.folder / "box.mbox").write_bytes(mbox)

    rows = house.json("classify", "--format", "jsonl", "box.mbox")
    from_stdin = json.loads(house.run("classify", "--format", "json", "-", stdin=dsn("in@example.com")).stdout)

    assert [(row["source"], row["reports"][0]["recipient"]) for row in rows] == [
        (f"box.mbox#{n}", f"m{n}@example.com") for n in (1, 2, 3)
    ]
    assert from_stdin["reports"][0]["recipient"] == "in@example.com"


def test_replies_are_answered_line_by_line_in_order(house: House) -> None:
    replies = "550 5.1.1 User unknown\n\n452 4.2.2 Mailbox full\n250 ok\n"
    done = house.run("classify", "--replies", "-", "--format", "jsonl", stdin=replies.encode())
    rows = [json.loads(line) for line in done.stdout.splitlines()]

    assert [row["text"] for row in rows] == replies.splitlines()
    assert [(row["class"], row["category"], row["status"], row["smtp_code"]) for row in rows[::2]] == [
        ("hard", "bad-mailbox", "5.1.1", 550),
        ("soft", "mailbox-full", "4.2.2", 452),
    ]
    assert all(set(row) == {"text", "class", "category", "status", "smtp_code", "rule"} for row in rows)


def test_the_table_says_who_what_and_why(house: House) -> None:
    shown = house.run("classify", "mail/000.eml", "mail/003.eml").stdout

    for word in ("u0@example.com", "bounce", "hard", "bad-mailbox", "User unknown", "malformed"):
        assert word in shown


def test_a_file_that_is_not_there_is_named_before_anything_is_read(house: House) -> None:
    done = house.run("classify", "mail", "nowhere", code=2)

    assert "nowhere" in done.stderr
    assert done.stdout == ""
