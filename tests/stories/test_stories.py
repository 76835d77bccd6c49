"""Each folder here is a story: mail that lies in a mailbox, and what is on the list and in the folders after a poll."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, date, datetime, timedelta
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.stories.house import House

if TYPE_CHECKING:
    from tests.servers.dovecot import MailUser

HERE = Path(__file__).parent
DATE = re.compile(rb"[A-Z][a-z]{2}, +(\d{1,2} [A-Z][a-z]{2} \d{4})")
STORIES = sorted(path.parent for path in HERE.glob("*/expected.toml"))


@pytest.mark.server
@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.name)
def test_story(story: Path, mail_user: MailUser, tmp_path: Path) -> None:
    expected = tomllib.loads((story / "expected.toml").read_text())
    for content in recent([mail.read_bytes() for mail in sorted((story / "mail").iterdir())]):
        sent = str(BytesHeaderParser().parsebytes(content)["Date"])
        mail_user.deliver(content, internaldate=parsedate_to_datetime(sent))
    house = House(tmp_path, mail_user)
    if (story / "config.toml").exists():
        with house.configuration.open("a") as file:
            file.write((story / "config.toml").read_text())

    house.run("poll", "--once")

    told(house, mail_user, expected)
    before = house.snapshot()
    assert "no message that was not read before" in house.run("poll", "--once").stderr
    assert house.snapshot() == before, "a second poll changes nothing"
    told(house, mail_user, expected)
    if "then" in expected:
        afterwards(house, expected["then"])


def recent(mails: list[bytes]) -> list[bytes]:
    """The mails with all their dates moved by as many days as make the newest one yesterday's: what expires has not expired."""
    newest = max(_day(found) for mail in mails for found in DATE.finditer(mail))
    moved = datetime.now(UTC).date() - timedelta(days=1) - newest
    return [DATE.sub(lambda found: f"{_day(found) + moved:%a, %d %b %Y}".encode(), mail) for mail in mails]


def _day(found: re.Match[bytes]) -> date:
    return datetime.strptime(found[1].decode(), "%d %b %Y").replace(tzinfo=UTC).date()


def afterwards(house: House, then: dict[str, Any]) -> None:
    """People are forgotten, and what is left of them is what their own words in `then` say."""
    if "forget" in then:
        house.run("forget", "--yes", "--reason", "they asked", *then["forget"])
    assert names(house.json("suppress", "list", "--format", "jsonl")) == then["list"]
    for address in then["suppressed"]:
        house.run("check", "-q", address, code=1)
    assert house.run("audit", "verify").returncode == 0
    left = house.everything()
    assert [text for text in then["absent"] if text.encode() in left] == []


def names(entries: list[dict[str, Any]]) -> list[str]:
    return sorted(f"{e['address']} {e['scope']} {e['reason']} {e['category'] or '-'}" for e in entries)


def told(house: House, mail_user: MailUser, expected: dict[str, Any]) -> None:
    entries = house.json("suppress", "list", "--format", "jsonl")
    assert names(entries) == expected["list"], expected["claim"]
    assert [e["address"] for e in entries if e["until"]] == expected.get("expires", [])
    waiting = house.json("review", "list", "--format", "jsonl")
    assert sorted(f"{w['address']} {w['reason']} {w['count']}" for w in waiting) == expected.get("review", [])
    for folder, count in expected["folders"].items():
        assert len(mail_user.uids(folder)) == count, folder
    for folder in expected.get("unread", []):
        assert all(b"\\Seen" not in flags for _, flags, _ in mail_user.messages(folder))
