"""The demonstration runs with nothing configured and leaves a database that answers."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from tests.stories.house import House

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("pymap")


def test_demo_shows_the_flow_and_leaves_what_it_promises(tmp_path: Path) -> None:
    house = House(tmp_path)

    shown = house.run("demo").stdout

    assert (tmp_path / "bounceproc-demo" / "bounceproc.db").is_file()
    assert "bounceproc-demo/bounceproc.db" in shown
    for word in (
        "no such user",
        "bad-mailbox",
        "complaint",
        "unsubscribe",
        "delay",
        "auto-reply",
        "malformed",
        "spam-block",
    ):
        assert word in shown, word
    commands = [
        shlex.split(line.partition(" -m bounceproc ")[2]) for line in shown.splitlines() if line.startswith("  /")
    ]
    assert len(commands) == 4
    for command in commands:
        house.run(*command, code=1 if command[0] == "check" else 0)
    assert house.json("status", "anna@example.com", "--format", "json", "--config", "bounceproc-demo/bounceproc.toml")[
        0
    ]["suppressed"]
    for address in (
        "carla@example.org",
        "emil@example.com",
        "fatima@example.net",
        "ivo@example.com",
        "jana@example.net",
    ):
        house.run("check", address, "--config", "bounceproc-demo/bounceproc.toml")


def test_a_second_demo_overwrites_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    (tmp_path / "bounceproc-demo").mkdir()

    house.run("demo")
    house.run("demo", "--folder", "bounceproc-demo", code=2)

    assert not list((tmp_path / "bounceproc-demo").iterdir())
    assert (tmp_path / "bounceproc-demo-2" / "bounceproc.db").is_file()
