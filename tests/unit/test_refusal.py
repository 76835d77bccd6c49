"""Each text that we refuse with is known again, in every frame that mail servers put round it; nobody else's words are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bounceproc.classify.classifier import default_classifier
from bounceproc.lookup import action, replies
from bounceproc.pipeline import meant, read
from bounceproc.ports import Outcome, Suppression
from bounceproc.rawmessage import RawMessage
from bounceproc.refusal import is_ours
from tests.unit.mails import dsn

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def entry(reason: str, class_: str | None, ref: str | None) -> Suppression:
    return Suppression(
        address="user@example.com",
        key=b"",
        scope="*",
        reason=reason,
        origin="policy",
        since=NOW,
        until=None,
        category="bad-mailbox" if reason == "bounce" else None,
        class_=class_,
        ref=ref,
    )


TEXTS = [
    text
    for reason, class_, ref in (("bounce", "hard", "00ff"), ("bounce", "soft", None), ("complaint", None, "00ff"))
    for text in (
        replies.refusal(entry(reason, class_, ref)).removeprefix("REJECT "),
        action.text_of(reason=reason, class_=class_, since="2026-11-01", ref=ref),
    )
]
FRAMES = [
    "550 {text}",
    "550-{text}",
    "550 {status} <user@example.com>: Recipient address rejected: {words}",
    "554 {status} <user@example.com>: Recipient address rejected: {words} (in reply to RCPT TO command)",
    "{words}",
]


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("text", TEXTS)
def test_what_we_say_is_known_again(text: str, frame: str) -> None:
    status, _, words = text.partition(" ")
    assert is_ours(frame.format(text=text, status=status, words=words))


@pytest.mark.parametrize(
    "text",
    [
        "550 5.1.1 User unknown",
        "550 5.1.1 mailbox undeliverable since 2026-11-01",
        "550 5.2.1 this account is suspended since 2026-11-01",
        "550 5.1.1 undeliverable since March",
        "550 suppressed",
        "550 5.7.1 not to be mailed",
        "",
    ],
)
def test_what_others_say_is_not_ours(text: str) -> None:
    assert not is_ours(text)


def outcome(message: bytes) -> tuple[Outcome, list[str]]:
    raw = RawMessage("m", message, NOW)
    found = read(raw, meant(raw, default_classifier()), NOW)
    return found.outcome, [str(event.recipient) for event in found.events]


def test_a_report_of_nothing_else_has_an_outcome_of_its_own_and_no_events() -> None:
    ours = dsn(diagnostic=f"smtp; 550 {TEXTS[0]}")
    assert outcome(ours) == (Outcome.OWN_REFUSAL, [])
    assert outcome(dsn()) == (Outcome.REPORT, ["user@example.com"])


def test_of_a_report_about_several_only_our_refusals_are_left_out() -> None:
    other = (
        b"Final-Recipient: rfc822; other@example.net\nAction: failed\nStatus: 5.1.1\n"
        b"Diagnostic-Code: smtp; 550 5.1.1 User unknown\n\n--b1\nContent-Type: text/rfc"
    )
    both = dsn(diagnostic=f"smtp; 550 {TEXTS[1]}").replace(b"--b1\nContent-Type: text/rfc", other)
    assert outcome(both) == (Outcome.REPORT, ["other@example.net"])
