"""The list by hand, and what leaves the house: add, remove, list, check, status, export."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

from tests.stories.house import House
from tests.unit.mails import complaint, dsn

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    (tmp_path / "hard.eml").write_bytes(dsn("Anna@Example.com"))
    (tmp_path / "complaint.eml").write_bytes(complaint("georg@example.org"))
    house.run("ingest", "hard.eml", "complaint.eml")
    return house


def test_check_answers_by_exit_code_and_ignores_case(house: House) -> None:
    assert "SUPPRESSED" in house.run("check", "ANNA@example.COM", code=1).stdout
    assert house.run("check", "-q", "anna@example.com", code=1).stdout == ""
    assert "send" in house.run("check", "nobody@example.com").stdout
    assert (
        house.json("check", "anna@example.com", "nobody@example.com", "--format", "json", code=1)[1]["suppressed"]
        is False
    )


def test_check_reads_addresses_from_standard_input(house: House) -> None:
    done = house.run("check", "-", code=1, stdin=b"nobody@example.com\nanna@example.com\n")

    assert [line.split()[1] for line in done.stdout.splitlines()] == ["send", "SUPPRESSED"]


def test_status_tells_the_whole_story(house: House) -> None:
    story = house.json("status", "anna@example.com", "--format", "json")[0]

    assert story["suppressed"] is True
    assert (story["scope"], story["reason"], story["category"], story["class"], story["until"]) == (
        "*",
        "bounce",
        "bad-mailbox",
        "hard",
        None,
    )
    assert story["suppressions"][0]["origin"] == "policy"
    assert story["events"][0]["id"] == story["ref"]
    assert story["events"][0]["rule"]
    assert story["events"][0]["source"] == "files"
    page = house.run("status", "anna@example.com").stdout
    assert "do not mail" in page
    assert "User unknown" in page
    assert "until somebody lifts it" in page


def test_the_status_of_a_stranger_is_told_too(house: House) -> None:
    story = house.json("status", "stranger@example.com", "--format", "json")[0]

    assert (story["suppressed"], story["suppressions"], story["events"]) == (False, [], [])


def test_a_removal_lasts_although_the_old_report_is_read_again(house: House) -> None:
    house.run("suppress", "remove", "anna@example.com", "--note", "she wrote to us")
    (house.folder / "copy.eml").write_bytes(dsn("anna@example.com") + b"\n")
    house.run("ingest", "hard.eml", "copy.eml")

    house.run("check", "anna@example.com")
    house.run("suppress", "remove", "anna@example.com", code=1)


def test_a_new_report_after_a_removal_suppresses_again(house: House) -> None:
    house.run("suppress", "remove", "anna@example.com")
    (house.folder / "new.eml").write_bytes(dsn("anna@example.com", original="<later@sender.example>"))
    house.run("ingest", "new.eml")

    house.run("check", "anna@example.com", code=1)


def test_an_entry_by_hand_has_scope_reason_note_and_end(house: House) -> None:
    house.run(
        "suppress",
        "add",
        "carla@example.org",
        "--scope",
        "stream:news",
        "--until",
        "30d",
        "--reason",
        "asked by telephone",
    )

    entry = next(e for e in house.json("suppress", "list", "--format", "json") if e["address"] == "carla@example.org")
    assert (entry["scope"], entry["reason"], entry["origin"], entry["note"]) == (
        "stream:news",
        "manual",
        "manual",
        "asked by telephone",
    )
    assert entry["until"]
    house.run("check", "carla@example.org", code=1)
    house.run("check", "carla@example.org", "--stream", "news", code=1)
    house.run("check", "carla@example.org", "--stream", "invoices")


def test_a_whole_domain_by_hand_answers_for_its_addresses(house: House) -> None:
    house.run("suppress", "add", "@example.net")

    house.run("check", "anybody@example.net", code=1)
    house.run("check", "anybody@sub.example.net")
    assert house.json("status", "anybody@example.net", "--format", "json")[0]["suppressed"] is True


@pytest.mark.parametrize(
    ("option", "value"), [("--scope", "news"), ("--until", "yesterday"), ("--until", "2020-01-01")]
)
def test_what_makes_no_sense_is_refused(house: House, option: str, value: str) -> None:
    house.run("suppress", "add", "x@example.com", option, value, code=2)
    house.run("check", "x@example.com")


def test_export_as_csv_jsonl_and_txt(house: House) -> None:
    house.run("suppress", "add", "=cmd@example.org")
    rows = list(csv.DictReader(house.run("export", "--format", "csv").stdout.splitlines()))
    lines = house.json("export", "--format", "jsonl")
    text = house.run("export", "--format", "txt").stdout.splitlines()

    assert sorted(row["reason"] for row in rows) == ["bounce", "complaint", "manual"]
    assert not any(row["address"].startswith("=") for row in rows), "no cell is a formula"
    assert (
        {line["address"].lower() for line in lines}
        == set(map(str.lower, text))
        == {"anna@example.com", "georg@example.org", "=cmd@example.org"}
    )


def test_export_to_a_file_is_whole_and_gives_the_version_to_go_on_from(house: House) -> None:
    house.run("export", "--format", "txt", "-o", "list.txt")
    stamp = json.loads((house.folder / "list.txt.stamp").read_text())
    house.run("suppress", "add", "new@example.com")

    changes = house.json("export", "--format", "jsonl", "--since", str(stamp["version"]))

    assert [(change["action"], change["address"]) for change in changes] == [("add", "new@example.com")]
    assert len((house.folder / "list.txt").read_text().splitlines()) == 2


def test_a_complaint_is_lifted_only_with_a_stated_consent_which_is_recorded(house: House) -> None:
    done = house.run("suppress", "remove", "georg@example.org", "--reason", "a mistake", code=2)
    assert "say with --consent" in done.stderr
    house.run("check", "georg@example.org", code=1)

    house.run("suppress", "remove", "georg@example.org", "--reason", "a mistake", "--consent", "his letter of 2 March")

    house.run("check", "georg@example.org")
    change = house.snapshot()["suppression_change"][-1]
    assert (change["action"], change["note"]) == ("remove", "a mistake; consent: his letter of 2 March")
    assert change["actor"].startswith("user:")


def test_the_list_says_who_changed_what_and_can_be_narrowed(house: House) -> None:
    house.run("suppress", "add", "x@example.com", "--scope", "stream:news", "--actor", "ticket 4711")
    refused = house.run("suppress", "add", "y@example.com", "--actor", "jo@example.com", code=2).stderr
    assert "the actor holds an address" in refused
    assert "Write a name or a ticket" in refused
    entries = {e["address"].lower(): e for e in house.json("suppress", "list", "--format", "json")}
    assert "y@example.com" not in entries
    assert entries["anna@example.com"]["actor"] == "policy"
    assert entries["x@example.com"]["actor"].startswith("ticket 4711 (user:")
    only = house.json("suppress", "list", "--format", "json", "--scope", "stream:news", "--reason", "manual")
    assert [e["address"] for e in only] == ["x@example.com"]
    assert house.json("suppress", "list", "--format", "json", "--scope", "stream:news", "--reason", "bounce") == []


def test_db_upgrade_current_and_check(tmp_path: Path) -> None:
    folder = tmp_path / "fresh"
    folder.mkdir()
    house = House(folder)

    house.run("db", "upgrade")
    revision = house.run("db", "current").stdout.strip()
    house.run("db", "upgrade")

    assert revision == house.run("db", "current").stdout.strip() != ""
    assert "no drift" in house.run("db", "check").stderr


def test_config_show_hides_secrets(house: House) -> None:
    (house.folder / "bounceproc.toml").write_text(
        '[[mailbox]]\nname = "returns"\nhost = "imap.example.com"\nuser = "u"\npassword = "very-secret-4711"\n'
    )

    shown = house.run("config", "show")

    assert "imap.example.com" in shown.stdout
    assert "4711" not in shown.stdout + shown.stderr
