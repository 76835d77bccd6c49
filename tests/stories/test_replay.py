"""Before a change of rules or policy is made, everybody can see what it would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.stories.house import House

if TYPE_CHECKING:
    from pathlib import Path

REPORT = """From: MAILER-DAEMON@mail.example.net
To: bounces@sender.example
Subject: Undelivered
Message-ID: <{name}@mail.example.net>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=cut

--cut

It did not work.

--cut
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.net

Final-Recipient: rfc822; {name}@example.com
Action: failed
Status: {status}
Diagnostic-Code: smtp; {reply}

--cut--
"""
RULES = """[[rule]]
id = "house-closed"
category = "policy"
pattern = ["no such box in this house"]
example = ["550 5.1.1 no such box in this house"]
"""


def house(tmp_path: Path, policy: str = "") -> House:
    """Two bounces, one of them in the words of the rule to come."""
    made = House(tmp_path)
    made.configuration.write_text(policy)
    mail = tmp_path / "mail"
    mail.mkdir()
    for name, status, reply in (
        ("gone", "5.1.1", "550 5.1.1 User unknown"),
        ("closed", "5.1.1", "550 5.1.1 no such box in this house, user unknown"),
    ):
        (mail / f"{name}.eml").write_text(REPORT.format(name=name, status=status, reply=reply))
    made.run("ingest", str(mail))
    return made


def test_a_policy_is_tried_before_it_is_made(tmp_path: Path) -> None:
    made = house(tmp_path)
    (tmp_path / "new.toml").write_text("[policy.hard]\nmessages = 2\ndays = 2\n")
    moves = made.json("policy", "simulate", "--policy", "new.toml", "--format", "jsonl")
    assert sorted((row["move"], row["address"]) for row in moves) == [
        ("leave", "closed@example.com"),
        ("leave", "gone@example.com"),
    ]
    shown = made.run("policy", "simulate", "--policy", "new.toml", "--limit", "1")
    assert "2 would leave it" in shown.stderr
    assert "and 1 more" in shown.stderr
    made.run("check", "gone@example.com", code=1)


def test_a_policy_that_cannot_be_is_refused_with_its_line(tmp_path: Path) -> None:
    made = house(tmp_path)
    (tmp_path / "new.toml").write_text("[policy.hard]\nmessages = 2\ndays = 3\n")
    refused = made.run("policy", "simulate", "--policy", "new.toml", code=78)
    assert "new.toml:3" in refused.stderr


def test_rules_are_tried_and_then_applied(tmp_path: Path) -> None:
    made = house(tmp_path)
    (tmp_path / "house.toml").write_text(RULES)
    rows = made.json("rules", "diff", "house.toml", "--format", "jsonl")
    (event,) = [row for row in rows if row["what"] == "event"]
    assert (event["recipient"], event["before"]["category"], event["after"]["rule"]) == (
        "closed@example.com",
        "bad-mailbox",
        "house-closed",
    )
    (entry,) = [row for row in rows if row["what"] == "entry"]
    assert (entry["move"], entry["address"]) == ("leave", "closed@example.com")
    made.run("check", "closed@example.com", code=1)

    (tmp_path / "bounceproc.toml").write_text('[classify]\nrule_files = ["house.toml"]\n')
    assert "1 would leave it" in made.run("reclassify", "--dry-run").stderr
    made.run("check", "closed@example.com", code=1)
    assert "events judged otherwise: 1; suppressions changed: 1" in made.run("reclassify").stderr
    made.run("check", "closed@example.com")
    made.run("check", "gone@example.com", code=1)


def test_without_incidents_the_list_of_them_says_so(tmp_path: Path) -> None:
    made = house(tmp_path)
    assert "There was no incident." in made.run("incident", "list").stdout
    assert "bounceproc incident list" in made.run("incident", "show", "7", code=2).stderr


def test_what_was_observed_comes_into_force_when_the_mode_changes(tmp_path: Path) -> None:
    made = house(tmp_path, '[policy]\nmode = "observe"\n')
    assert made.json("suppress", "list", "--format", "jsonl") == []
    made.configuration.write_text('[policy]\nmode = "enforce"\n')

    moves = made.json("reclassify", "--dry-run", "--format", "jsonl")
    assert made.json("suppress", "list", "--format", "jsonl") == []
    made.run("reclassify")

    listed = {entry["address"] for entry in made.json("suppress", "list", "--format", "jsonl")}
    assert listed == {"gone@example.com", "closed@example.com"}
    assert {move["address"] for move in moves if "address" in move} == listed
