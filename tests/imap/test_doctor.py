"""`doctor` sees what is wrong with a real mailbox and its database, and a rehearsal leaves nothing behind."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any, Final

import pytest
from typer.testing import CliRunner

from bounceproc.bootstrap import database, health, mailboxes
from bounceproc.cli.app import add_commands, app
from bounceproc.config import Config
from bounceproc.doctor import DOMAIN
from bounceproc.errors import UnavailableError
from bounceproc.finding import Finding, Level
from bounceproc.sources.imap.probe import Probe
from tests.servers.dovecot import start_dovecot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.dovecot import MailUser

pytestmark = pytest.mark.server

ORDINARY: Final = b"Subject: lunch\r\nMessage-ID: <lunch@example.com>\r\n\r\nAt noon?\r\n"


def configured(folder: Path, user: MailUser, **changes: Any) -> Config:
    server = user.server
    values = {"name": "returns", "host": "localhost", "port": server.tls_port, "user": user.name}
    values |= {"password": user.password, "ca_file": str(server.ca_file), **changes}
    table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
    (folder / "bounceproc.toml").write_text(f"[[mailbox]]\n{table}\n")
    return Config.load(folder / "bounceproc.toml", environ={})


def examined(config: Config, *, deep: bool = False) -> dict[str, Finding]:
    return {finding.check: finding for finding in health.examine(config, [], deep=deep)}


def rows(folder: Path) -> dict[str, int]:
    with sqlite3.connect(folder / "bounceproc.db") as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        counts = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
    connection.close()
    return counts


def test_all_is_well_and_nothing_is_changed(mail_user: MailUser, tmp_path: Path) -> None:
    mail_user.deliver(ORDINARY)
    found = examined(configured(tmp_path, mail_user))

    assert not [finding for finding in found.values() if finding.level is Level.FAILURE]
    assert found["tls"].what.endswith("protected by TLSv1.3")
    assert found["MOVE"] == Finding(Level.OK, "mailbox returns", "MOVE", "offered")
    assert "INBOX holds 1 messages, all of them new" in found["waiting"].what
    assert found["target"].what == "Processed is not there yet"
    assert found["schema"].advice == "The first poll makes it."
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bounceproc.toml"]
    assert mail_user.folders() == ["INBOX"]


def test_a_certificate_that_ends_soon_is_a_warning(mail_user: MailUser, tmp_path: Path) -> None:
    found = examined(configured(tmp_path, mail_user))
    assert found["certificate"].level is Level.WARNING
    assert "ends in 1 days" in found["certificate"].what


def test_after_a_poll_nothing_processed_is_explained(mail_user: MailUser, tmp_path: Path) -> None:
    config = configured(tmp_path, mail_user)
    mail_user.deliver(ORDINARY)
    mailboxes.run_mailboxes(config, [])
    found = examined(config)

    assert found["waiting"].what == "INBOX holds 1 messages, none of them new: all UIDs up to 1 were read"
    assert "A poll says 0 processed now" in found["waiting"].advice
    assert found["unsettled"].level is Level.OK
    assert found["pepper"].level is Level.OK
    assert found["backup"].level is Level.NOTE


def test_a_wrong_password_is_a_failure_and_the_database_is_still_looked_at(mail_user: MailUser, tmp_path: Path) -> None:
    found = examined(configured(tmp_path, mail_user, password="Sesame-wrong"))

    assert found["error"].level is Level.FAILURE
    assert "does not let" in found["error"].what
    assert "ends in 1 days" in found["certificate"].what
    assert "Sesame-wrong" not in f"{found}"
    assert found["disk"].subject == "database"


def test_a_bare_server_says_what_is_missing_and_what_that_means(bare_user: MailUser, tmp_path: Path) -> None:
    found = examined(configured(tmp_path, bare_user))
    assert found["UIDPLUS"].level is Level.WARNING
    assert "originals of moved mail stay" in found["UIDPLUS"].what


def test_a_rehearsal_goes_the_whole_way_and_leaves_nothing(mail_user: MailUser, tmp_path: Path) -> None:
    config = configured(tmp_path, mail_user)
    mail_user.deliver(ORDINARY)
    mailboxes.run_mailboxes(config, [])
    before = rows(tmp_path)
    found = examined(config, deep=True)

    assert found["append"].level is Level.OK
    assert found["events"].what.startswith("both came out as events and were recorded, 2 suppressions followed")
    assert found["clearing"].what == "both samples are gone from the folder"
    assert rows(tmp_path) == before
    assert [content for _, _, content in mail_user.messages()] == [ORDINARY]
    assert mail_user.folders() == ["INBOX"]


def test_a_rehearsal_that_breaks_in_the_middle_still_clears_away(
    mail_user: MailUser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise UnavailableError("the line is cut", "Try again.")

    monkeypatch.setattr(Probe, "read", broken)
    mail_user.deliver(ORDINARY)
    found = examined(configured(tmp_path, mail_user), deep=True)

    assert found["rehearsal"] == Finding(Level.FAILURE, "mailbox returns", "rehearsal", "the line is cut", "Try again.")
    assert found["clearing"].level is Level.OK
    assert [content for _, _, content in mail_user.messages()] == [ORDINARY]


def test_where_nothing_can_be_removed_alone_it_says_what_is_left(bare_user: MailUser, tmp_path: Path) -> None:
    found = examined(configured(tmp_path, bare_user), deep=True)

    assert found["clearing"].level is Level.WARNING
    assert "UIDs 1, 2 are marked as deleted" in found["clearing"].what
    assert all(DOMAIN.encode() in content and b"\\Deleted" in flags for _, flags, content in bare_user.messages())


def test_a_folder_that_is_being_read_is_not_rehearsed_in(mail_user: MailUser, tmp_path: Path) -> None:
    config = configured(tmp_path, mail_user)
    mailboxes.run_mailboxes(config, [])
    with database.open_store(config) as store, store.lease("returns", "INBOX"):
        found = examined(config, deep=True)

    assert "is being read by process" in found["lease"].what
    assert "another process is reading INBOX" in found["error"].what
    assert mail_user.messages() == []


ACL: Final = """
mail_plugins = acl
protocol imap {
  mail_plugins = acl imap_acl
}
plugin {
  acl = vfile:{folder}/acls
}
"""


@pytest.mark.parametrize(("rights", "level"), [("lrswtipekxa", Level.OK), ("lrs", Level.FAILURE)])
def test_rights_are_taken_from_the_servers_word(tmp_path: Path, rights: str, level: Level) -> None:
    with start_dovecot(extra=ACL, files={"acls": f"INBOX owner {rights}\n"}) as server:
        user = server.new_user()
        found = examined(configured(tmp_path, user))

    assert found["rights"].level is level
    assert "(rights: " in found["rights"].what
    if level is Level.FAILURE:
        assert "we may not mark messages as deleted, remove them" in found["rights"].what


def test_the_command_prints_json_lines_and_ends_with_1_when_something_failed(
    mail_user: MailUser, tmp_path: Path
) -> None:
    add_commands()
    configured(tmp_path, mail_user)
    good = CliRunner().invoke(app, ["doctor", "--config", str(tmp_path / "bounceproc.toml"), "--format", "json"])
    configured(tmp_path, mail_user, password="wrong")
    bad = CliRunner().invoke(app, ["doctor", "--config", str(tmp_path / "bounceproc.toml")])

    lines = [json.loads(line) for line in good.stdout.splitlines()]
    assert all(set(line) == {"level", "subject", "check", "what", "advice"} for line in lines)
    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert "failure" in bad.stdout
    assert "\x1b" not in bad.stdout
