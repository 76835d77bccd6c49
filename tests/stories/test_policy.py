"""Policy as its users meet it: shown, checked, tried, and what it did and did not do."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.stories.house import House
from tests.unit.mails import complaint, dsn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.dovecot import MailUser


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_the_policy_in_force_is_shown_for_people_scripts_and_files(house: House) -> None:
    (house.folder / "bounceproc.toml").write_text("[policy.hard]\nsecond_look_days = 7\n")

    told = house.run("policy", "show").stdout
    (plain,) = house.json("policy", "show", "--format", "json")
    (house.folder / "pasted.toml").write_text(house.run("policy", "show", "--format", "toml").stdout)

    assert "suppress, with a second look after 7 d" in told
    assert plain["hard"]["second_look_days"] == 7
    assert house.json("--config", "pasted.toml", "policy", "show", "--format", "json") == [plain]


def test_a_policy_is_checked_before_it_is_in_force(house: House) -> None:
    (house.folder / "new.toml").write_text("[policy.mailbox-full]\nmessages = 2\n\n[policy.complaint]\nscope = 'x'\n")

    said = house.run("policy", "check", "new.toml", code=78).stderr
    (house.folder / "new.toml").write_text("[policy.mailbox-full]\nmessages = 2\ndays = 2\n")

    assert "new.toml:5: policy.complaint.scope: 'x' is not known. Write '*' or 'stream'." in said
    assert "fine" in house.run("policy", "check", "new.toml").stderr
    assert house.json("policy", "show", "--format", "json")[0]["mailbox-full"]["messages"] == 4


def test_a_person_goes_on_sending_and_everybody_can_see_it(house: House) -> None:
    (house.folder / "hard.eml").write_bytes(dsn("anna@example.com"))
    house.run("ingest", "hard.eml")
    house.run("suppress", "remove", "anna@example.com", "--keep", code=2)
    house.run("suppress", "remove", "anna@example.com", "--keep", "--until", "90d", "--note", "their server was broken")
    (house.folder / "again.eml").write_bytes(dsn("anna@example.com", original="<later@sender.example>"))
    house.run("ingest", "again.eml")

    house.run("check", "-q", "anna@example.com")
    (kept,) = house.json("suppress", "allowed", "--format", "json")
    assert (kept["address"], kept["reason"], kept["scope"]) == ("anna@example.com", "their server was broken", "*")
    house.run("suppress", "disallow", "anna@example.com")
    house.run("suppress", "disallow", "anna@example.com", code=1)
    (house.folder / "third.eml").write_bytes(dsn("anna@example.com", original="<last@sender.example>"))
    house.run("ingest", "third.eml")
    house.run("check", "-q", "anna@example.com", code=1)


def test_who_complained_is_only_mailed_again_with_a_consent(house: House) -> None:
    (house.folder / "complaint.eml").write_bytes(complaint("georg@example.org"))
    house.run("ingest", "complaint.eml")

    said = house.run("suppress", "allow", "georg@example.org", "--reason", "he is a customer", code=2).stderr
    assert "Only the recipient can take that back" in said
    house.run("suppress", "allow", "georg@example.org", "--reason", "asked", "--consent", "wrote on 3 March")
    house.run("check", "-q", "georg@example.org")


def test_with_a_token_secret_forged_reports_only_wait_for_a_person(house: House) -> None:
    (house.folder / "bounceproc.toml").write_text("[identity]\ntoken_secret = 'x'\n")
    for number, who in enumerate(("anna", "anna", "anna", "bert")):
        (house.folder / f"{number}.eml").write_bytes(dsn(f"{who}@example.com", original=f"<{number}@x.example>"))
    house.run("ingest", *(f"{number}.eml" for number in range(4)))

    house.run("check", "-q", "anna@example.com", "bert@example.com")
    waiting = house.json("review", "list", "--format", "json")
    assert sorted((one["address"], one["count"]) for one in waiting) == [
        ("anna@example.com", 3),
        ("bert@example.com", 1),
    ]
    house.run("review", "confirm", "anna@example.com", "--note", "I called her")
    house.run("review", "dismiss", "bert@example.com")
    house.run("review", "dismiss", "bert@example.com", code=1)
    assert "Nobody waits" in house.run("review", "list").stdout
    assert "dismissed by user:" in house.run("review", "list", "--all").stdout
    house.run("check", "-q", "anna@example.com", code=1)
    (entry,) = house.json("suppress", "list", "--format", "json")
    assert (entry["origin"], entry["reason"]) == ("manual", "bounce")
    assert entry["note"].startswith("I called her; confirmed on review: bad-mailbox: 1 message on 1 day; events ")


def test_what_is_due_is_done_by_hand_where_no_poller_runs(house: House) -> None:
    (house.folder / "bounceproc.toml").write_text("[policy.hard]\nsecond_look_days = 7\n")
    (house.folder / "hard.eml").write_bytes(dsn("anna@example.com"))
    house.run("ingest", "hard.eml")
    house.run("suppress", "add", "bert@example.com", "--until", "1d")
    assert house.json("policy", "due", "--format", "json")[0]["permanent"] == 0
    with closing(sqlite3.connect(house.database)) as connection, connection:
        connection.execute("UPDATE suppression SET until = '2026-01-02 03:04:05.000000'")

    house.configuration.write_text("")
    house.run("check", "-q", "anna@example.com", code=1)
    assert "1 became permanent, 0 were lifted, 1 were over" in house.run("policy", "due").stdout
    (entry,) = house.json("suppress", "list", "--expired", "--format", "json")
    assert (entry["address"], entry["until"]) == ("anna@example.com", None)


def test_status_tells_the_whole_story(house: House) -> None:
    (house.folder / "full.eml").write_bytes(
        dsn("anna@example.com", status="5.2.2", diagnostic="552 5.2.2 Quota exceeded (mailbox for user is full)")
    )
    (house.folder / "hard.eml").write_bytes(dsn("anna@example.com", original="<second@sender.example>"))
    house.run("ingest", "full.eml", "hard.eml")

    page = house.run("status", "anna@example.com").stdout
    (story,) = house.json("status", "anna@example.com", "--format", "json")

    assert "lifted by: a person: `bounceproc suppress remove`" in page
    assert "mailbox-full: 1 of 4 messages, on 1 of 4 days, spanning 0 of 14 days, within 60 days: not enough" in page
    assert sorted(event["counted"] for event in story["events"]) == ["counts for hard", "counts for mailbox-full"]
    assert [(line["row"], line["met"]) for line in story["progress"]] == [("hard", True), ("mailbox-full", False)]
    assert story["suppressions"][0]["lifted_by"].startswith("a person")
    assert (story["suppressed"], story["category"], story["kept"], story["review"]) == (True, "bad-mailbox", [], [])
    house.run("suppress", "remove", "anna@example.com", "--keep", "--note", "she called")
    assert "goes on being mailed, whatever is reported: she called" in house.run("status", "anna@example.com").stdout
    assert "does not count: received before a person decided" in house.run("status", "anna@example.com").stdout


def test_a_policy_that_only_observes_says_what_it_would_have_done_and_regretted(house: House) -> None:
    house.configuration.write_text('[policy]\nmode = "observe"\n')
    (house.folder / "hard.eml").write_bytes(dsn("anna@example.com"))
    house.run("ingest", "hard.eml")

    house.run("check", "-q", "anna@example.com")
    assert house.json("suppress", "list", "--format", "json") == []
    shown = house.run("policy", "observed")
    assert "anna@example.com" in shown.stdout
    assert "would have suppressed 1, lifted 0 again, and regretted 0" in shown.stderr
    (row,) = house.json("policy", "observed", "--summary", "--format", "json")
    assert (row["category"], row["suppressed"], row["regretted"]) == ("bad-mailbox", 1, 0)
    assert house.json("policy", "observed", "--regretted", "--format", "json") == []


def test_from_observing_to_enforcing_what_came_before_is_applied_when_it_is_asked_for(house: House) -> None:
    house.configuration.write_text('[policy]\nmode = "observe"\n')
    (house.folder / "hard.eml").write_bytes(dsn("anna@example.com"))
    house.run("ingest", "hard.eml")
    house.run("suppress", "allow", "bert@example.com", "--reason", "she called")
    (house.folder / "kept.eml").write_bytes(dsn("bert@example.com"))
    house.run("ingest", "kept.eml")
    for command in (("policy", "apply"), ("reclassify",)):
        assert "only observes" in house.run(*command, code=2).stderr
    assert house.json("suppress", "list", "--format", "json") == []

    house.configuration.write_text('[policy]\nmode = "enforce"\n')
    assert "`policy apply --dry-run`" in house.run("policy", "observed").stderr
    house.run("check", "-q", "anna@example.com")
    dry = house.run("policy", "apply", "--dry-run")
    assert "1 would enter the list, 0 would leave it" in dry.stderr
    assert house.json("suppress", "list", "--format", "json") == []
    assert "suppressions changed: 1" in house.run("policy", "apply").stderr
    assert [one["address"] for one in house.json("suppress", "list", "--format", "json")] == ["anna@example.com"]
    assert "suppressions changed: 0" in house.run("policy", "apply").stderr


@pytest.mark.server
def test_a_poll_does_what_is_due_at_its_end(mail_user: MailUser, tmp_path: Path) -> None:
    house = House(tmp_path, mail_user)
    house.run("suppress", "add", "bert@example.com", "--until", "1d")
    with closing(sqlite3.connect(house.database)) as connection, connection:
        connection.execute("UPDATE suppression SET until = '2026-01-02 03:04:05.000000'")

    house.run("poll", "--once", "--dry-run")
    assert len(house.json("suppress", "list", "--expired", "--format", "json")) == 1
    house.run("poll", "--once")
    assert house.json("suppress", "list", "--expired", "--format", "json") == []
    assert [row["action"] for row in house.snapshot()["suppression_change"]] == ["add", "remove"]
