"""A message that ends the program or the conversation each time is parked in the end, and all others are processed."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from bounceproc.bootstrap.database import open_store
from bounceproc.bootstrap.mailboxes import run_mailboxes
from bounceproc.config import Config
from bounceproc.sources.imap.folders import uids_above
from bounceproc.sources.imap.wire import Wire
from tests.stories.house import House
from tests.unit.mails import dsn

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence
    from pathlib import Path

    from imapclient import IMAPClient

    from tests.servers.dovecot import MailUser

pytestmark = pytest.mark.server

MESSAGES = 60
BAD = 33
"""The UID of the message that nobody can read."""

KILLED = f"""
import os, signal, sys
from bounceproc import pipeline
from bounceproc.bootstrap.mailboxes import run_mailboxes
from bounceproc.config import Config
interpret = pipeline.interpret_raw
def deadly(raw, *rest):
    if b"u{BAD}@example.com" in raw.data:
        os.kill(os.getpid(), signal.SIGKILL)
    return interpret(raw, *rest)
pipeline.interpret_raw = deadly
runs = run_mailboxes(Config.load(sys.argv[1], environ={{}}), [])
print(runs.summaries[0].messages, len(runs.failures))
"""


@pytest.fixture
def house(tmp_path: Path, mail_user: MailUser) -> House:
    mail_user.prefill(
        dsn(f"u{number}@example.com", original=f"<o.{number}@sender.example>") for number in range(1, MESSAGES + 1)
    )
    return House(tmp_path, mail_user, extra="batch_size = 25")


def check_the_end(house: House, mail_user: MailUser, reason: str) -> None:
    """One message is parked, with its reason; every other one is recorded once and moved."""
    assert mail_user.uids("INBOX") == []
    assert len(mail_user.uids("Processed")) == MESSAGES - 1
    (parked,) = mail_user.messages("Malformed")
    assert b"u%d@example.com" % BAD in parked[2]
    rows = house.snapshot()
    assert len(rows["event"]) == MESSAGES - 1
    (row,) = [row for row in rows["message"] if row["kind"] == "malformed"]
    assert row["error"].startswith("given up after 3 attempts to read it; the last: ")
    assert reason in row["error"]
    assert row["ref"].endswith(f";UID={BAD}")
    assert rows["attempt"] == rows["in_flight"] == []
    with open_store(Config.load(house.folder / "bounceproc.toml", environ={})) as store:
        counted = store.counters()["returns"]
    assert (counted["messages"], counted["parked"], counted["event:bounce"]) == (MESSAGES, 1, MESSAGES - 1)


def test_a_message_that_kills_the_program_is_parked(house: House, mail_user: MailUser) -> None:
    command = [sys.executable, "-c", KILLED, str(house.folder / "bounceproc.toml")]
    ends = [subprocess.run(command, check=False, capture_output=True, text=True) for _ in range(4)]
    assert [end.returncode for end in ends] == [-9, -9, -9, 0], ends[-1].stderr
    check_the_end(house, mail_user, "the program ended without a word while it was read")


def test_a_message_that_ends_the_conversation_is_parked(
    house: House, mail_user: MailUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = Wire.fetch

    def cut(wire: Wire, uids: Sequence[int], items: str) -> dict[int, dict[bytes, bytes | None]]:
        if BAD in uids and "BODY" in items:
            wire._socket.shutdown(socket.SHUT_RDWR)  # a session that is kicked may still answer
        return fetch(wire, uids, items)

    monkeypatch.setattr(Wire, "fetch", cut)
    config = Config.load(house.folder / "bounceproc.toml", environ={})
    failed = [bool(run_mailboxes(config, []).failures) for _ in range(4)]
    assert failed == [True, True, True, False]
    check_the_end(house, mail_user, "Broken pipe")


def test_a_line_that_breaks_whatever_is_read_condemns_no_mail(
    house: House, mail_user: MailUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config.load(house.folder / "bounceproc.toml", environ={})
    with monkeypatch.context() as broken:
        fetch = Wire.fetch

        def cut(wire: Wire, uids: Sequence[int], items: str) -> dict[int, dict[bytes, bytes | None]]:
            if "BODY" in items:
                wire._socket.shutdown(socket.SHUT_RDWR)  # a session that is kicked may still answer
            return fetch(wire, uids, items)

        broken.setattr(Wire, "fetch", cut)
        assert all(run_mailboxes(config, []).failures for _ in range(6))
    assert {row["attempts"] for row in house.snapshot()["attempt"]} == {1, 2}
    assert not run_mailboxes(config, []).failures
    assert len(mail_user.uids("Processed")) == MESSAGES
    assert mail_user.uids("INBOX") == house.snapshot()["attempt"] == []


def test_a_server_that_is_away_is_no_messages_fault(
    house: House, mail_user: MailUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config.load(house.folder / "bounceproc.toml", environ={})
    with monkeypatch.context() as broken:
        search = uids_above

        def away(client: IMAPClient, *rest: Any) -> array[int]:
            client.socket().shutdown(socket.SHUT_RDWR)  # a session that is kicked may still answer
            return search(client, *rest)

        broken.setattr("bounceproc.sources.imap.source.uids_above", away)
        assert all(run_mailboxes(config, []).failures for _ in range(4))
    assert house.snapshot()["attempt"] == []
    assert not run_mailboxes(config, []).failures
    assert len(mail_user.uids("Processed")) == MESSAGES
