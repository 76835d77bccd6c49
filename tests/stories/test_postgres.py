"""The same flow on PostgreSQL: the pepper comes first, then everything is as with SQLite."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from tests.stories.house import House
from tests.unit.mails import complaint, dsn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.dovecot import MailUser

pytestmark = pytest.mark.server


@pytest.fixture
def house(tmp_path: Path, mail_user: MailUser, postgres_url: str) -> House:
    house = House(tmp_path, mail_user)
    with (tmp_path / "bounceproc.toml").open("a") as config:
        config.write(f'[database]\nurl = "{postgres_url}"\n')
    mail_user.deliver(dsn("anna@example.com"))
    mail_user.deliver(complaint("georg@example.org"))
    return house


def test_without_a_pepper_nothing_is_read_or_moved(house: House, mail_user: MailUser) -> None:
    house.run("db", "upgrade")

    assert "pepper" in house.run("poll", "--once", code=78).stderr
    assert len(mail_user.uids("INBOX")) == 2


def test_an_empty_database_asks_for_the_upgrade(house: House) -> None:
    assert "bounceproc db upgrade" in house.run("poll", "--once", code=78).stderr


def test_a_poll_into_postgresql_is_queried_and_exported(house: House, mail_user: MailUser) -> None:
    (house.folder / "bounceproc.pepper").write_text(secrets.token_hex(32) + "\n")
    house.run("db", "upgrade")

    house.run("poll", "--once")

    assert len(mail_user.uids("Processed")) == 2
    house.run("check", "anna@example.com", code=1)
    assert house.json("status", "georg@example.org", "--format", "json")[0]["reason"] == "complaint"
    assert len(house.run("export", "--format", "txt").stdout.splitlines()) == 2
    assert "no drift" in house.run("db", "check").stderr
    assert "no message that was not read before" in house.run("poll", "--once").stderr
