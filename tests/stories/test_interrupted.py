"""A run that ends between the commit and the mailbox is made good by the next one; nothing is counted or moved twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bounceproc.bootstrap import run_mailboxes
from bounceproc.config import Config
from bounceproc.errors import UnavailableError
from bounceproc.sources.imap import ImapSource
from tests.stories.house import House
from tests.unit.mails import ORDINARY, dsn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.dovecot import MailUser

pytestmark = pytest.mark.server


@pytest.fixture
def house(tmp_path: Path, mail_user: MailUser) -> House:
    for number in range(12):
        mail_user.deliver(dsn(f"u{number}@example.com", original=f"<o.{number}@sender.example>"))
    mail_user.deliver(ORDINARY)
    return House(tmp_path, mail_user, extra="batch_size = 5")


def test_what_was_committed_and_not_settled_is_settled_next_time(
    house: House, mail_user: MailUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config.load(house.folder / "bounceproc.toml", environ={})
    with monkeypatch.context() as broken:
        broken.setattr(
            ImapSource,
            "settle",
            lambda _self, _settlements: (_ for _ in ()).throw(UnavailableError("the connection was cut")),
        )
        first = run_mailboxes(config, [])
    assert [error.what for _, error in first.failures] == ["the connection was cut"]
    assert len(mail_user.uids("INBOX")) == 13
    assert len(house.json("suppress", "list", "--format", "json")) == 5

    second = run_mailboxes(config, [])

    assert not second.failures
    assert second.summaries[0].resumed == 5
    assert second.summaries[0].messages == 8
    assert len(mail_user.uids("Processed")) == 12
    assert len(mail_user.uids("INBOX")) == 1
    assert len(house.json("suppress", "list", "--format", "json")) == 12


def test_a_folder_that_was_made_anew_is_read_again_and_nothing_counts_twice(house: House, mail_user: MailUser) -> None:
    house.run("poll", "--once")
    before = house.json("suppress", "list", "--format", "json")
    with mail_user.connected() as client:
        client.rename_folder("Processed", "Old")
        client.select_folder("Old")
        client.move(client.search(), "INBOX")

    house.run("poll", "--once")

    assert house.json("suppress", "list", "--format", "json") == before
    assert len(mail_user.uids("Processed")) == 12
    assert len(mail_user.uids("INBOX")) == 1


def test_a_dry_run_changes_neither_mailbox_nor_database(house: House, mail_user: MailUser) -> None:
    shown = house.run("poll", "--once", "--dry-run")

    assert "nothing was recorded" in shown.stderr
    assert "12" in shown.stdout
    assert len(mail_user.uids("INBOX")) == 13
    assert mail_user.folders() == ["INBOX"]
    assert house.json("suppress", "list", "--format", "json") == []
    assert all(
        not rows for name, rows in house.snapshot().items() if name in {"message", "event", "suppression", "checkpoint"}
    )
