"""People are forgotten, old things go, and where no plaintext may be kept every question is answered all the same."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.stories.house import House
from tests.stories.serving import serving
from tests.unit.mails import complaint, dsn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.dovecot import MailUser


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_person_is_forgotten_and_the_suppression_answers(house: House) -> None:
    house.run("ingest", "-", stdin=dsn("anna.vogel@example.com"))
    house.run("suppress", "add", "anna.vogel@example.com", "--note", "anna.vogel@example.com rang")

    foreseen = house.run("forget", "Anna.Vogel@example.com", "--dry-run")
    assert b"anna.vogel" in house.everything()
    house.run("forget", "anna.vogel@example.com", code=2)  # nobody is there to be asked
    (told,) = house.json("forget", "anna.vogel@example.com", "--yes", "--reason", "her letter", "--format", "json")

    assert f"would be erased: {told['total']}" in foreseen.stderr
    assert b"anna.vogel" not in house.everything()
    assert "suppressed: do not mail" in house.run("status", "anna.vogel@example.com").stdout
    (again,) = house.json("forget", "anna.vogel@example.com", "--yes", "--format", "json")
    assert (again["total"], again["counts"]) == (0, {})
    (line,) = [row for row in house.snapshot()["suppression_change"] if row["action"] == "forget"]
    assert (line["note"], line["address"], line["actor"].partition(":")[0]) == ("her letter", None, "user")
    assert "2 entries have no plaintext" in house.run("export", "--format", "txt").stderr


def test_a_whole_domain_is_no_person(house: House) -> None:
    assert "no person" in house.run("forget", "--yes", "@example.com", code=2).stderr


def test_what_is_over_its_time_goes_and_nobody_is_let_in_by_it(house: House) -> None:
    house.run("ingest", "-", stdin=dsn("anna@example.com"))
    house.run("ingest", "-", stdin=complaint("bert@example.com"))
    with closing(sqlite3.connect(house.database)) as connection, connection:
        connection.execute("UPDATE message SET recorded_at = '2020-01-02 03:04:05.000000'")
        connection.execute("UPDATE event SET recorded_at = '2020-01-02 03:04:05.000000'")
    doctor = {row["check"]: row for row in house.json("doctor", "--format", "json")}
    assert (doctor["retention"]["level"], doctor["backup"]["level"]) == ("warning", "note")
    before = house.snapshot()["suppression"]

    foreseen = house.run("purge", "--dry-run")
    assert "would be purged: 4" in foreseen.stderr
    (purged,) = house.json("purge", "--format", "json")
    assert purged["counts"] == {"copies": 2, "events": 2}
    assert house.json("purge", "--format", "json")[0]["total"] == 0

    assert house.snapshot()["event"] == []
    assert house.snapshot()["suppression"] == before
    house.run("check", "-q", "anna@example.com", code=1)
    doctor = {row["check"]: row for row in house.json("doctor", "--format", "json")}
    assert doctor["retention"]["level"] == "ok"


@pytest.mark.server
def test_a_poll_purges_a_bit_at_its_end(mail_user: MailUser, tmp_path: Path) -> None:
    house = House(tmp_path, mail_user)
    house.run("ingest", "-", stdin=dsn("anna@example.com"))
    with closing(sqlite3.connect(house.database)) as connection, connection:
        connection.execute("UPDATE message SET recorded_at = '2020-01-02 03:04:05.000000'")

    house.run("poll", "--once", "--dry-run")
    assert house.json("purge", "--dry-run", "--format", "json")[0]["counts"] == {"copies": 1}
    house.run("poll", "--once")
    assert house.json("purge", "--dry-run", "--format", "json")[0]["counts"] == {}
    house.run("check", "-q", "anna@example.com", code=1)


def test_nought_keeps_for_ever(house: House) -> None:
    house.configuration.write_text("[retention]\nraw = 0\nevents = 0\n")
    done = house.run("ingest", "-", stdin=dsn("anna@example.com"))
    with closing(sqlite3.connect(house.database)) as connection, connection:
        connection.execute("UPDATE message SET recorded_at = '2020-01-02 03:04:05.000000'")
    assert "retention" not in done.stderr
    assert "nothing purged" in house.run("purge").stderr


def test_where_only_hashes_are_kept_every_question_is_answered(house: House) -> None:
    head = "[privacy]\nhash_only = true\n"
    house.configuration.write_text(head)
    house.run("ingest", "-", stdin=dsn("anna.vogel@example.com"))
    house.run("ingest", "-", stdin=complaint("georg.huber@example.org"))
    house.run(
        "suppress", "add", "carla.rot@example.com", "--note", "carla.rot@example.com rang", "--scope", "stream:news"
    )
    (house.folder / "list.csv").write_text("email,reason\ndora.klein@example.com,bounce\n")
    house.run("suppress", "import", "list.csv")

    (story,) = house.json("status", "anna.vogel@example.com", "--format", "json")
    assert (story["suppressed"], story["category"], len(story["events"])) == (True, "bad-mailbox", 1)
    house.run("check", "-q", "georg.huber@example.org", code=1)
    house.run("check", "-q", "dora.klein@example.com", code=1)
    house.run("check", "-q", "carla.rot@example.com", "--stream", "news", code=1)
    house.run("check", "-q", "carla.rot@example.com", "--stream", "billing")
    asked = b"anna.vogel@example.com\nnew@example.com\ngeorg.huber@example.org\n"
    assert house.run("filter", stdin=asked).stdout.split() == ["new@example.com"]
    export = house.run("export", "--format", "txt")
    assert (export.stdout, "4 entries have no plaintext address" in export.stderr) == ("", True)
    with serving(house.folder, "", head) as served:
        assert served.map(b"suppressed anna.vogel@example.com").startswith(b"OK REJECT 5.1.1")
        assert served.request("GET", "/v1/addresses/dora.klein@example.com")[1]["suppressed"] is True
        assert served.map(b"suppressed new@example.com") == b"NOTFOUND "
    house.run("suppress", "remove", "anna.vogel@example.com", "--note", "anna.vogel@example.com wrote")
    house.run("check", "-q", "anna.vogel@example.com")
    house.run("audit", "verify")

    left = house.everything()
    for name in ("anna.vogel", "georg.huber", "carla.rot", "dora.klein"):
        assert name.encode() not in left
    assert json.loads(house.run("suppress", "list", "--format", "jsonl").stdout.splitlines()[0])["address"] is None
