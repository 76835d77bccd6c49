"""Every answer can be explained, and an operator's own rules come first, checked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.stories.house import House
from tests.unit.mails import ORDINARY, complaint, dsn

if TYPE_CHECKING:
    from pathlib import Path

OWN = """
[[rule]]
id = "our-partner-is-closed"
category = "mailbox-moved"
pattern = "this branch closed"
example = "550 5.7.1 Sorry, this branch closed in May"
note = "the partner's own wording"
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    (tmp_path / "hard.eml").write_bytes(dsn("anna@example.com"))
    (tmp_path / "closed.eml").write_bytes(
        dsn("b@example.com", status="5.7.1", diagnostic="smtp; 550 5.7.1 This branch closed")
    )
    (tmp_path / "complaint.eml").write_bytes(complaint())
    (tmp_path / "ordinary.eml").write_bytes(ORDINARY)
    (tmp_path / "own.toml").write_text(OWN)
    return House(tmp_path)


def test_a_bounce_is_explained_by_part_field_rule_class_and_advice(house: House) -> None:
    shown = house.run("explain", "hard.eml").stdout

    for words in (
        "a delivery report (dsn)",
        "part 2, message/delivery-status, field Final-Recipient",
        "part 2, message/delivery-status, field Diagnostic-Code",
        "bad-mailbox: no such user (fault: recipient)",
        "by the words",
        "status-x-1-1",
        "hard: ",
        "Stop mailing this address",
    ):
        assert words in shown


def test_scripts_get_the_same_story_as_json(house: House) -> None:
    story = json.loads(house.run("explain", "hard.eml", "--format", "json").stdout)

    assert story["source"] == "hard.eml"
    assert story["addresses"][0]["found_in"] == "part 2, message/delivery-status, field Diagnostic-Code"


def test_a_complaint_and_ordinary_mail_are_explained_too(house: House) -> None:
    assert "the address is suppressed" in house.run("explain", "complaint.eml").stdout
    assert "nobody is suppressed" in house.run("explain", "ordinary.eml").stdout


def test_a_reply_is_explained_and_what_no_rule_knows_is_said_so(house: House) -> None:
    known = house.run("explain", "--reply", "550 5.1.1 sent too many messages this hour").stdout
    unknown = house.run("explain", "--reply", "qwertz asdf").stdout

    assert "rate-limited" in known
    assert "status-x-1-1 (bad-mailbox)" in known
    assert "no rule knows these words" in unknown
    house.run("explain", code=2)
    house.run("explain", "hard.eml", "--reply", "x", code=2)


def test_rules_of_ones_own_come_first_everywhere(house: House) -> None:
    (house.folder / "bounceproc.toml").write_text('[classify]\nrule_files = ["own.toml"]\n')

    assert house.json("classify", "--format", "jsonl", "closed.eml")[0]["reports"][0]["rule"] == "our-partner-is-closed"
    assert "own wording" in house.run("explain", "closed.eml").stdout
    house.run("ingest", "closed.eml")
    assert house.json("status", "b@example.com", "--format", "json")[0]["category"] == "mailbox-moved"
    assert house.json("rules", "list", "--format", "json")[0]["id"] == "our-partner-is-closed"
    assert "0 failed" in house.run("rules", "test").stderr
    assert "fine" in house.run("rules", "check").stderr


def test_rules_can_be_named_on_the_command_line(house: House) -> None:
    row = house.json("classify", "--rules", "own.toml", "--format", "jsonl", "closed.eml")[0]

    assert row["reports"][0]["rule"] == "our-partner-is-closed"


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("mailbox-moved", "mailbox-gone", "mailbox-gone"),
        ('pattern = "this', 'pattern = "that', "example"),
        ('id = "our-partner-is-closed"\n', "", "id"),
        ("[[rule]]", "[[rule]", "own.toml"),
    ],
)
def test_a_wrong_rule_file_is_named_with_what_to_do(house: House, before: str, after: str, says: str) -> None:
    (house.folder / "own.toml").write_text(OWN.replace(before, after))

    done = house.run("rules", "check", "own.toml", code=1)

    assert "own.toml" in done.stdout
    assert says in done.stdout
    assert house.run("classify", "--rules", "own.toml", "hard.eml", code=78).stderr
