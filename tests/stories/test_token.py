"""`token make` and `token read`: a return path that only the holder of the secret can make."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.stories.house import House

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "a secret for tests only"


@pytest.fixture
def house(tmp_path: Path) -> House:
    home = House(tmp_path)
    (home.folder / "secret").write_text(f"{SECRET}\nan older one, still good\n")
    (home.folder / "secret").chmod(0o600)
    write(home, '[identity]\ndomains = ["example.org"]\ntoken_secret_file = "secret"\n')
    return home


def write(house: House, text: str) -> None:
    (house.folder / "bounceproc.toml").write_text(text)


def test_what_is_made_is_read(house: House) -> None:
    made = house.run("token", "make", "user@example.com", "--stream", "news", "--valid", "10d").stdout.strip()
    assert made.startswith("bounces+user=example.com+")
    assert made.endswith("@example.org")
    said = json.loads(house.run("token", "read", made, "--format", "jsonl").stdout)
    assert (said["recipient"], said["stream"]) == ("user@example.com", "news")
    assert "user@example.com" in house.run("token", "read", made).stdout


def test_a_field_for_the_header(house: House) -> None:
    name, _, value = house.run("token", "make", "user@example.com", "--header").stdout.strip().partition(": ")
    assert name == "X-Bounceproc-Token"
    assert "user@example.com" in house.run("token", "read", value).stdout


def test_a_changed_one_is_refused_and_the_secret_is_not_shown(house: House) -> None:
    made = house.run("token", "make", "user@example.com", "--mailbox", "b@example.net").stdout.strip()
    done = house.run("token", "read", made.replace("user", "usex"), code=65)
    assert "no secret of ours" in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_without_a_secret_it_says_how_to_make_one(house: House) -> None:
    write(house, "")
    assert "token_secret_file" in house.run("token", "make", "user@example.com", code=78).stderr


def test_without_a_domain_the_mailbox_must_be_named(house: House) -> None:
    write(house, f'[identity]\ntoken_secret = "{SECRET}"\n')
    assert "--mailbox" in house.run("token", "make", "user@example.com", code=2).stderr
