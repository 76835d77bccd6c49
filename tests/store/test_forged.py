"""Where a token secret is configured, no number of forged reports suppresses anybody; one that bears a token does."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest

from bounceproc.address import Address
from bounceproc.classify.classifier import default_classifier
from bounceproc.config import Config
from bounceproc.event import EventType, Trust
from bounceproc.identity import Identifier, OurMail
from bounceproc.pipeline import Pipeline
from bounceproc.policies import policy_of
from bounceproc.ports import MessageBatch
from bounceproc.rawmessage import RawMessage
from bounceproc.returnpath import make
from bounceproc.sentmail import SentMail
from tests.unit.mails import complaint, dsn

if TYPE_CHECKING:
    from pathlib import Path

    from bounceproc.event import Event
    from tests.store.kit import Bench

SECRET: Final = "a secret for tests only"
GUESSED: Final = "what an attacker guesses it to be"
MAILBOX: Final = "bounces@sender.example"
WAVES: Final = (3334, 3333, 3333)
LIVE: Final = 1000
"""Addresses that get our mail, and that somebody wants to be without it."""
BEGIN: Final = datetime(2026, 11, 2, 8, tzinfo=UTC)
BATCH: Final = 500


def live(number: int) -> str:
    return f"live{number % LIVE}@example.com"


def unsubscribe(who: str, date: str, name: str) -> bytes:
    return f"""From: Somebody <{who}>
To: unsubscribe@sender.example
Subject: unsubscribe
Date: {date}
Message-ID: <{name}@example.com>

unsubscribe
""".encode()


def borrowed(number: int, at: datetime) -> str | None:
    """What an attacker who was sent nothing for this recipient can put where a token belongs."""
    victim = live(number)
    match number % 7:
        case 0:  # one of his own making
            return make(victim, MAILBOX, secrets=[GUESSED], now=at)
        case 1:  # one that was good once
            return make(victim, MAILBOX, secrets=[SECRET], now=at - timedelta(days=60), valid=timedelta(days=30))
        case 2:  # the one that he was sent, with another name in it
            return make("him@evil.example", MAILBOX, secrets=[SECRET], now=at).replace("him=evil", "her=good")
        case 3:
            return MAILBOX
        case _:
            return None


def forged(wave: int, number: int, at: datetime) -> bytes:
    """A report about a live address that claims whatever helps, its date included."""
    victim, name = live(number), f"{wave}.{number}"
    claimed = at + timedelta(days=5 - (number * 7 + wave) % 95)
    date = f"{claimed:%a, %d %b %Y %H:%M:%S} +0000"
    match number % 5:
        case 0:
            message = complaint(victim).replace(b"<complaint.", f"<{name}.".encode())
        case 1:
            message = unsubscribe(victim, date, name)
        case 2:  # the Message-ID of a mail that he was sent himself
            message = dsn(victim, date=date, original="<to.him@sender.example>").replace(
                b"report@", b"%b@" % name.encode()
            )
        case _:
            message = dsn(victim, date=date, original=f"<{name}@sender.example>")
    path = borrowed(number // 5, at)
    return message if path is None else f"Delivered-To: {path}\n".encode() + message


def flow(bench: Bench, folder: Path) -> Pipeline:
    """The pipeline as a configuration with a token secret and a send ledger makes it; its clock is the bench's."""
    (folder / "bounceproc.toml").write_text(f'[identity]\ntoken_secret = "{SECRET}"\nledger = true\n')
    return Pipeline(
        ledger=bench.store.ledger,
        classifier=default_classifier(),
        policy=policy_of(Config.load(folder / "bounceproc.toml")),
        clock=lambda: bench.now,
        identifier=Identifier(OurMail((SECRET,)), lambda: bench.now),
        sent=True,
    )


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_ten_thousand_forged_reports_in_three_waves_suppress_nobody(bench: Bench, tmp_path: Path) -> None:
    pipeline = flow(bench, tmp_path)
    added: Counter[EventType] = Counter()
    sent = {f"to.{number}@sender.example": live(number) for number in range(LIVE)}
    sent["to.him@sender.example"] = "him@evil.example"
    bench.store.sent.add(
        SentMail(message_id=id_, recipient=Address.parse(who), sent_at=BEGIN) for id_, who in sent.items()
    )
    for wave, size in enumerate(WAVES):
        bench.now = BEGIN + timedelta(days=3 * wave)
        mails = [RawMessage(f"{wave}.{n}", forged(wave, n, bench.now), bench.now) for n in range(size)]
        for start in range(0, size, BATCH):
            result = pipeline.process("returns", MessageBatch(tuple(mails[start : start + BATCH])))
            assert result.changed == result.duplicates == 0
            events = [event for reading in result.readings for event in reading.events]
            assert {event.trust for event in events} == {Trust.REPORTED}
            added.update(event.type for event in events)
    assert sum(added.values()) == sum(WAVES) == 10_000
    assert set(added) == {EventType.BOUNCE, EventType.COMPLAINT, EventType.UNSUBSCRIBE}
    assert bench.count("suppression") == bench.count("suppression_change") == 0
    waiting = {(row["address"], row["reason"]) for row in bench.rows("review")}
    assert {address for address, _ in waiting} == {live(number) for number in range(LIVE)}, "a person may look at them"

    assert true(pipeline, dsn(live(1)), live(1), bench.now).trust is Trust.SIGNED
    assert true(pipeline, complaint(live(2)), live(2), bench.now).trust is Trust.SIGNED
    assert true(pipeline, unsubscribe(live(3), "", "true"), live(3), bench.now).trust is Trust.SIGNED
    known = RawMessage("known", dsn(live(4), original="<to.4@sender.example>"), bench.now)
    assert pipeline.process("returns", MessageBatch((known,))).changed == 1
    assert {(row["address"], row["reason"]) for row in bench.rows("suppression")} == {
        (live(1), "bounce"),
        (live(2), "complaint"),
        (live(3), "unsubscribe"),
        (live(4), "bounce"),
    }


def true(pipeline: Pipeline, message: bytes, recipient: str, at: datetime) -> Event:
    """The event of the same report with the token that the recipient's mail was sent with; it suppresses at once."""
    path = make(recipient, MAILBOX, secrets=[SECRET], now=at)
    raw = RawMessage(f"true {recipient}", f"Delivered-To: {path}\n".encode() + message, at)
    result = pipeline.process("returns", MessageBatch((raw,)))
    assert result.changed == 1
    ((event,),) = (reading.events for reading in result.readings)
    assert event.recipient == Address.parse(recipient)
    return event
