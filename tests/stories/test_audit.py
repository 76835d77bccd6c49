"""Who changed what is on record, and the record proves itself, whoever tampers with it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from bounceproc.store.engine import Database
from bounceproc.store.schema import alembic_config
from tests.stories.house import House
from tests.unit.mails import complaint, dsn

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    (tmp_path / "hard.eml").write_bytes(dsn("anna@example.com"))
    (tmp_path / "complaint.eml").write_bytes(complaint("georg@example.org"))
    house.run("ingest", "hard.eml", "complaint.eml")
    house.run("suppress", "add", "carla@example.org", "--note", "asked by telephone")
    return house


def change(house: House, *statements: str) -> None:
    """What somebody does who has the file and not the pepper."""
    with closing(sqlite3.connect(house.database)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_tampered_record_is_told_at_its_first_wrong_line(house: House) -> None:
    done = house.run("audit", "verify")
    assert "3 changes are what was written" in done.stdout
    assert "only against a head that was noted elsewhere" in done.stderr

    change(house, "UPDATE suppression_change SET actor = 'somebody else' WHERE version = 2")

    assert "BROKEN at version 2" in house.run("audit", "verify", code=1).stdout
    (told,) = house.json("audit", "verify", "--format", "json", code=1)
    assert (told["whole"], told["broken"], told["lines"]) == (False, 2, 1)


def test_newest_lines_that_were_cut_off_show_against_a_noted_head(house: House) -> None:
    noted = house.run("audit", "head").stdout.strip()
    change(house, "DELETE FROM suppression_change WHERE version = 3")
    house.run("audit", "verify")
    assert "BROKEN at version 3" in house.run("audit", "verify", "--expect", noted, code=1).stdout
    house.run("suppress", "add", "late@example.org")
    assert "BROKEN at version 3" in house.run("audit", "verify", "--expect", noted, code=1).stdout
    house.run("audit", "verify", "--expect", "nonsense", code=2)


def go_back(house: House) -> None:
    """Make it a database from before the days of seals."""
    script = ScriptDirectory.from_config(alembic_config())
    (mine,) = (one for one in script.walk_revisions() if one.path.endswith("_audit.py"))
    database = Database(f"sqlite:///{house.database}")
    with database.writing() as connection:
        command.downgrade(alembic_config(connection=connection), str(mine.down_revision))
    database.close()


def test_an_upgrade_seals_what_an_older_program_wrote(house: House) -> None:
    go_back(house)
    house.run("audit", "verify", code=78)
    assert "3 changes of the list are sealed now" in house.run("db", "upgrade").stderr
    house.run("suppress", "add", "late@example.org")
    (told,) = house.json("audit", "verify", "--format", "json")
    assert (told["lines"], told["unsealed"], told["erased"]) == (4, 0, 0)
    assert "sealed already" in house.run("audit", "seal").stderr


def test_an_upgrade_without_the_pepper_says_what_is_to_be_done(house: House) -> None:
    go_back(house)
    pepper = house.folder / "bounceproc.pepper"
    pepper.rename(house.folder / "elsewhere")
    assert "then: bounceproc audit seal" in house.run("db", "upgrade").stderr
    (house.folder / "elsewhere").rename(pepper)
    assert "3 behind them are not sealed" in house.run("audit", "verify", code=1).stdout
    assert "3 changes sealed, from version 1 on" in house.run("audit", "seal").stderr
    house.run("audit", "verify")
