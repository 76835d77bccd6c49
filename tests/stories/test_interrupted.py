"""A run that ends between the commit and the mailbox is made good by the next one; nothing is counted or moved twice."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from bounceproc.bootstrap.mailboxes import run_mailboxes
from bounceproc.config import Config
from bounceproc.errors import BounceprocError, UnavailableError
from bounceproc.service import overlap
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


@pytest.mark.parametrize(("stride", "may_be_recorded"), [(1, {5, 10, 12}), (overlap.STRIDE, {12})])
def test_what_was_committed_and_not_settled_is_settled_next_time(
    house: House, mail_user: MailUser, monkeypatch: pytest.MonkeyPatch, stride: int, may_be_recorded: set[int]
) -> None:
    monkeypatch.setattr(overlap, "STRIDE", stride)
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
    recorded = len(house.json("suppress", "list", "--format", "json"))
    assert recorded in may_be_recorded  # other batches may be recorded while the first one is moved

    second = run_mailboxes(config, [])

    assert not second.failures
    read = 13 if recorded == 12 else recorded  # the last batch has mail that says nothing, and needs no move
    assert second.summaries[0].resumed == read
    assert second.summaries[0].messages == 13 - read
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


def test_another_uidvalidity_is_a_full_reading_that_changes_no_event_and_no_suppression(
    tmp_path: Path, mail_user: MailUser
) -> None:
    for number in range(12):
        mail_user.deliver(dsn(f"u{number}@example.com", original=f"<o.{number}@sender.example>"), "Bounces")
    house = House(tmp_path, mail_user, extra='folder = "Bounces"\non_report = "leave"\nbatch_size = 5')
    house.run("poll", "--once")
    tables = ("event", "address", "suppression", "suppression_change")
    before = {name: house.snapshot()[name] for name in tables}
    with mail_user.connected() as client:
        client.rename_folder("Bounces", "Old")
        client.create_folder("Bounces")
        client.select_folder("Old")
        client.copy(client.search(), "Bounces")

    (said,) = house.json("poll", "--once", "--format", "json")

    assert (said["messages"], said["duplicates"]) == (12, 12)
    assert {name: house.snapshot()[name] for name in tables} == before
    assert len({row["ref"] for row in house.snapshot()["message"]}) == 24
    assert house.json("poll", "--once", "--format", "json")[0]["messages"] == 0


def test_ordinary_mail_beside_reports_is_left_as_it_lies(house: House, mail_user: MailUser) -> None:
    house.run("poll", "--once")
    house.run("poll", "--once")
    ((_, flags, content),) = mail_user.messages("INBOX")
    assert (flags, content.replace(b"\r\n", b"\n")) == (frozenset(), ORDINARY)


def test_a_dry_run_where_nothing_is_yet_makes_no_file(house: House) -> None:
    before = sorted(path.name for path in house.folder.iterdir())
    house.run("poll", "--once", "--dry-run")
    assert sorted(path.name for path in house.folder.iterdir()) == before


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


def test_where_the_database_is_wrong_nobody_is_connected_to(tmp_path: Path) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    silent.settimeout(0.3)
    port = silent.getsockname()[1]
    (tmp_path / "password").write_text("Sesame")
    (tmp_path / "password").chmod(0o600)
    mailbox = f'name = "returns"\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\nuser = "u"\n'
    (tmp_path / "bounceproc.toml").write_text(f'[[mailbox]]\n{mailbox}password_file = "password"\n')
    (tmp_path / "bounceproc.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(BounceprocError, match=r"bounceproc\.db"):
        run_mailboxes(Config.load(tmp_path / "bounceproc.toml", environ={}), [])
    with pytest.raises(TimeoutError):
        silent.accept()
    silent.close()


def test_a_folder_that_was_opened_ahead_is_given_back_where_the_database_fails(
    house: House, mail_user: MailUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config.load(house.folder / "bounceproc.toml", environ={})
    with monkeypatch.context() as broken:

        def away(*_: object, **__: object) -> None:
            raise UnavailableError("the database is away")

        broken.setattr("bounceproc.bootstrap.mailboxes.open_store", away)
        with pytest.raises(UnavailableError, match="the database is away"):
            run_mailboxes(config, [])
    assert len(mail_user.uids("INBOX")) == 13
    runs = run_mailboxes(config, [])
    assert not runs.failures
    assert runs.summaries[0].messages == 13
