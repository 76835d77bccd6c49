"""Policy as its users meet it: shown, checked, tried, and what it did and did not do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.stories.house import House

if TYPE_CHECKING:
    from pathlib import Path


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
