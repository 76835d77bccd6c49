"""Who wrote a message: a mail system or a person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceproc.reports.mail import Mail, Phrases


@pytest.mark.parametrize(
    "header",
    [
        "From: MAILER-DAEMON@x.example",
        "From: Mail Delivery System <mailer-daemon@x.example>",
        "From: postmaster@x.example\nSubject: Undeliverable: hello",
        "From: Mail.Delivery.System@x.example",
        "From: MAILER-DAEMON <>",
        "From: Anybody <anybody@x.example>\nReturn-Path: <>",
        "From: no-reply@x.example\nSubject: Mail delivery failed",
        "From: no-reply@x.example\nSubject: メールエラー通知",
        "From: Anybody <anybody@x.example>\nX-Failed-Recipients: a@example.org",
    ],
)
def test_a_notice_is_known(header: str) -> None:
    assert Mail.parse(f"{header}\n\nx\n".encode()).is_notice


@pytest.mark.parametrize(
    "header",
    [
        "From: Ann <ann@x.example>\nSubject: Undelivered Mail Returned to Sender",
        "From: Ann <ann@x.example>\nSubject: Fwd: failure notice\nReturn-Path: <>",
        "From: Ann <ann@x.example>\nSubject: Re: Mail delivery failed",
        "From: no-reply@x.example\nSubject: Your order",
        "From: no-reply@x.example\nSubject: Delivery failure rates rise\nList-Unsubscribe: <https://x.example/u>",
        "From: admin@x.example\nSubject: Undelivered mail, please help",
        "From: root@x.example\nSubject: Backup error report: mail system failure",
        "From: root@x.example\nReturn-Path: <>\nSubject: Cron <root@x> mailq",
        "From: help@x.example\nReturn-Path: <>\nSubject: [Ticket#8812] Undelivered Mail Returned to Sender",
        "From: no-reply@x.example\nSubject: Ann commented on the card Mail delivery failed",
        "From: no-reply@x.example\nSubject: (MAIL-7) Mail delivery failed since Monday",
        "From: no-reply@x.example\nSubject: [Mailer] Mail delivery failed since Monday",
        "From: no-reply@x.example\nSubject: Mailer | Mail delivery failed since Monday (#12)",
        "From: Ann <ann@x.example>",
        "",
    ],
)
def test_a_person_is_no_mail_system(header: str) -> None:
    assert not Mail.parse(f"{header}\n\nx\n".encode()).is_notice


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gone\n\n--- Below this line is a copy of the message.\n\nTo: a\n", "gone"),
        ("gone\n------ This is a copy of the message, including all the headers. ------\nx", "gone"),
        ("gone\n----- Original message -----\nx", "gone"),
        ("gone\nReceived: from x by y\n", "gone"),
        ("The original message was received today.\ngone", "The original message was received today.\ngone"),
    ],
)
def test_the_words_of_the_mail_system_end_where_our_mail_begins(text: str, words: str) -> None:
    assert Mail.parse(f"From: MAILER-DAEMON@x.example\n\n{text}".encode()).notice.rstrip() == words


@pytest.mark.parametrize(
    ("header", "tells"),
    [
        ("From: Postmaster <postmaster@x.example>\nSubject: Our disks were full", False),
        ("From: postmaster@x.example\nSubject: Undeliverable: hello", True),
        ("Return-Path: <>\nFrom: postmaster@x.example\nSubject: hello", True),
        ("From: MAILER-DAEMON@x.example\nSubject: hello", True),
    ],
)
def test_a_postmaster_says_more_than_a_name_when_mail_failed(header: str, tells: bool) -> None:
    assert Mail.parse(f"{header}\n\nx\n".encode()).tells_of_failure is tells


WORDS = ["will", "retry", "a", "xa", "a:", "not", "yet", "#5.", "ß"]


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.lists(st.sampled_from(["", *WORDS]), min_size=1, max_size=4))
def test_phrases_are_found_where_a_search_finds_them(words: list[str], phrase: list[str]) -> None:
    mail = Mail.parse(f"From: x@y.example\n\n{' '.join(words)}\n".encode())
    text, sought = " ".join(words), " ".join(phrase)
    begins = len(phrase) > 2 and sought[0] == " " and text.startswith(sought[1:])
    found = [*Phrases(["not yet a", sought, "ß", sought]).within(mail)]
    assert [place for place in found if place in (1, 3)] == ([1, 3] if sought in text or begins else [])
    assert found == sorted(set(found))
