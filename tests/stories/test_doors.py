"""The other ways in, as an MTA and a delivery agent use them: a command that is fed, LMTP, and a Maildir that is watched."""

from __future__ import annotations

import resource
import signal
import smtplib
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.servers.postfix import DOMAIN, free_port, postfix_to
from tests.stories.house import House
from tests.stories.watching import Watched
from tests.unit.mails import ORDINARY, dsn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.postgres import Postgres

BOUND = 60
"""Seconds after which a test gives up waiting; each thing takes about one."""
BAD_DSN = (
    dsn()
    .replace(b"Final-Recipient: rfc822; user@example.com", b"Final-Recipient: rfc822;")
    .replace(b"To: user", b"X: ")
)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def suppressed(house: House) -> list[str]:
    return sorted(row["address"] for row in house.json("suppress", "list", "--format", "json"))


# ---- a command that is fed -------------------------------------------------------------------------------------------


def deliver(
    house: House, message: bytes, *options: str, limits: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """What pipe(8) does: no shell, an environment of its own, the message on standard input."""
    command = [
        sys.executable,
        "-m",
        "bounceproc",
        "--config",
        str(house.folder / "bounceproc.toml"),
        "ingest",
        *options,
    ]
    return subprocess.run(
        [*command, "-"],
        input=message,
        capture_output=True,
        env={},
        cwd="/",
        preexec_fn=limits,
        timeout=BOUND,
        check=False,
    )


def test_a_piped_message_is_recorded_and_a_second_delivery_changes_nothing(house: House) -> None:
    assert deliver(house, dsn("one@example.com")).returncode == 0
    before = house.snapshot()
    assert deliver(house, dsn("one@example.com")).returncode == 0
    after = house.snapshot()
    assert suppressed(house) == ["one@example.com"]
    said = ("message", "counter")  # that it came again, and how often anything came
    assert {name: rows for name, rows in after.items() if name not in said} == {
        name: rows for name, rows in before.items() if name not in said
    }
    assert len(after["message"]) == 1


@pytest.mark.parametrize(
    "message", [b"", b"\x00\xff" * 1000, ORDINARY, BAD_DSN], ids=["empty", "noise", "ordinary", "bad"]
)
def test_mail_that_is_no_report_or_a_broken_one_is_taken(house: House, message: bytes) -> None:
    assert deliver(house, message).returncode == 0
    assert len(house.snapshot()["message"]) == 1


@pytest.mark.parametrize(
    ("configuration", "options", "words"),
    [
        (
            '[database]\nurl = "postgresql+psycopg://u@127.0.0.1:1/x"\n[privacy]\npepper_file = "p"',
            (),
            "does not answer",
        ),
        ('[database]\nurl = "sqlite:////no/such/folder/x.db"', (), "does not exist"),
        ("[nonsense]", (), "nonsense"),
        ("", ("--nonsense",), "nonsense"),
    ],
    ids=["the server is away", "the folder is away", "a wrong configuration", "a wrong option"],
)
def test_whatever_stops_the_recording_the_mta_keeps_the_message_and_hears_why(
    house: House, configuration: str, options: tuple[str, ...], words: str
) -> None:
    (house.folder / "p").write_text("x" * 64)
    (house.folder / "bounceproc.toml").write_text(configuration)
    done = deliver(house, dsn(), *options)
    assert done.returncode == 75
    assert words in done.stderr.decode()


def test_a_full_disk_keeps_the_message_with_the_mta(house: House) -> None:
    assert deliver(house, dsn("one@example.com")).returncode == 0
    done = deliver(
        house, dsn("two@example.com"), limits=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    )
    assert done.returncode == 75
    assert suppressed(house) == ["one@example.com"]
    assert deliver(house, dsn("two@example.com")).returncode == 0
    assert suppressed(house) == ["one@example.com", "two@example.com"]


def test_a_person_who_asks_what_would_be_found_gets_the_usual_numbers(house: House) -> None:
    (house.folder / "bounceproc.toml").write_text("[nonsense]")
    assert deliver(house, dsn(), "--dry-run").returncode == 78


# ---- processes that go on --------------------------------------------------------------------------------------------


@contextmanager
def running(house: House, *command: str, ready: str) -> Iterator[Watched]:
    """A command that runs until it is told to stop; it has said that it is `ready`."""
    watched = Watched(house.folder, command=command)
    try:
        watched.until_said(ready)
        yield watched
    finally:
        watched.close()


def end(watched: Watched) -> bytes:
    """Ask it to stop; it ends well."""
    assert watched.end() == 0, watched.text
    return watched.out.read_bytes()


def hand_over(path: Path) -> smtplib.LMTP:
    return smtplib.LMTP(str(path), timeout=BOUND)


RETURN_PATH = "bounces@sender.example"


def test_what_was_answered_with_250_outlives_a_kill_and_what_was_not_is_not_there(house: House) -> None:
    place = house.folder / "lmtp"
    (house.folder / "bounceproc.toml").write_text('[lmtp]\nlisten = "unix:lmtp"\nsocket_mode = "0600"')
    with (
        running(house, "lmtp", ready="listening") as process,
        hand_over(place) as client,
        hand_over(place) as half,
    ):
        assert client.sendmail("", [RETURN_PATH], dsn("answered@example.com")) == {}
        half.ehlo_or_helo_if_needed()
        half.mail("<>")
        half.rcpt(RETURN_PATH)
        half.docmd("DATA")
        half.send(dsn("half@example.com"))
        process.end(signal.SIGKILL)
        client.close()
        half.close()
    assert suppressed(house) == ["answered@example.com"]

    # The socket that it left behind holds nobody up, and the MTA brings both again.
    with running(house, "lmtp", ready="listening") as process:
        with hand_over(place) as client:
            for name in ("answered", "half"):
                assert client.sendmail("", [RETURN_PATH], dsn(f"{name}@example.com")) == {}
        assert b"2 messages read, 1 change" in end(process)
    assert not place.exists()
    assert suppressed(house) == ["answered@example.com", "half@example.com"]
    with closing(sqlite3.connect(house.database)) as connection:
        assert connection.execute("SELECT count(*) FROM message WHERE settled_at IS NULL").fetchone() == (0,)


def test_a_return_path_that_names_the_recipient_reaches_the_event(house: House) -> None:
    nameless = (
        dsn().replace(b"Final-Recipient: rfc822; user@example.com\n", b"").replace(b"To: user@example.com\n", b"")
    )
    (house.folder / "bounceproc.toml").write_text('[lmtp]\nlisten = "unix:lmtp"')
    with running(house, "lmtp", ready="listening") as process:
        with hand_over(house.folder / "lmtp") as client:
            assert client.sendmail("", ["bounces+who=example.com@sender.example"], nameless) == {}
        end(process)
    assert [
        event["recipient"] for event in house.json("status", "who@example.com", "--format", "json")[0]["events"]
    ] == ["who@example.com"]


def test_a_server_that_others_could_reach_is_a_wrong_configuration(house: House) -> None:
    done = house.run("lmtp", "--listen", "0.0.0.0:2424", code=78)
    assert "open to others" in done.stderr


@pytest.mark.server
def test_while_the_database_is_away_the_mta_keeps_its_mail(house: House, postgres: Postgres, postgres_url: str) -> None:
    (house.folder / "pepper").write_text("00" * 32)
    (house.folder / "bounceproc.toml").write_text(
        f'[database]\nurl = "{postgres_url}"\n[privacy]\npepper_file = "pepper"\n[lmtp]\nlisten = "unix:lmtp"'
    )
    house.run("db", "upgrade")
    with running(house, "lmtp", ready="listening") as process:
        with hand_over(house.folder / "lmtp") as client:
            assert client.sendmail("", [RETURN_PATH], dsn("one@example.com")) == {}
            with postgres.away(postgres_url):
                with pytest.raises(smtplib.SMTPDataError) as refused:
                    client.sendmail("", [RETURN_PATH], dsn("two@example.com"))
                assert refused.value.smtp_code == 451
            assert client.sendmail("", [RETURN_PATH], dsn("two@example.com")) == {}
        end(process)
    assert suppressed(house) == ["one@example.com", "two@example.com"]


@pytest.mark.server
def test_postfix_keeps_a_bounce_until_it_is_committed_and_hands_it_over_once(house: House) -> None:
    target = free_port()
    with postfix_to(target) as postfix:
        postfix.send(f"bounces@{DOMAIN}", dsn("one@example.com"))
        assert "Connection refused" in postfix.wait_for("status=deferred")
        with running(house, "lmtp", "--listen", f"127.0.0.1:{target}", ready="listening") as process:
            assert "250 2.0.0 recorded" in postfix.wait_for("status=sent")
            assert b"1 message read, 1 change" in end(process)
    assert suppressed(house) == ["one@example.com"]


def test_a_watched_maildir_is_read_as_mail_comes_and_goes_on_after_a_restart(house: House) -> None:
    box = house.folder / "box"
    for name in ("new", "cur", "tmp"):
        (box / name).mkdir(parents=True)
    # Nobody looks again within an hour: what is found was told of.
    watch = ("ingest", "--watch", "box", "--on-report", "move:Processed", "--interval", "3600")

    def deliver_by_rename(name: str, message: bytes) -> None:
        (box / "tmp" / name).write_bytes(message)
        (box / "tmp" / name).rename(box / "new" / name)

    deliver_by_rename("before", ORDINARY)
    with running(house, *watch, ready="connected") as process:
        process.until_said("batch recorded", messages=1, mailbox=f"watch:{box}")
        deliver_by_rename("report", dsn("one@example.com"))
        process.until(lambda: len(process.said("batch recorded", messages=1)) == 2)
        assert b"2 messages read" in end(process)
    assert sorted(str(path.relative_to(box)) for path in box.glob("**/cur/*")) == [".Processed/cur/report:2,S"]
    assert (box / "new" / "before").exists()
    deliver_by_rename("later", dsn("two@example.com"))
    with running(house, *watch, ready="connected") as process:
        process.until_said("batch recorded", messages=1)
        end(process)
    assert suppressed(house) == ["one@example.com", "two@example.com"]


@pytest.mark.parametrize(
    "arguments", [("lmtp", "--listen", "unix:lmtp"), ("ingest", "--watch", ".")], ids=["lmtp", "watch"]
)
def test_a_stop_is_obeyed_when_nobody_is_left_to_hear_of_it(house: House, arguments: tuple[str, ...]) -> None:
    with house.start(*arguments) as process:
        assert process.stderr is not None
        assert process.stderr.readline(), "it has begun"
        process.stderr.close()
        process.stderr = None
        process.send_signal(signal.SIGTERM)
        try:
            out, _ = process.communicate(timeout=BOUND)
        finally:
            process.kill()
        assert b"0 messages read" in out


def test_two_processes_do_not_watch_the_same_place_and_the_second_takes_over(house: House) -> None:
    box = house.folder / "box"
    box.mkdir()
    watch = ("ingest", "--watch", "box", "--interval", "1")
    with running(house, *watch, ready="connected") as first, running(house, *watch, ready="waiting:") as second:
        assert not second.said("connected")
        assert second.said("another process is reading", level="warning")
        end(first)
        second.until_said("connected")
        (box / "one.eml").write_bytes(dsn("one@example.com"))
        second.until_said("batch recorded", messages=1)
        end(second)
    assert suppressed(house) == ["one@example.com"]


def expired(house: House) -> None:
    """An entry whose time is over, while nobody looked after it."""
    house.run("suppress", "add", "due@example.com", "--reason", "manual", "--until", "1d")
    with closing(sqlite3.connect(house.database)) as connection:
        assert connection.execute("UPDATE suppression SET until = '2020-01-01 00:00:00.000000'").rowcount == 1
        connection.commit()


def test_lmtp_is_supervised_reloaded_all_or_nothing_and_does_what_is_due(house: House) -> None:
    expired(house)
    file = house.configuration
    file.write_text('[lmtp]\nlisten = "unix:lmtp"\n')
    with running(house, "lmtp", ready="listening") as watch:
        watch.until_said("did what was due")
        watch.until(lambda: "STATUS=1 doors: 1 waiting for mail" in watch.told and watch.told.count("WATCHDOG=1") > 2)
        with hand_over(house.folder / "lmtp") as client:
            client.sendmail("", [RETURN_PATH], dsn("one@example.com"))
            watch.until_said("batch recorded", mailbox="lmtp", messages=1, suppressions=1)
            client.sendmail("", [RETURN_PATH], BAD_DSN)
            watch.until_said("message parked", level="warning", mailbox="lmtp", outcome="malformed")

            for wrong in ('[lmtp]\nlisten = "off"\n', '[lmtp]\nlisten = "unix:/no/such/folder/lmtp"\n'):
                file.write_text(wrong)
                watch.send(signal.SIGHUP)
                watch.until(lambda: "RELOADING=1" in watch.told)
            watch.until(lambda: len(watch.said("not reloaded, the old configuration stays")) == 2)
            assert client.noop()[0] == 250, "nobody was sent away"

        # The same place with other limits: whoever knocks meanwhile is let in by the new server.
        file.write_text('[lmtp]\nlisten = "unix:lmtp"\nmax_connections = 1\nsocket_mode = "0600"\n')
        watch.send(signal.SIGHUP)
        watch.until(lambda: len(watch.said("listening")) == 2)
        assert (house.folder / "lmtp").stat().st_mode & 0o777 == 0o600
        with hand_over(house.folder / "lmtp") as client:
            client.sendmail("", [RETURN_PATH], dsn("two@example.com"))
            with pytest.raises(smtplib.SMTPConnectError) as full:
                hand_over(house.folder / "lmtp")
            assert full.value.smtp_code == 421

        file.write_text('[lmtp]\nlisten = "unix:elsewhere"\n')
        watch.send(signal.SIGHUP)
        watch.until(lambda: len(watch.said("listening")) == 3)
        assert not (house.folder / "lmtp").exists()
        with hand_over(house.folder / "elsewhere") as client:
            client.sendmail("", [RETURN_PATH], dsn("three@example.com"))
        assert watch.told.count("READY=1") == 5
        assert b"4 messages read" in end(watch)
        assert "STOPPING=1" in watch.told
    assert suppressed(house) == [f"{name}@example.com" for name in ("one", "three", "two")]
    assert not (house.folder / "elsewhere").exists()


def test_a_second_signal_ends_a_server_at_once(house: House) -> None:
    with (
        running(house, "lmtp", "--listen", "unix:lmtp", ready="listening") as watch,
        hand_over(house.folder / "lmtp") as client,
    ):
        client.ehlo_or_helo_if_needed()
        client.mail("<>")
        client.rcpt(RETURN_PATH)
        client.docmd("DATA")
        watch.send(signal.SIGTERM)
        watch.until(lambda: "STOPPING=1" in watch.told)
        assert watch.process.poll() is None, "it waits for the message that it is receiving"
        assert watch.end(signal.SIGTERM) == -signal.SIGTERM
        client.close()


def test_a_watched_folder_is_supervised_reloaded_and_does_what_is_due(house: House) -> None:
    expired(house)
    box, other = house.folder / "box", house.folder / "other.mbox"
    box.mkdir()
    watch_both = ("ingest", "--watch", "box", "other.mbox", "--interval", "1")
    with running(house, *watch_both, ready="did what was due") as watch:
        watch.until(lambda: "STATUS=2 places: 2 waiting for mail" in watch.told and watch.told.count("WATCHDOG=1") > 2)
        (box / "one.eml").write_bytes(dsn("one@example.com"))
        watch.until_said("batch recorded", mailbox=f"watch:{box}", messages=1)
        house.configuration.write_text("[nonsense]")
        watch.send(signal.SIGHUP)
        watch.until_said("not reloaded, the old configuration stays", level="error")
        other.write_bytes(b"From x Thu Jan  1 00:00:00 1970\n" + dsn("two@example.com") + b"\n\n")
        watch.until_said("batch recorded", mailbox=f"watch:{other}", messages=1)
        house.configuration.write_text('[log]\nlevel = "debug"\n')
        watch.send(signal.SIGHUP)
        watch.until(lambda: watch.told.count("READY=1") == 3 and len(watch.said("connected")) == 4)
        (box / "three.eml").write_bytes(dsn("three@example.com"))
        watch.until(lambda: len(watch.said("batch recorded", mailbox=f"watch:{box}")) == 2)
        assert end(watch).count(b"messages read") == 1, "two at one place and one at the other"
        assert "STOPPING=1" in watch.told
    assert suppressed(house) == [f"{name}@example.com" for name in ("one", "three", "two")]


def test_watching_goes_with_no_dry_run_and_with_no_message_on_standard_input(house: House) -> None:
    house.run("ingest", "--watch", "--dry-run", ".", code=2)
    house.run("ingest", "--on-report", "move:Processed", ".", code=2)


@pytest.mark.parametrize(
    "command",
    [("lmtp", "--listen", "unix:lmtp"), ("ingest", "--watch", "."), ("poll", "--watch")],
    ids=["lmtp", "files", "poll"],
)
@pytest.mark.parametrize("away", [True, False], ids=["no database", "a database"])
def test_no_door_logs_a_secret(house: House, command: tuple[str, ...], *, away: bool) -> None:
    password, token, db = "pAssw0rd-zu-geheim", "t0ken-zu-geheim-und-lang-genug-fuer-alle", "dAtenbank-geheim"
    mailbox = f'[[mailbox]]\nname = "x"\nhost = "127.0.0.1"\nport = 1\nsecurity = "none"\nuser = "u"\npassword = "{password}"\n'
    house.configuration.write_text(mailbox + f'[identity]\ntoken_secret = "{token}"\n')
    house.configuration.chmod(0o600)
    (house.folder / "bounceproc.pepper").write_text("5a" * 32)
    url = f"postgresql+psycopg://bounceproc:{db}@127.0.0.1:1/none?password={db}2"
    environ = {"BOUNCEPROC_DATABASE__URL": url} if away else {}
    watched = Watched(house.folder, "--log-level", "debug", command=command, **environ)
    try:
        watched.until_said("not started yet" if away else "watching")
        if not away and command[0] == "lmtp":
            with hand_over(house.folder / "lmtp") as client:
                client.sendmail(
                    "", [f"{password}@sender.example"], dsn().replace(b"Subject: ", f"Subject: {token} ".encode())
                )
        if not away and command[0] == "ingest":
            (house.folder / f"{token}.eml").write_bytes(
                dsn().replace(b"Message-ID: <", f"Message-ID: <{password}.".encode())
            )
            watched.until_said("batch recorded")
        house.configuration.write_text(f'{mailbox}[identity]\ntoken_secret = ["{token}"]\n')
        watched.send(signal.SIGHUP)
        if not away:
            watched.until_said("not reloaded")
        shown = watched.text + "\n".join(watched.told)
        watched.end()
        shown += watched.text + watched.out.read_text()
    finally:
        watched.close()
    for secret in (password, token, db):
        assert secret not in shown
