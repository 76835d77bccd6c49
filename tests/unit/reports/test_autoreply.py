"""Answering machines, read receipts, and people who only look like them."""

from __future__ import annotations

import pytest

from bounceproc.event import Kind
from bounceproc.reports.recognise import recognise


def kind(header: str, body: str = "hello") -> Kind | None:
    report = recognise(f"From: Ann <ann@example.org>\nTo: news@example.com\n{header}\n\n{body}\n".encode())
    return report.kind if report else None


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-replied (vacation)",
        "X-Autoreply: yes",
        "X-Autorespond: October",
        "Precedence: auto_reply",
        "Subject: Out of Office: October",
        "Subject: Re: Auto reply: October",
        "Subject: AUTO: Ann is away (returning Monday)",
        "Subject: October (Automatic Response)",
        "Subject: Abwesenheitsnotiz",
        "Subject: Automatisch antwoord: October",
        "Subject: Risposta automatica: October",
        "Subject: Fora do escritório: October",
        "Subject: AUTO: Ann ist außer Haus (Rückkehr am Montag)",
        "Subject: Autorespuesta: October",
        "Subject: De vacaciones hasta el lunes",
        "Subject: Absent du bureau : October",
        "Subject: Odpowiedź automatyczna: October",
        "Subject: Отсутствие на рабочем месте",
        "Subject: 休暇のお知らせ",
        "Subject: 不在办公室: October",
        "Return-Path: <>\nIn-Reply-To: <1@example.com>\nSubject: Thank you",
    ],
)
def test_an_answering_machine_is_known(header: str) -> None:
    assert kind(header) is Kind.AUTO_REPLY


@pytest.mark.parametrize(
    "header",
    [
        "X-Auto-Response-Suppress: All",
        "Auto-Submitted: no",
        "Auto-Submitted: auto-generated",
        "Subject: The office",
        "Subject: Our automatic door",
        "Subject: De vacaciones con los niños",
        "Precedence: bulk",
        "Auto-Submitted: auto-replied\nList-Id: <news.example.com>",
    ],
)
def test_other_mail_is_left_alone(header: str) -> None:
    assert kind(header) is None


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("Subject: unsubscribe", ""),
        ("Subject: Unsubscribe me", "Please."),
        ("Subject: REMOVE", ""),
        ("Subject: ", "unsubscribe"),
        ("Subject: abmelden", ""),
        ("Delivered-To: news+unsubscribe@example.com\nSubject: unsubscribe:7f-3a", "Sent by a mail program."),
    ],
)
def test_the_wish_to_leave_is_known(header: str, body: str) -> None:
    assert kind(header, body) is Kind.UNSUBSCRIBE


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("Subject: How can I unsubscribe?", "unsubscribe"),
        ("Subject: Re: unsubscribe", "Done."),
        ("Subject: unsubscribe", "word " * 200),
        ("Subject: hello", "please unsubscribe"),
        ("Subject: unsubscribe\nList-Id: <talk.example.org>", "unsubscribe"),
    ],
)
def test_mail_that_mentions_leaving_is_left_alone(header: str, body: str) -> None:
    assert kind(header, body) is None
