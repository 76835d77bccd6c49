"""Each folder of `imports` is a list as a service or a person writes it, and what is on ours after it was imported."""

from __future__ import annotations

import csv
import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.stories.house import House

LISTS = sorted(path.parent for path in (Path(__file__).parent / "imports").glob("*/expected.toml"))


@pytest.mark.parametrize("story", LISTS, ids=lambda path: path.name)
def test_list(story: Path, tmp_path: Path) -> None:
    expected = tomllib.loads((story / "expected.toml").read_text())
    house = House(tmp_path)
    (given,) = story.glob("list.*")
    (tmp_path / given.name).write_bytes(given.read_bytes())
    bad = expected.get("bad", [])

    (dry,) = house.json("suppress", "import", given.name, "--dry-run", "--format", "json", code=65 if bad else 0)
    assert not house.database.exists(), "a dry run makes nothing"
    (told,) = house.json("suppress", "import", given.name, "--format", "json", code=65 if bad else 0)

    assert told["format"] == expected["make"]
    assert listed(house) == expected["list"], expected["claim"]
    assert told["bad"] == len(bad)
    assert rejected(house) == bad
    assert (dry["added"], dry["bad"]) == (told["added"], told["bad"])

    before = house.snapshot()
    again = house.run("suppress", "import", given.name, code=65 if bad else 0)
    assert "Nothing changed." in again.stderr
    assert house.snapshot() == before, "the same list again changes nothing"


def listed(house: House) -> list[str]:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    entries = house.json("suppress", "list", "--format", "jsonl")
    assert {entry["origin"] for entry in entries} == {"import"}
    return sorted(
        f"{e['address']} {e['scope']} {e['reason']} {e['category'] or '-'} {e['since'][:10]}".replace(today, "today")
        for e in entries
    )


def rejected(house: House) -> list[int]:
    found: list[dict[str, Any]] = []
    for path in house.folder.glob("*.rejects.*"):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        delimiter = ";" if ";" in lines[0] else ","
        found += map(json.loads, lines) if path.suffix == ".jsonl" else csv.DictReader(lines, delimiter=delimiter)
    return sorted(int(row["rejected_line"]) for row in found)


@pytest.mark.parametrize(
    "name", ["csv", "jsonl", "txt", "ses", "sendgrid", "mailgun-bounces", "mailgun-complaints", "postmark", "sparkpost"]
)
def test_what_is_exported_can_be_imported_elsewhere(tmp_path: Path, name: str) -> None:
    house = House(tmp_path)
    house.run("suppress", "add", "anna@example.com", "=b@bücher.example", "--reason", "bounce")
    house.run(
        "suppress", "add", "georg@example.org", "--reason", "complaint", "--scope", "stream:news", "--until", "9d"
    )
    house.run("suppress", "add", "@dead.example", "--reason", "bounce")
    house.run("export", "--format", name, "-o", "out")

    elsewhere = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    house.run("suppress", "import", "out", "--database", elsewhere)
    house.run("export", "--format", name, "-o", "again", "--database", elsewhere)

    columns = ("address", "scope", "reason", "until")
    lines, again = ((tmp_path / each).read_text().splitlines() for each in ("out", "again"))
    if name == "csv":
        first, second = list(csv.DictReader(lines)), list(csv.DictReader(again))
    elif name == "jsonl":
        first, second = list(map(json.loads, lines)), list(map(json.loads, again))
    else:
        # Mailgun's lines say when it began, which an import keeps.
        assert sorted(lines) == sorted(again)
        return
    assert len(first) == 4
    assert sorted(str([row[n] for n in columns]) for row in first) == sorted(
        str([row[n] for n in columns]) for row in second
    )


def test_the_rejects_can_be_mended_and_imported(tmp_path: Path) -> None:
    house = House(tmp_path)
    (tmp_path / "list.csv").write_text("name,email,reason\nAnna,anna.example.com,bounce\nBerta,berta@example.com,\n")
    done = house.run("suppress", "import", "list.csv", "--rejects", "bad.csv", code=65)
    assert "line 2" in done.stderr
    bad = tmp_path / "bad.csv"
    bad.write_text(bad.read_text().replace("anna.example.com", "anna@example.com"))
    house.run("suppress", "import", "bad.csv")
    assert listed(house) == ["anna@example.com * bounce - today", "berta@example.com * import - today"]


def test_who_you_decided_to_send_to_is_left_alone_and_who_imported_is_recorded(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.run("suppress", "allow", "anna@example.com", "--reason", "a customer")
    (tmp_path / "list.txt").write_text("anna@example.com\nberta@example.com\n")
    options = ("--reason", "bounce", "--scope", "stream:news", "--until", "2099-01-01", "--actor", "ticket 4711")
    done = house.run("suppress", "import", "list.txt", *options)
    assert "1 left alone: you decided to go on sending" in done.stderr
    (entry,) = house.json("suppress", "list", "--format", "json")
    assert (entry["address"], entry["reason"], entry["scope"]) == ("berta@example.com", "bounce", "stream:news")
    assert entry["until"].startswith("2099-01-01")
    assert house.snapshot()["suppression_change"][-1]["actor"].startswith("ticket 4711 (user:")


@pytest.mark.parametrize(
    ("content", "arguments", "told"),
    [
        (b"name;town\nAnna;Bonn\n", (), "no column that is known to hold addresses"),
        (b"a@example.com\n", ("--from-format", "listserv"), "is no format of a list"),
        (b"a@example.com\n", ("--reason", "because"), "other words go into --note"),
        (b"a@example.com\n", ("--until", "2020-01-01"), "it lies in the past"),
        (b"a@example.com\n", ("--rejects", "list"), "is the list itself"),
        (b"a@example.com\n", ("--encoding", "klingon"), "is no encoding"),
    ],
)
def test_what_makes_no_sense_is_refused_whole(
    tmp_path: Path, content: bytes, arguments: tuple[str, ...], told: str
) -> None:
    house = House(tmp_path)
    (tmp_path / "list").write_bytes(content)
    done = house.run("suppress", "import", "list", *arguments, code=2)
    assert told in " ".join(done.stderr.split()).replace("│ ", "")
    assert not (tmp_path / "list.rejects.csv").exists()


def test_a_list_on_standard_input(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.run("suppress", "import", "-", stdin=b"anna@example.com\n")
    house.run("suppress", "import", "-", stdin=b"")
    assert listed(house) == ["anna@example.com * import - today"]
