"""The pepper belongs to its database: made once, proved at every opening, never inside."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bounceproc.address import Address
from bounceproc.errors import AccessError, ConfigError, SchemaError
from bounceproc.store.engine import Database
from bounceproc.store.keys import Keys, make_pepper, read_pepper
from bounceproc.store.schema import Schema
from bounceproc.store.store import Store
from tests.store.kit import Bench, bounce, reading

if TYPE_CHECKING:
    from pathlib import Path


def test_sqlite_makes_its_pepper_once(tmp_path: Path) -> None:
    url, pepper = f"sqlite:///{tmp_path / 'x.db'}", tmp_path / "pepper"
    with Store.open(url, pepper_file=pepper) as store:
        first = store.keys
    content = pepper.read_text()
    assert len(content) == 65
    with Store.open(url, pepper_file=pepper) as store:
        assert store.keys == first
    assert pepper.read_text() == content


@pytest.mark.server
def test_postgresql_asks_for_its_pepper(postgres_url: str, tmp_path: Path) -> None:
    Schema(postgres_url).upgrade()
    with pytest.raises(ConfigError, match=r"pepper file .* is missing.*openssl rand -hex 32") as caught:
        Store.open(postgres_url, pepper_file=tmp_path / "pepper")
    assert caught.value.exit_code == 78
    assert not (tmp_path / "pepper").exists()


def test_a_missing_pepper_of_a_known_database_is_never_made_anew(bench: Bench) -> None:
    bench.pepper_file.unlink()
    with pytest.raises(ConfigError, match=rf"made with pepper {bench.store.keys.id}\. Put it back"):
        Store.open(bench.url, pepper_file=bench.pepper_file)
    assert not bench.pepper_file.exists()


def test_another_pepper_is_refused(bench: Bench) -> None:
    bench.pepper_file.write_text("77" * 32)
    with pytest.raises(
        ConfigError, match=rf"holds pepper .*, and the database was made with pepper {bench.store.keys.id}"
    ):
        Store.open(bench.url, pepper_file=bench.pepper_file)


def test_another_normal_form_is_refused(bench: Bench) -> None:
    with bench.database.writing() as connection:
        connection.exec_driver_sql("UPDATE setting SET value = '2' WHERE name = 'normal_form'")
    with pytest.raises(SchemaError, match="normal form 2"):
        Store.open(bench.url, pepper_file=bench.pepper_file)


@pytest.mark.parametrize("content", ["", "5a" * 31, "5a" * 33, "zz" * 32, "\xff" * 64, "5a" * 5000])
def test_a_file_without_a_pepper_in_it_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "pepper").write_text(content)
    with pytest.raises(ConfigError, match="does not hold 64 hexadecimal digits"):
        read_pepper(tmp_path / "pepper")


def test_a_folder_is_no_pepper(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="cannot be read"):
        read_pepper(tmp_path)
    with pytest.raises(ConfigError, match="does not exist"):
        make_pepper(tmp_path / "nowhere" / "pepper")


def test_the_pepper_is_not_in_the_database(tmp_path: Path) -> None:
    with Bench.prepare(f"sqlite:///{tmp_path / 'x.db'}", tmp_path) as bench:
        bench.process(reading(bounce()))
        pepper = bench.store.keys.pepper
    content = (tmp_path / "x.db").read_bytes()
    assert pepper not in content
    assert pepper.hex().encode() not in content
    assert pepper.hex() not in repr(bench.store.keys)


def test_those_who_make_a_pepper_at_the_same_time_get_the_same_one(tmp_path: Path) -> None:
    path, start = tmp_path / "pepper", threading.Barrier(8)

    def make(_: int) -> bytes:
        start.wait()
        make_pepper(path)
        return read_pepper(path).pepper

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(8)))) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_those_who_open_a_new_database_at_the_same_time_share_it(tmp_path: Path) -> None:
    start = threading.Barrier(4)

    def open_it(_: int) -> bytes:
        start.wait()
        with Store.open(f"sqlite:///{tmp_path / 'x.db'}", pepper_file=tmp_path / "pepper") as store:
            return store.keys.pepper

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(open_it, range(4)))) == 1


def test_a_file_that_somebody_is_just_making_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE t (x)")
    timer = threading.Timer(1.5, lambda: other.execute("ROLLBACK"))
    timer.start()
    Store.open(f"sqlite:///{path}", pepper_file=tmp_path / "pepper").close()
    timer.join()
    other.close()


def test_a_question_with_a_sha256_finds_the_same_key() -> None:
    keys, address = Keys(b"p" * 32), Address.parse("User@Example.com")
    assert keys.of(address) == keys.of_sha256(Address.parse("user@EXAMPLE.com").sha256())
    assert keys.of(address) != Keys(b"q" * 32).of(address)
    assert keys.of(address) != keys.of(address.domain_address())
    assert len(keys.of(address)) == 16


def test_a_key_or_an_id_gives_nothing_away() -> None:
    keys, address = Keys(b"p" * 32), Address.parse("user@example.com")
    assert b"user" not in keys.of(address)
    assert keys.of(address) != address.sha256()[:16]
    assert keys.original("<a@b>") != keys.original("<c@d>")
    assert keys.original(None) == keys.original("") == b""
    assert keys.check not in {keys.id, keys.pepper.hex()}


def test_a_pepper_that_lies_ready_is_used_by_sqlite_too(tmp_path: Path) -> None:
    (tmp_path / "pepper").write_text("11" * 32)
    with Store.open(f"sqlite:///{tmp_path / 'x.db'}", pepper_file=tmp_path / "pepper") as store:
        assert store.keys.pepper == b"\x11" * 32


def test_a_database_says_nothing_secret_of_itself(tmp_path: Path) -> None:
    assert "hunter2" not in Database("postgresql://u:hunter2@h/d?password=hunter2").name
