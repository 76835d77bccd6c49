"""`poll --once` over several mailboxes and folders at the same time: one that fails stops no other."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.stories.house import House
from tests.stories.watching import PATIENCE, table
from tests.unit.mails import dsn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.dovecot import Dovecot, MailUser

pytestmark = pytest.mark.server


def house_with(folder: Path, configuration: str) -> House:
    house = House(folder)
    (folder / "bounceproc.toml").write_text(configuration)
    (folder / "bounceproc.toml").chmod(0o600)
    return house


def report(number: int) -> bytes:
    return dsn(f"u{number}@example.com", original=f"<o.{number}@sender.example>")


def test_folders_and_mailboxes_are_read_side_by_side_and_counted_by_mailbox(
    tmp_path: Path, dovecot: Dovecot, mail_user: MailUser
) -> None:
    other, third = dovecot.new_user(), dovecot.new_user()
    for number in range(12):
        (mail_user if number < 8 else other).deliver(report(number), "Junk" if number % 2 else "INBOX")
    both: dict[str, Any] = {"folders": ["INBOX", "Junk"], "batch_size": 1}
    text = table(mail_user, **both) + table(third, "wrong", password="not this one") + table(other, "other", **both)
    house = house_with(tmp_path, text)

    done = house.run("poll", "--once", "--format", "json", code=75)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["source"], row["messages"]) for row in rows] == [("returns", 8), ("wrong", 0), ("other", 4)]
    assert "does not let" in done.stderr
    assert len(house.json("suppress", "list", "--format", "json")) == 12
    assert len(mail_user.uids("Processed")) == 8

    again = house.run("poll", "--once", "--mailbox", "returns")
    assert "returns: INBOX: 0 new of 0 messages, read up to UID 4 (UIDVALIDITY " in again.stderr
    assert "returns: Junk: 0 new of 0 messages" in again.stderr
    assert house.run("poll", "--once", "--mailbox", "wrong", code=77).stdout == ""


def test_a_signal_ends_a_single_run_after_its_batch(tmp_path: Path, mail_user: MailUser) -> None:
    mail_user.prefill(report(number) for number in range(60))
    house = house_with(tmp_path, table(mail_user, batch_size=1))
    command = [sys.executable, "-m", "bounceproc", "poll", "--once", "--format", "json"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + PATIENCE
    while "Processed" not in mail_user.folders():
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE)

    done = json.loads(out)["messages"]
    assert process.returncode == 75
    assert b"ended after the current batch" in err
    assert 0 < done < 60
    assert len(mail_user.uids("Processed")) == done
    assert house.json("poll", "--once", "--format", "json")[0]["messages"] == 60 - done


def test_the_log_of_a_single_run_is_for_whoever_asks_for_it(tmp_path: Path, mail_user: MailUser) -> None:
    mail_user.deliver(report(1))
    house = house_with(tmp_path, table(mail_user))
    lines = [json.loads(line) for line in house.run("poll", "--once", "--log-format", "json").stderr.splitlines()]

    assert [(line["message"], line["folder"], line["messages"]) for line in lines] == [("batch recorded", "INBOX", 1)]
    assert house.run("poll", "--watch", "--once", code=2).stdout == ""
