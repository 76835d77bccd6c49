"""The short way to the list of an SQLite file gives what the usual way gives, and is not taken where anything is unusual."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bounceproc.address import Address
from bounceproc.errors import BounceprocError
from bounceproc.store import direct as room
from bounceproc.store.direct import DirectList
from tests.store.kit import DAY, Bench, bounce, reading, soft

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ["a@example.com", "b@example.com", "ü@bücher.example", "@example.com", "@xn--bcher-kva.example"]


@pytest.fixture
def sqlite_bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench.prepare(f"sqlite:///{tmp_path}/100% of it.db", tmp_path) as bench:
        yield bench


WISH = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(["*", "stream:news", "stream:x"]),
    st.sampled_from(["manual", "complaint", "bounce", "import"]),
    st.sampled_from([None, -1, 0, 1, 30]),
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WISH, max_size=6), st.sampled_from([None, "news", "other"]))
def test_both_ways_give_the_same(
    sqlite_bench: Bench, wishes: list[tuple[str, str, str, int | None]], stream: str | None
) -> None:
    bench = sqlite_bench
    for name in NAMES:
        bench.lift(name)
    for name, scope, reason, days in wishes:
        until = None if days is None else bench.now + timedelta(days=days)
        bench.suppress(name, scope=scope, reason=reason, until=until, note=f"{name} {days}")
    addresses = [Address.parse(name) for name in NAMES if name[0] != "@"] + [Address.parse_domain("example.com")]

    direct = DirectList.open(bench.url, bench.pepper_file)

    assert direct is not None
    with closing(direct):
        assert direct.check(addresses, stream=stream, now=bench.now) == bench.store.suppressions.check(
            addresses, stream=stream, now=bench.now
        )


def test_what_policy_decided_is_read_with_its_event(sqlite_bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CHUNK", 1)
    sqlite_bench.process(reading(bounce("a@example.com"), soft("b@example.com")))
    addresses = [Address.parse("a@example.com"), Address.parse("b@example.com")]

    direct = DirectList.open(sqlite_bench.url, sqlite_bench.pepper_file)

    assert direct is not None
    with closing(direct):
        found = direct.check(addresses, stream=None, now=sqlite_bench.now + DAY)
        assert direct.check([], stream=None, now=sqlite_bench.now) == {}
    assert found == sqlite_bench.store.suppressions.check(addresses, stream=None, now=sqlite_bench.now + DAY)
    assert found["a@example.com"].ref


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version SET version_num = '9999'",
        "UPDATE setting SET value = '00' WHERE name = 'pepper_check'",
        "UPDATE setting SET value = '2' WHERE name = 'normal_form'",
        "DELETE FROM setting",
        "DROP TABLE setting",
    ],
)
def test_an_unusual_file_is_left_to_the_usual_way(sqlite_bench: Bench, statement: str) -> None:
    with closing(sqlite3.connect(str(sqlite_bench.database.path), isolation_level=None)) as database:
        database.execute(statement)

    assert DirectList.open(sqlite_bench.url, sqlite_bench.pepper_file) is None


def test_other_databases_files_that_are_none_and_a_missing_pepper_are_left_to_it_too(
    sqlite_bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "letter").write_text("Dear Sir or Madam, " * 100)
    for url in (f"sqlite:///{tmp_path}/none.db", f"sqlite:///{tmp_path}/letter", "postgresql+psycopg://x@localhost/y"):
        assert DirectList.open(url, sqlite_bench.pepper_file) is None
    assert DirectList.open(sqlite_bench.url, tmp_path / "no.pepper") is None
    assert not (tmp_path / "none.db").exists()


def test_trouble_in_the_middle_is_an_error_of_ours(sqlite_bench: Bench) -> None:
    direct = DirectList.open(sqlite_bench.url, sqlite_bench.pepper_file)
    assert direct is not None
    sqlite_bench.store.close()
    with closing(sqlite3.connect(str(sqlite_bench.database.path), isolation_level=None)) as database:
        database.executescript("DROP VIEW v_postfix; DROP VIEW v_suppressed; DROP TABLE suppression")

    with closing(direct), pytest.raises(BounceprocError, match="does not have this program's tables"):
        direct.check([Address.parse("a@example.com")], stream=None, now=sqlite_bench.now)
