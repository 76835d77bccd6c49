"""Forged reports in a real mailbox, received on many days: with a token secret they suppress nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.store.test_forged import MAILBOX, SECRET, forged, live
from tests.stories.house import House
from tests.unit.mails import dsn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.dovecot import MailUser


@pytest.mark.server
def test_forged_reports_on_many_days_of_receipt_suppress_nobody_and_a_token_does(
    mail_user: MailUser, tmp_path: Path
) -> None:
    house = House(tmp_path, mail_user)
    (tmp_path / "token").write_text(SECRET + "\n")
    (tmp_path / "token").chmod(0o600)
    house.configuration.write_text(f'{house.configuration.read_text()}\n[identity]\ntoken_secret_file = "token"\n')
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(days=40)
    victims = 7
    for wave in range(3):
        for number in range(21):
            received = began + timedelta(days=wave * 13 + number % 5, minutes=number)
            message = forged(wave, number * 1000 + number % victims, received)
            mail_user.deliver(message, internaldate=received)
        house.run("poll", "--once")
        assert house.json("suppress", "list", "--format", "jsonl") == []

    waiting = house.json("review", "list", "--format", "jsonl")
    assert {one["address"] for one in waiting} == {live(number) for number in range(victims)}
    assert {one["reason"] for one in waiting} == {"bounce", "complaint", "unsubscribe"}
    first, last = min(one["first_at"] for one in waiting), max(one["last_at"] for one in waiting)
    assert datetime.fromisoformat(last) - datetime.fromisoformat(first) >= timedelta(days=30), "days of receipt count"
    assert len(mail_user.uids("Processed")) == 3 * 21

    path = house.run("token", "make", live(1), "--mailbox", MAILBOX).stdout.strip()
    mail_user.deliver(f"Delivered-To: {path}\n".encode() + dsn(live(1)))
    house.run("poll", "--once")
    (entry,) = house.json("suppress", "list", "--format", "jsonl")
    assert (entry["address"], entry["reason"]) == (live(1), "bounce")
    house.run("check", "-q", *(live(number) for number in range(2, victims)))
