"""Hostile or broken input gets a clear error or a parked message; the run goes on and nothing is lost."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.stories.house import House
from tests.unit.mails import NO_RECIPIENT, complaint, dsn

if TYPE_CHECKING:
    from tests.servers.dovecot import MailUser

GARBAGE = bytes(range(256)) * 40
TRUNCATED = dsn("cut@example.com").split(b"Diagnostic-Code")[0]
NESTED = b"Content-Type: multipart/mixed; boundary=b0\n\n" + b"".join(
    b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (n, n + 1) for n in range(1000)
)
WRONG_CHARSET = dsn("umlaut@example.com", diagnostic="smtp; 550 5.1.1 unbekannter Empf\u00e4nger").replace(
    b"Content-Type: text/plain", b"Content-Type: text/plain; charset=klingon-8"
)
CONTROL = dsn("evil\x1b[2J\x07@example.com")
NUL = dsn("nul@example.com", diagnostic="smtp; 550 5.1.1 no \x00 such user\x1b[31m")
FINE = dsn("fine@example.com")
ALL = {
    "garbage": GARBAGE,
    "truncated": TRUNCATED,
    "nested": NESTED,
    "charset": WRONG_CHARSET,
    "control": CONTROL,
    "nul": NUL,
    "no-recipient": NO_RECIPIENT,
    "empty": b"",
    "fine": FINE,
}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_every_broken_message_is_recorded_and_the_good_one_acts(house: House) -> None:
    folder = house.folder / "mail"
    folder.mkdir()
    for name, content in ALL.items():
        (folder / f"{name}.eml").write_bytes(content)

    summary = house.json("ingest", "mail", "--format", "json")[0]

    assert summary["messages"] == len(ALL)
    house.run("check", "fine@example.com", code=1)
    with closing(sqlite3.connect(house.database)) as connection:
        assert connection.execute("SELECT count(*) FROM message").fetchone() == (len(ALL),)
        texts = [text for (text,) in connection.execute("SELECT diagnostic FROM event WHERE diagnostic IS NOT NULL")]
        addresses = [text for (text,) in connection.execute("SELECT address FROM event WHERE address IS NOT NULL")]
    assert all("\x00" not in text for text in texts)
    assert all(address.isprintable() for address in addresses)


def test_no_control_character_of_a_mail_reaches_the_terminal(house: House) -> None:
    (house.folder / "nul.eml").write_bytes(NUL)
    house.run("ingest", "nul.eml")

    for shown in (house.run("status", "nul@example.com").stdout, house.run("classify", "nul.eml").stdout):
        assert "\x1b" not in shown
        assert "\x00" not in shown
        assert "no" in shown


@pytest.mark.server
def test_broken_mail_in_a_mailbox_is_parked_or_left_and_none_is_lost(tmp_path: Path, mail_user: MailUser) -> None:
    for content in (NO_RECIPIENT, TRUNCATED, WRONG_CHARSET, NESTED, FINE):
        mail_user.deliver(content)
    house = House(tmp_path, mail_user)

    shown = house.run("poll", "--once")

    assert len(mail_user.uids("Malformed")) >= 1
    assert sum(len(mail_user.uids(folder)) for folder in mail_user.folders()) == 5
    assert "UID=1: " in shown.stderr
    house.run("check", "fine@example.com", code=1)


def test_a_message_of_50_mb_is_read(house: House) -> None:
    big = FINE.replace(b"Hello\n", b"Hello\n" + b"X-Filler: " + b"x" * 60 + b"\n") + b"a" * 76 + b"\n"
    (house.folder / "big.eml").write_bytes(big + (b"a" * 76 + b"\n") * (50_000_000 // 77 - 100))

    assert house.json("ingest", "big.eml", "--format", "json")[0]["messages"] == 1
    house.run("check", "fine@example.com", code=1)


def test_a_typing_error_in_the_configuration_is_named_with_its_line(house: House) -> None:
    (house.folder / "bounceproc.toml").write_text(
        '[[mailbox]]\nname = "returns"\nhost = "imap.example.com"\nuser = "u"\npasswrd_file = "x"\n[policy]\nmode = "enforced"\n'
    )

    error = house.run("config", "check", code=78).stderr

    assert "bounceproc.toml:5" in error
    assert "password_file" in error
    assert "bounceproc.toml:7" in error
    assert "observe" in error


@pytest.mark.server
def test_a_wrong_password_ends_with_77_and_is_not_shown(tmp_path: Path, mail_user: MailUser) -> None:
    mail_user.password = "not-the-password-4711"
    house = House(tmp_path, mail_user)

    done = house.run("poll", "--once", code=77)

    assert "4711" not in done.stdout + done.stderr
    assert "returns" in done.stderr


@pytest.mark.server
def test_a_folder_that_does_not_exist_is_named_with_those_that_do(tmp_path: Path, mail_user: MailUser) -> None:
    mail_user.create("Returns")
    house = House(tmp_path, mail_user, extra='folder = "Return"')

    error = house.run("poll", "--once", code=78).stderr

    assert "Returns" in error
    assert "INBOX" in error


def test_a_server_that_is_not_there_ends_with_69(house: House) -> None:
    (house.folder / "bounceproc.toml").write_text(
        '[[mailbox]]\nname = "returns"\nhost = "127.0.0.1"\nport = 1\nsecurity = "none"\nuser = "u"\npassword = "p"\n'
    )

    assert "127.0.0.1:1" in house.run("poll", "--once", code=69).stderr


@pytest.mark.server
def test_one_of_two_mailboxes_that_fails_does_not_stop_the_other(tmp_path: Path, mail_user: MailUser) -> None:
    mail_user.deliver(FINE)
    house = House(tmp_path, mail_user)
    with (tmp_path / "bounceproc.toml").open("a") as config:
        config.write(
            '[[mailbox]]\nname = "away"\nhost = "127.0.0.1"\nport = 1\nsecurity = "none"\nuser = "u"\npassword = "p"\n'
        )

    assert "mailbox away" in house.run("poll", "--once", code=75).stderr
    house.run("check", "fine@example.com", code=1)


def test_a_mailbox_that_is_not_configured_is_an_error_with_the_known_names(house: House) -> None:
    assert "no mailbox is configured" in house.run("poll", "--once", code=78).stderr


def test_a_database_of_a_newer_program_is_refused_untouched(house: House) -> None:
    house.run("db", "upgrade")
    with closing(sqlite3.connect(house.database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    assert "newer" in house.run("check", "a@example.com", code=78).stderr
    with closing(sqlite3.connect(house.database)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


def test_a_file_that_is_no_database_is_refused_untouched(house: House) -> None:
    house.database.write_bytes(GARBAGE)

    assert "bounceproc.db" in house.run("check", "a@example.com", code=78).stderr
    assert house.database.read_bytes() == GARBAGE


def test_a_lost_pepper_is_told_and_no_new_one_is_made(house: House) -> None:
    house.run("suppress", "add", "a@example.com")
    pepper = house.folder / "bounceproc.pepper"
    pepper.unlink()

    assert "pepper" in house.run("check", "a@example.com", code=78).stderr
    assert not pepper.exists()


@pytest.mark.parametrize(
    "address", ["nobody", "a b@example.com", "a@b@\x1b[2J", "", "a@" + "b" * 5000, "a@exa mple.com"]
)
def test_what_is_no_address_is_refused_and_harmlessly_shown(house: House, address: str) -> None:
    error = house.run("check", "--", address, code=2).stderr

    assert "\x1b" not in error
    assert len(error) < 1000


def test_a_foreign_detector_that_trips_says_nothing_on_the_terminal(house: House) -> None:
    # An empty From: is more than one of flufl.bounce's detectors can bear.
    (house.folder / "odd.eml").write_bytes(b"Return-Path: <>\nFrom: \nSubject: Mail delivery failed\n\nIt failed.\n")

    assert house.run("classify", "odd.eml").stderr == ""


@pytest.mark.parametrize(
    "field",
    [
        "john smith@example.com",
        "x,bob@example.com",
        "foo(bob@example.com",
        "t\x07\x1b[2J@example.com",
        "a b@example.com",
    ],
)
def test_a_recipient_that_cannot_be_read_is_never_guessed_at(house: House, field: str) -> None:
    mail = dsn("user@example.com").replace(b"rfc822; user@example.com", b"rfc822; " + field.encode())
    (house.folder / "odd.eml").write_bytes(mail.replace(b"To: user@example.com\n", b""))

    row = house.json("classify", "--format", "jsonl", "odd.eml")[0]

    assert (row["kind"], row["reports"]) == ("malformed", [])


@pytest.mark.parametrize(
    "mark", [b"--b1\nContent-Type: text/plain", b"could not be", b"Content-Type: message/delivery-status"]
)
def test_a_report_that_was_cut_off_is_parked_and_not_taken_for_ordinary_mail(house: House, mark: bytes) -> None:
    whole = dsn("user@example.com")
    (house.folder / "cut.eml").write_bytes(whole[: whole.index(mark)])

    row = house.json("classify", "--format", "jsonl", "cut.eml")[0]

    assert row["kind"] == "malformed"
    assert "cut off" in row["error"]


def test_a_complaint_that_was_cut_off_is_parked_and_no_type_is_made_up(house: House) -> None:
    whole = complaint("user@example.com")
    (house.folder / "cut.eml").write_bytes(whole[: whole.index(b"Feedback-Type")])

    assert house.json("classify", "--format", "jsonl", "cut.eml")[0]["kind"] == "malformed"


def test_json_holds_no_sign_that_breaks_lines_or_commands_a_terminal(house: House) -> None:
    wild = "\u009b\u202e\u2028\u0085"
    (house.folder / "wild.eml").write_bytes(dsn("user@example.com", diagnostic=f"smtp; 550 5.1.1 no {wild} user"))
    for shown in (
        house.run("classify", "--format", "jsonl", "wild.eml").stdout,
        house.run("classify", "--replies", "-", "--format", "jsonl", stdin=f"550 no{wild[:2]} user".encode()).stdout,
    ):
        assert len(shown.splitlines()) == 1
        assert not any(sign in shown for sign in wild)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("suppress", "add", "a@example.com", "--until", "99999999999d"), 2),
        (("suppress", "add", "a@example.com", "--scope", "stream:a\x1b[31m"), 2),
        (("check", "a@example.com", "--stream", "\udcff"), 2),
        (("check", "a@example.com", "--database", ""), 2),
        (("classify", "--replies", "x", "a.eml"), 2),
        (("poll", "--mailbox", "nope"), 78),
    ],
)
def test_what_cannot_be_meant_is_refused_without_a_traceback(
    house: House, arguments: tuple[str, ...], code: int
) -> None:
    house.run(*arguments, code=code)


def test_a_full_disk_behind_standard_output_is_told(house: House) -> None:
    (house.folder / "fine.eml").write_bytes(FINE)
    for arguments in (("classify", "fine.eml"), ("export",)):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [sys.executable, "-m", "bounceproc", *arguments],
                cwd=house.folder,
                stdout=full,
                stderr=subprocess.PIPE,
                check=False,
            )

        assert (done.returncode, b"Traceback" in done.stderr) == (75, False), done.stderr


def test_lines_that_are_no_addresses_do_not_hide_the_answer_to_the_others(house: House) -> None:
    house.run("suppress", "add", "b@example.com")

    done = house.run("check", "-", code=65, stdin=b"a@example.com\nnobody\nb@example.com\n")

    assert [line.split()[1] for line in done.stdout.splitlines()] == ["send", "SUPPRESSED"]
    assert "nobody" in done.stderr


def test_a_dry_run_makes_no_database(house: House) -> None:
    (house.folder / "fine.eml").write_bytes(FINE)

    assert house.json("ingest", "fine.eml", "--dry-run", "--format", "json")[0]["messages"] == 1
    assert not house.database.exists()
    assert not (house.folder / "bounceproc.pepper").exists()
