"""The schema is made, upgraded and compared the same way everywhere, and nothing foreign is touched."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from bounceproc.errors import AccessError, BounceprocError, ConfigError, SchemaError, UnavailableError
from bounceproc.store import schema
from bounceproc.store.engine import Database
from bounceproc.store.schema import HEAD, Schema, alembic_config, ensure, known_revisions
from bounceproc.store.store import Store
from bounceproc.store.tables import metadata, pulse_event

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres


def test_an_empty_database_is_upgraded_and_shows_no_drift(url: str) -> None:
    assert Schema(url).current() is None
    (line,) = Schema(url).check()
    assert "is empty" in line
    assert Schema(url).upgrade() == (None, HEAD)
    assert Schema(url).upgrade() == (HEAD, HEAD)
    assert Schema(url).current() == HEAD
    assert Schema(url).check() == []


def test_the_constant_is_the_newest_revision() -> None:
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(alembic_config())
    assert script.get_heads() == [HEAD]
    assert known_revisions() == {revision.revision for revision in script.walk_revisions()}


def test_every_migration_can_be_taken_back(url: str) -> None:
    from alembic import command

    Schema(url).upgrade()
    database = Database(url)
    with database.writing() as connection:
        command.downgrade(alembic_config(connection=connection), "base")
    with database.reading() as connection:
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]
    database.close()
    Schema(url).upgrade()
    assert Schema(url).check() == []


def test_what_providers_refused_today_is_known_after_an_upgrade_and_after_taking_it_back(url: str) -> None:
    from alembic import command

    Schema(url).upgrade()
    database = Database(url)
    row = {"day": "2026-11-26", "key": b"key", "fingerprint": b"print", "id": b"id"}
    for move, revision in ((command.downgrade, "0009"), (command.upgrade, "0010")):
        with database.writing() as connection:
            connection.execute(sa.delete(pulse_event))
            connection.execute(sa.insert(pulse_event).values(**row))
            move(alembic_config(connection=connection), revision)
            assert [dict(found) for found in connection.execute(sa.select(pulse_event)).mappings()] == [row]
    database.close()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DROP INDEX ix_event_message_id", "missing index"),
        ("ALTER TABLE setting ADD COLUMN extra TEXT", "not expected: column"),
        ("DROP TABLE checkpoint", "missing table checkpoint"),
        ("DROP VIEW v_postfix", "missing view v_postfix"),
    ],
)
def test_drift_is_told(url: str, statement: str, told: str) -> None:
    Schema(url).upgrade()
    _execute(url, statement)
    (line,) = Schema(url).check()
    assert told in line


def test_tables_of_others_are_no_drift(url: str) -> None:
    Schema(url).upgrade()
    _execute(url, "CREATE TABLE somebody_elses (id INTEGER)")
    assert Schema(url).check() == []


def test_a_newer_database_is_left_alone(url: str, tmp_path: Path) -> None:
    Schema(url).upgrade()
    _execute(url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaError, match=r"newer than this program.*9999.*newer one"):
        Store.open(url, pepper_file=tmp_path / "pepper")
    with pytest.raises(SchemaError, match="newer than this program"):
        Schema(url).upgrade()


def test_an_older_database_asks_for_the_upgrade(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Schema(url).upgrade()
    monkeypatch.setattr(schema, "HEAD", "9998")
    with pytest.raises(SchemaError, match=r"older than this program.*bounceproc db upgrade"):
        Store.open(url, pepper_file=tmp_path / "pepper")
    assert Schema(url).check() == [f"the revision is {HEAD} and should be 9998"]


def test_an_sqlite_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "100% %(mine)s.db"
    with Store.open(f"sqlite:///{path}", pepper_file=tmp_path / "pepper") as store:
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
        assert store.suppressions.version() == 0
    assert modes == {f"{path.name}{end}": 0o600 for end in ("", "-wal", "-shm")} | {"pepper": 0o600}


def test_an_empty_sqlite_file_is_filled(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    Store.open(f"sqlite:///{tmp_path / 'empty.db'}", pepper_file=tmp_path / "pepper").close()
    assert Schema(f"sqlite:///{tmp_path / 'empty.db'}").current() == HEAD


def test_a_file_made_at_once_is_what_the_migrations_make(tmp_path: Path) -> None:
    shapes = []
    for name in ("made.db", "migrated.db"):
        url = f"sqlite:///{tmp_path / name}"
        if name == "made.db":
            Store.open(url, pepper_file=tmp_path / "pepper").close()
        else:
            Schema(url).upgrade()
        assert Schema(url).check() == []
        database = Database(url)
        with database.reading() as connection:
            shapes.append(_shape(connection))
        database.close()
    assert shapes[0] == shapes[1]
    assert len(shapes[0]) == len(metadata.tables) + 3  # the revision, what SQLite counts rows in, and the views
    assert shapes[0]["views"]


def _shape(connection: sa.Connection) -> dict[str, object]:
    """All that SQLite knows of each table: columns, keys, indexes with their conditions, whether ids are given anew."""
    shape: dict[str, object] = {}
    for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1").all():
        (made,) = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).one()
        indexes = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? ORDER BY 1", (name,)
        ).all()
        columns = connection.exec_driver_sql(f"PRAGMA table_info('{name}')").all()
        keys = connection.exec_driver_sql(f"PRAGMA foreign_key_list('{name}')").all()
        names = sorted(re.findall(r"CONSTRAINT \"?(\w+)", made))
        shape[name] = (columns, keys, indexes, names, "AUTOINCREMENT" in made)
    shape["views"] = [
        (name, made.split())
        for name, made in connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'view'").all()
    ]
    return shape


@pytest.mark.server
def test_an_empty_postgresql_database_asks_for_the_upgrade(postgres_url: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"is empty.*bounceproc db upgrade"):
        Store.open(postgres_url, pepper_file=tmp_path / "pepper")


@pytest.mark.server
def test_a_postgresql_database_that_cannot_hold_every_character_is_refused(postgres: Postgres) -> None:
    with postgres.new_database("LATIN1") as url, pytest.raises(ConfigError, match=r"LATIN1.*--encoding=UTF8"):
        Schema(url).upgrade()


def test_looking_at_a_missing_sqlite_file_does_not_make_it(tmp_path: Path) -> None:
    subject = Schema(f"sqlite:///{tmp_path / 'none.db'}")
    assert subject.current() is None
    assert len(subject.check()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear Sir or Madam, " * 100)
    with pytest.raises(ConfigError, match=r"is no SQLite database.*another file"):
        Store.open(f"sqlite:///{path}", pepper_file=tmp_path / "pepper")
    assert path.read_text().startswith("Dear Sir")


def test_another_programs_sqlite_database_is_not_touched(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "theirs.db")
    connection.execute("CREATE TABLE theirs (id INTEGER)")
    connection.close()
    for work in (
        Schema(f"sqlite:///{tmp_path / 'theirs.db'}").upgrade,
        Schema(f"sqlite:///{tmp_path / 'theirs.db'}").current,
    ):
        with pytest.raises(ConfigError, match="belongs to another program"):
            work()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?uri=true",
        "mysql://u:hunter2@h/d",
        "hunter2",
        "p:hunter2@@x//::",
    ],
)
def test_a_url_that_cannot_be_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Database(url)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the folder .*nowhere for the database does not exist"):
        Store.open(f"sqlite:///{tmp_path}/nowhere/x.db", pepper_file=tmp_path / "pepper")


def test_a_server_that_does_not_answer_is_unavailable_and_no_password_is_told() -> None:
    password = "hunter" + "2"  # in two pieces: a traceback quotes this line, too
    with pytest.raises(UnavailableError, match=r"'bounceproc' at 127.0.0.1:9 does not answer") as caught:
        _ensure(f"postgresql://bounceproc:{password}@127.0.0.1:9/bounceproc")
    assert caught.value.retry
    assert password not in "".join(traceback.format_exception(caught.value))


@pytest.mark.server
@pytest.mark.parametrize(
    ("user", "name", "kind", "words"),
    [
        ("bounceproc", "nowhere", ConfigError, "createdb"),
        ("stranger", "postgres", AccessError, "refuses this user"),
    ],
)
def test_a_server_that_refuses_says_why(
    postgres: Postgres, user: str, name: str, kind: type[BounceprocError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        _ensure(f"postgresql://{user}:hunter2@/{name}?host={postgres.folder}")


@pytest.mark.server
def test_a_right_that_is_missing_is_told(postgres: Postgres, postgres_url: str) -> None:
    Schema(postgres_url).upgrade()
    name = str(sa.make_url(postgres_url).database)
    postgres.execute("DROP ROLE IF EXISTS guest")
    postgres.execute("CREATE ROLE guest LOGIN")
    with pytest.raises(AccessError, match="does not allow this to this user"):
        _ensure(f"postgresql://guest@/{name}?host={postgres.folder}")


def test_opening_a_database_that_is_up_to_date_does_not_load_alembic(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from bounceproc.store.store import Store; folder = Path(sys.argv[1])\n"
        "Store.open(f'sqlite:///{folder}/x.db', pepper_file=folder / 'pepper').close()\n"
        "print([name for name in ('alembic', 'psycopg', 'sqlalchemy.orm') if name in sys.modules])"
    )
    said = [
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert said[1] == "[]\n"


def test_programs_that_upgrade_at_the_same_time_take_turns(url: str) -> None:
    code = "import sys; from bounceproc.store.schema import Schema; print(*Schema(sys.argv[1]).upgrade())"
    programs = [
        subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [program.communicate(timeout=60)[0].split() for program in programs]
    assert [program.returncode for program in programs] == [0, 0, 0]
    assert {words[-1] for words in said} == {HEAD}
    assert Schema(url).check() == []


def test_a_database_that_somebody_makes_while_we_look_is_ours(tmp_path: Path) -> None:
    (tmp_path / "x.db").touch()
    url = f"sqlite:///{tmp_path / 'x.db'}"
    database = Database(url)

    def meanwhile(_context: object) -> None:
        Schema(url).upgrade()

    sa.event.listen(database._engine, "handle_error", meanwhile, once=True)
    ensure(database)
    database.close()
    assert Schema(url).check() == []


def test_developers_reach_a_database_with_alembic_itself(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    url = f"sqlite:///{tmp_path / 'x.db'}"
    for command in (["upgrade", "head"], ["check"]):
        subprocess.run(
            [sys.executable, "-m", "alembic", "-x", f"url={url}", *command], cwd=root, check=True, capture_output=True
        )
    assert Schema(url).current() == HEAD


def _ensure(url: str) -> None:
    database = Database(url)
    try:
        ensure(database)
    finally:
        database.close()


def _execute(url: str, statement: str) -> None:
    database = Database(url)
    with database.writing() as connection:
        connection.execute(sa.text(statement))
    database.close()
