"""What recognition promises of any octets at all."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounceproc.errors import MalformedReportError
from bounceproc.event import EventType, Kind, Trust
from bounceproc.reports.fields import MAX_DIAGNOSTIC
from bounceproc.reports.recognise import recognise
from bounceproc.reports.report import Report

LINES = (
    *(
        "From: MAILER-DAEMON@mx.example.net",
        "From: Ann <ann@example.org>",
        "Subject: failure notice",
        "Subject: Re: hello",
    ),
    *(
        "Return-Path: <>",
        "To: news+reader=example.org@example.com",
        "Auto-Submitted: auto-replied",
        "X-Failed-Recipients: a@b.example",
    ),
    *(
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
        "Content-Type: multipart/mixed; boundary=b",
    ),
    *(
        "Content-Type: message/delivery-status",
        "Content-Type: message/feedback-report",
        "Content-Type: message/rfc822",
        "",
    ),
    *(
        "--b",
        "--b--",
        "Final-Recipient: rfc822; reader@example.org",
        "Original-Recipient: utf-8; gr\\x{FC}n@example.org",
    ),
    *(
        "Action: failed",
        "Action: delayed",
        "Status: 5.1.1",
        "Status: 4.0.0",
        "Diagnostic-Code: smtp; 550 5.1.1 unknown",
        " folded",
    ),
    *(
        "Feedback-Type: abuse",
        "Original-Rcpt-To: <reader@example.org>",
        "Removal-Recipient: x",
        "Message-ID: <1@example.com>",
    ),
    *(
        "<reader@example.org>:",
        "550 5.1.1 no such user",
        "Hi. This is the qmail-send program at mx.",
        "THIS IS A WARNING MESSAGE ONLY",
    ),
    *(
        "   ----- Transcript of session follows -----",
        "<<< 550 5.1.1 <reader@example.org>... no",
        "--- Below this line is a copy",
    ),
    *(
        "did not reach the following recipient(s):",
        "generating server",
        '{"notificationType":"Bounce","bounce":{',
        "unsubscribe",
    ),
)
messages = st.lists(st.sampled_from(LINES) | st.text(max_size=30), max_size=40).map("\n".join)


def answer(message: bytes) -> Report | str | None:
    try:
        return recognise(message)
    except MalformedReportError as error:
        return str(error)


@settings(deadline=None)
@given(st.binary(max_size=3000))
def test_any_octets_are_a_report_or_none_or_malformed(noise: bytes) -> None:
    answer(noise)


@settings(max_examples=300, deadline=None)
@given(messages)
def test_whatever_is_said_is_fit_to_be_passed_on(text: str) -> None:
    said = answer(text.encode("utf-8", "replace"))
    if not isinstance(said, Report):
        return
    assert said.kind not in (Kind.OTHER, Kind.MALFORMED)
    for event in said.events:
        assert len(event.diagnostic) <= MAX_DIAGNOSTIC
        assert event.diagnostic.isprintable() or not any(ord(char) < 32 for char in event.diagnostic)
        for address in (event.recipient, event.final_recipient):
            assert address is None or not any(ord(char) < 33 for char in address.text if char != " ")


@settings(max_examples=200, deadline=None)
@given(messages)
def test_line_ends_never_change_the_answer(text: str) -> None:
    message = text.replace("\r", "").encode("utf-8", "replace")
    said = answer(message)
    assert answer(message.replace(b"\n", b"\r\n")) == said
    assert answer(message.replace(b"\n", b"\r")) == said


@settings(deadline=None)
@given(messages)
def test_reading_twice_says_the_same(text: str) -> None:
    message = text.encode("utf-8", "replace")
    assert answer(message) == answer(message)


@settings(deadline=None)
@given(st.integers(min_value=1, max_value=400), st.sampled_from(["mixed", "report", "digest", "alternative"]))
def test_nesting_is_bounded(depth: int, subtype: str) -> None:
    nested = b"".join(
        b"Content-Type: multipart/%s; boundary=b%d\n\n--b%d\n" % (subtype.encode(), i, i) for i in range(depth)
    )
    answer(b"From: MAILER-DAEMON@mx.example.net\n" + nested + b"\nend\n")


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(
            b"From: a@example.org\nContent-Type: image/jpeg\nContent-Transfer-Encoding: base64\n\n"
            + b"QUJD" * 3_000_000,
            id="attachment",
        ),
        pytest.param(
            b"From: MAILER-DAEMON@x.example\nSubject: failure notice\n\n" + b"<a@b.example>:\n" * 700_000,
            id="addresses",
        ),
        pytest.param(
            b"From: MAILER-DAEMON@x.example\nSubject: failure notice\n\ndid not reach\n" + b"SMTP=" * 2_000_000,
            id="one-line",
        ),
        pytest.param(
            b"From: MAILER-DAEMON@x.example\nContent-Type: text/html\n\n" + b"<style><p" * 1_000_000, id="html"
        ),
        pytest.param(
            b"From: MAILER-DAEMON@x.example\nContent-Type: multipart/report; boundary=b\n\n"
            + b"--b\n\nx\n" * 1_000_000,
            id="parts",
        ),
        pytest.param(b"\r" * 10_000_000, id="carriage-returns"),
        pytest.param(b"Subject: x" + b"\n y" * 3_000_000, id="folds"),
    ],
)
def test_ten_hostile_megabytes_take_no_more_than_moments(message: bytes) -> None:
    begun = time.process_time()
    answer(message)
    assert time.process_time() - begun < 2  # 0.1 s on a quiet machine


def test_an_address_with_control_characters_is_never_passed_on() -> None:
    message = b"From: MAILER-DAEMON@x.example\nX-Failed-Recipients: a\x00b@example.org\n\nfailed\n"
    said = answer(message)
    assert said is None or (
        isinstance(said, Report) and all("\x00" not in str(event.recipient) for event in said.events)
    )


def test_the_parts_for_others_are_handed_on() -> None:
    message = (
        b"From: MAILER-DAEMON@x.example\nTo: token@example.com\nSubject: failure notice\n\n"
        b"Hi. This is the qmail-send program at mx.\n\n<reader@example.org>:\nno such user\n\n"
        b"--- Below this line is a copy of the message.\n\nX-Token: 7\nList-Id: <news.example.com>\nTo: reader@example.org\n\nhello\n"
    )
    said = recognise(message)
    assert said is not None
    assert said.headers is not None
    assert said.original is not None
    assert said.headers.get(b"to") == "token@example.com"
    assert said.original.headers.get(b"x-token") == "7"
    assert said.original.headers.get(b"list-id") == "<news.example.com>"


def test_a_described_format_is_reported_and_a_guess_is_heuristic() -> None:
    described = recognise(
        b"From: MAILER-DAEMON@x.example\n\nThis is the mail system at host x.\n\n<a@example.org>: unknown user\n"
    )
    guessed = recognise(b"From: MAILER-DAEMON@x.example\n\nYour mail to a@example.org could not be delivered.\n")
    assert described is not None
    assert guessed is not None
    assert [event.trust for event in described.events] == [Trust.REPORTED]
    assert [event.trust for event in guessed.events] == [Trust.HEURISTIC]
    assert [event.type for event in guessed.events] == [EventType.BOUNCE]
