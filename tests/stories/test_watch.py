"""`poll --watch` with a real server: new mail, lost servers, signals, reloads, refusals."""

from __future__ import annotations

import signal
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.dovecot import Dovecot, start_dovecot
from tests.stories.house import House
from tests.stories.watching import Watched, table, watching
from tests.unit.mails import NO_RECIPIENT, dsn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.dovecot import MailUser

pytestmark = pytest.mark.server

SLOW = "[poll]\ninterval = 600\nrecheck = 600\n"
"""Nothing is found by looking again: only by being told."""


def report(number: int) -> bytes:
    return dsn(f"u{number}@example.com", original=f"<o.{number}@sender.example>")


def waits(watch: Watched, folders: int = 1) -> bool:
    return any(line == f"STATUS={folders} folders: {folders} waiting for mail" for line in watch.told)


@pytest.fixture(scope="module")
def deaf_dovecot() -> Iterator[Dovecot]:
    """A server without IDLE."""
    with start_dovecot(capability="IMAP4rev1 UIDPLUS MOVE NAMESPACE LITERAL+") as server:
        yield server


def test_mail_that_arrives_is_read_within_seconds_and_systemd_is_told(tmp_path: Path, mail_user: MailUser) -> None:
    with watching(tmp_path, SLOW + table(mail_user)) as watch:
        watch.until(lambda: waits(watch))
        assert watch.said("0 new of 0 messages", level="info")
        mail_user.deliver(report(1))
        began = time.monotonic()
        watch.until_said("batch recorded", messages=1, mailbox="returns", folder="INBOX", suppressions=1)
        assert time.monotonic() - began < 5
        watch.until(lambda: "Processed" in mail_user.stored())
        mail_user.deliver(NO_RECIPIENT)
        watch.until_said("message parked", level="warning", uid=2, outcome="malformed")
        watch.until(lambda: watch.told.count("WATCHDOG=1") > 2)
        assert "READY=1" in watch.told
        assert watch.end() == 0
        assert "STOPPING=1" in watch.told
        assert watch.out.read_bytes() == b""
        assert mail_user.uids() == []


def test_a_server_without_idle_is_looked_at_now_and_then(tmp_path: Path, deaf_dovecot: Dovecot) -> None:
    user = deaf_dovecot.new_user()
    with watching(tmp_path, "[poll]\ninterval = 1\nrecheck = 600\n" + table(user)) as watch:
        watch.until(lambda: waits(watch))
        user.deliver(report(1))
        watch.until_said("batch recorded", messages=1)
        watch.until(lambda: "Processed" in user.stored())
        assert len(watch.said("0 new", level="info")) == 1, "once is enough"


def test_a_server_that_is_killed_and_comes_back_is_read_on(tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="bp-dovecot-"))
    server = Dovecot(folder)
    user = server.new_user()
    with watching(tmp_path, SLOW + table(user)) as watch:
        watch.until_said("lost:", outcome="UnavailableError")  # nobody is there yet
        with server.running():
            user.deliver(report(1))
            watch.until_said("batch recorded", messages=1)
            watch.until(lambda: "Processed" in user.stored())
        watch.until(lambda: "trying again" in watch.told[-1] or "trying again" in "".join(watch.told[-8:]))
        with server.running():
            user.deliver(report(2))
            watch.until(lambda: len(watch.said("batch recorded", messages=1)) == 2)
        assert watch.end() == 0


def test_the_first_signal_ends_it_after_the_batch_and_the_rest_is_for_the_next_run(
    tmp_path: Path, mail_user: MailUser
) -> None:
    mail_user.prefill(report(number) for number in range(60))
    house = House(tmp_path)
    with watching(tmp_path, SLOW + table(mail_user, batch_size=1)) as watch:
        watch.until_said("batch recorded")
        assert watch.end() == 0
        done = len(watch.said("batch recorded", messages=1))
        assert 0 < done < 60
        assert len(mail_user.uids("Processed")) == done
    assert house.json("poll", "--once", "--format", "json")[0]["messages"] == 60 - done
    assert len(house.json("suppress", "list", "--format", "json")) == 60
    assert mail_user.uids() == []


def test_the_second_signal_is_obeyed_at_once(tmp_path: Path, mail_user: MailUser) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(20)
        with watching(tmp_path, table(mail_user, port=silent.getsockname()[1])) as watch, silent.accept()[0]:
            # a server that accepts and never greets
            watch.until(lambda: "READY=1" in watch.told)
            watch.send(signal.SIGTERM)
            watch.until(lambda: "STOPPING=1" in watch.told)
            assert watch.process.poll() is None, "it waits for what it is at"
            assert watch.end(signal.SIGTERM) == -signal.SIGTERM


def test_a_reload_takes_what_is_right_and_leaves_what_is_wrong(tmp_path: Path, mail_user: MailUser) -> None:
    mail_user.create("Junk")
    file = tmp_path / "bounceproc.toml"
    with watching(tmp_path, SLOW + table(mail_user)) as watch:
        watch.until(lambda: waits(watch))
        file.write_text(SLOW + table(mail_user, folder_="INBOX"))
        watch.send(signal.SIGHUP)
        watch.until_said("not reloaded, the old configuration stays", level="error")
        assert watch.said("`folder`")
        assert "RELOADING=1" in watch.told
        assert [line for line in watch.told if line.startswith("MONOTONIC_USEC=")]
        mail_user.deliver(report(1))
        watch.until_said("batch recorded", folder="INBOX")
        file.write_text(SLOW + table(mail_user, folders=["INBOX", "Junk"]))
        watch.send(signal.SIGHUP)
        watch.until(lambda: waits(watch, 2))
        assert watch.told.count("READY=1") == 3
        mail_user.deliver(report(2), "Junk")
        watch.until_said("batch recorded", folder="Junk")
        assert watch.end() == 0


def test_a_wrong_password_stops_one_mailbox_and_not_the_other(
    tmp_path: Path, dovecot: Dovecot, mail_user: MailUser
) -> None:
    other = dovecot.new_user()
    both = SLOW + table(mail_user) + table(other, "other", password="not this one")
    with watching(tmp_path, both) as watch:
        watch.until_said("stopped:", level="error", mailbox="other", outcome="AccessError")
        watch.until(lambda: any("1 waiting for mail, 1 stopped; other INBOX:" in line for line in watch.told))
        mail_user.deliver(report(1))
        watch.until_said("batch recorded", mailbox="returns")
        assert len(watch.said("stopped:")) == 1, "it is not tried again"
        other.deliver(report(2))
        (tmp_path / "bounceproc.toml").write_text(SLOW + table(mail_user) + table(other, "other"))
        watch.send(signal.SIGHUP)
        watch.until_said("batch recorded", mailbox="other")


def test_when_nobody_is_left_it_ends_with_the_reason_as_its_exit_code(tmp_path: Path, mail_user: MailUser) -> None:
    with watching(tmp_path, SLOW + table(mail_user, password="not this one")) as watch:
        assert watch.process.wait(20) == 77
        assert watch.said("no mailbox is left to watch", level="critical")


def test_a_folder_that_goes_away_and_comes_back_is_read_on(tmp_path: Path, mail_user: MailUser) -> None:
    mail_user.create("Bounces")
    fast = "[poll]\ninterval = 1\nrecheck = 1\n"
    with watching(tmp_path, fast + table(mail_user, folder="Bounces")) as watch:
        watch.until(lambda: waits(watch))
        with mail_user.connected() as client:
            client.delete_folder("Bounces")
        watch.until_said("lost:", level="warning")
        mail_user.deliver(report(1), "Bounces")
        watch.until_said("batch recorded", messages=1)


def test_a_folder_that_another_process_reads_is_waited_for(tmp_path: Path, mail_user: MailUser) -> None:
    with watching(tmp_path, SLOW + table(mail_user)) as first:
        first.until(lambda: waits(first))
        second = Watched(tmp_path)
        try:
            second.until_said("waiting: another process is reading INBOX of mailbox returns", level="warning")
            assert first.end() == 0
            second.until(lambda: waits(second))
            mail_user.deliver(report(1))
            second.until_said("batch recorded")
        finally:
            second.close()


def test_a_database_that_is_away_at_the_start_is_waited_for(tmp_path: Path, mail_user: MailUser) -> None:
    (tmp_path / "bounceproc.pepper").write_bytes(b"")
    url = "postgresql+psycopg://bounceproc:gEheim-db@127.0.0.1:1/none"
    with watching(tmp_path, table(mail_user), "--database", url) as watch:
        watch.until(lambda: len(watch.said("not started yet", level="warning")) > 1)
        assert watch.end() == 0
        assert "READY=1" not in watch.told


def test_no_secret_is_ever_logged(tmp_path: Path, mail_user: MailUser, dovecot: Dovecot) -> None:
    password, token, db = "pAssw0rd-zu-geheim", "t0ken-zu-geheim", "dAtenbank-geheim"
    other = dovecot.new_user()
    text = SLOW + f'[identity]\ntoken_secret = "{token}"\n'
    text += table(mail_user, "wrong", password=password)
    text += table(other, "refused", password=password, port=1)
    text += table(other, "tls", password=password, security="tls", port=dovecot.port)
    text += table(other, "certificate", password=password, security="tls", port=dovecot.tls_port)
    text += table(other, "named", password=password, host=f"{password.lower()}.invalid", allow_plaintext=True)
    with watching(tmp_path, text, "--log-level", "debug") as watch:
        for name in ("wrong", "certificate"):
            watch.until_said("stopped:", mailbox=name)
        for name in ("refused", "tls", "named"):
            watch.until_said("lost:", mailbox=name)
        arguments = Path(f"/proc/{watch.process.pid}/cmdline").read_bytes().decode()
        told = "\n".join(watch.told)
        assert watch.end() == 0
        shown = watch.text + arguments + told
    (tmp_path / "url").write_text(f"postgresql+psycopg://bounceproc:{db}@127.0.0.1:1/none?password={db}2")
    (tmp_path / "bounceproc.pepper").write_bytes(b"")
    with watching(tmp_path, text + '[database]\nurl_file = "url"\n', "--log-level", "debug") as watch:
        watch.until_said("not started yet")
        shown += watch.text + Path(f"/proc/{watch.process.pid}/cmdline").read_bytes().decode() + "\n".join(watch.told)
    for secret in (password, token, db):
        assert secret not in shown
