"""`check` asks the server that the configuration names, and the database where it does not answer; the shortest way each time."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.servers.postfix import free_port
from tests.stories import serving as real
from tests.stories.house import House
from tests.unit.client.server import serving

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def house(tmp_path: Path) -> House:
    home = House(tmp_path)
    home.run("suppress", "add", "listed@example.com")
    return home


def serve_at(house: House, url: str) -> None:
    (house.folder / "bounceproc.toml").write_text(f'[serve]\nhttp = "{url.removeprefix("http://")}"\n')


def test_the_server_answers(house: House) -> None:
    with serving() as server:
        serve_at(house, server.url)
        done = house.run("check", "bad@example.com", "listed@example.com", "--stream", "news", code=1)
        assert done.stderr == ""
        assert house.run("check", "-q", "bad@example.com", code=1).stdout == ""
        house.run("check", "good@example.com")

    assert done.stdout.splitlines() == [
        "bad@example.com  SUPPRESSED  bounce, bad-mailbox, scope *, since ?",
        "listed@example.com  send",
    ]
    assert b'"stream": "news"' in server.requests[0][2]
    assert len(server.requests) == 3


def test_the_database_answers_where_the_server_does_not(house: House) -> None:
    serve_at(house, f"http://127.0.0.1:{free_port()}")
    lines = b"listed@example.com\n" * 2_500
    done = house.run("check", "-", "listed@example.com", code=1, stdin=lines)
    assert done.stdout.count("SUPPRESSED") == 2_501
    assert done.stderr.count("asking the database instead") == 1
    assert done.stderr.startswith("[serve] http: the server at 127.0.0.1:")
    assert house.run("check", "-q", "listed@example.com", code=1).stderr == ""
    for raw in (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", b"220 smtp\r\n\r\n"):
        with serving(raw=raw) as server:
            serve_at(house, server.url)
            assert house.run("check", "listed@example.com", code=1).stderr.count("asking the database instead") == 1
            assert len(server.requests) == 1
    with serving(silent=True) as server:
        serve_at(house, server.url)
        house.run("check", "listed@example.com", code=1)


def test_a_server_that_was_there_is_asked_and_missed(house: House) -> None:
    with real.serving(house.folder) as served:
        assert house.run("check", "listed@example.com", "fine@example.com", code=1).stderr == ""
        (house.folder / "bounceproc.db").rename(house.folder / "away.db")
        assert "SUPPRESSED" in house.run("check", "listed@example.com", code=1).stdout, "only the server can know"
        (house.folder / "away.db").rename(house.folder / "bounceproc.db")
        served.process.kill()
        served.process.wait(60)
        done = house.run("check", "listed@example.com", "fine@example.com", code=1)

    assert [line.split()[1] for line in done.stdout.splitlines()] == ["SUPPRESSED", "send"]
    assert done.stderr.count("asking the database instead") == len(done.stderr.splitlines()) == 1
    assert house.run("check", "--quiet", "listed@example.com", code=1).stderr == ""


def test_a_named_database_and_json_are_the_database_s(house: House) -> None:
    with serving() as server:
        serve_at(house, server.url)
        house.run("check", "listed@example.com", "--database", "sqlite:///bounceproc.db", code=1)
        (told,) = house.json("check", "listed@example.com", "--format", "json", code=1)

    assert (told["suppressed"], told["origin"]) == (True, "manual")
    assert server.requests == []


def test_standard_input_may_have_any_number_of_lines(house: House) -> None:
    lines = b"".join(b"%d@example.com\n" % number for number in range(2_500)) + b"\nlisted@example.com\n"

    done = house.run("check", "-", code=1, stdin=lines)

    assert len(done.stdout.splitlines()) == 2_501
    assert done.stdout.splitlines()[-1].startswith("listed@example.com  SUPPRESSED")
    assert house.run("check", "-", stdin=b"").stdout == ""


def test_an_extension_is_taken_off_where_the_configuration_says_so(house: House) -> None:
    house.run("check", "listed+tag@example.com")
    (house.folder / "bounceproc.toml").write_text("[lookup]\nextension = true\n")
    house.run("check", "listed+tag@example.com", code=1)
    house.run("check", "other+listed@example.com")


def test_a_check_loads_no_library_that_it_does_not_need(house: House) -> None:
    watch = (
        "import sys; from bounceproc.cli.main import main\n"
        "try: main()\n"
        "finally: print(sorted({'typer', 'sqlalchemy', 'rich', 'pydantic', 'sqlite3', 'asyncio', 'ssl'} & {*sys.modules}))"
    )

    def loaded() -> str:
        line = [sys.executable, "-c", watch, "check", "bad@example.com"]
        done = subprocess.run(line, cwd=house.folder, capture_output=True, text=True, check=False)
        return done.stdout.splitlines()[-1]

    assert loaded() == "['pydantic', 'sqlite3']"
    with serving() as server:
        serve_at(house, server.url)
        assert loaded() == "[]"
