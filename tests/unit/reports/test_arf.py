"""Who complains, where the report hides it."""

from __future__ import annotations

import pytest

from bounceproc.event import EventType
from bounceproc.reports import arf
from bounceproc.reports.mail import Mail


def feedback(fields: str, original: str = "To: redacted@isp.example\n") -> Mail:
    return Mail.parse(
        (
            "From: fbl@isp.example\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nx\n--b\n"
            f"Content-Type: message/feedback-report\n\n{fields}\n--b\nContent-Type: message/rfc822\n\n{original}\nhello\n--b--\n"
        ).encode()
    )


@pytest.mark.parametrize(
    ("feedback_type", "expected"),
    [
        ("abuse", EventType.COMPLAINT),
        ("Fraud", EventType.COMPLAINT),
        ("virus", EventType.COMPLAINT),
        ("other", EventType.COMPLAINT),
        ("miscategorized", EventType.COMPLAINT),
        ("opt-out", EventType.UNSUBSCRIBE),
        ("opt-out-list", EventType.UNSUBSCRIBE),
        ("not-spam", EventType.NOT_SPAM),
        ("auth-failure", EventType.AUTH_FAILURE),
    ],
)
def test_the_feedback_type_decides(feedback_type: str, expected: EventType) -> None:
    found = arf.read(feedback(f"Feedback-Type: {feedback_type}\nOriginal-Rcpt-To: reader@example.org\n"))
    assert found is not None
    assert [event.type for event in found.events] == [expected]
    assert found.events[0].feedback_type == feedback_type.lower()


@pytest.mark.parametrize(
    ("sender", "subject", "is_complaint"),
    [
        ("abuse@isp.example", "Spam complaint about 192.0.2.1", True),
        ("fbl-noreply@isp.example", "Abuse report", True),
        ("9@reports.spamcop.net", "[SpamCop (192.0.2.1) id:9]October", True),
        ("ann@isp.example", "Spam complaint about 192.0.2.1", False),
        ("abuse@isp.example", "Re: Spam complaint about 192.0.2.1", False),
        ("abuse@isp.example", "Our new address", False),
    ],
)
def test_an_abuse_desk_passes_a_complaint_on(sender: str, subject: str, *, is_complaint: bool) -> None:
    quoted = "Received: from x by y\nFrom: news@example.com\nTo: reader@isp.example\nSubject: October"
    mail = Mail.parse(f"From: {sender}\nSubject: {subject}\n\nA user complained.\n\n{quoted}\n\nhello\n".encode())
    found = arf.read(mail)
    told = [str(event.recipient) for event in found.events] if found else []
    assert told == (["reader@isp.example"] if is_complaint else [])


def test_an_abuse_desk_that_shows_no_mail_complains_of_nobody() -> None:
    assert arf.read(Mail.parse(b"From: abuse@isp.example\nSubject: Spam complaint\n\nPlease stop.\n")) is None


@pytest.mark.parametrize(
    ("fields", "original", "recipient", "derived"),
    [
        ("Removal-Recipient: a@example.org\n", "", "a@example.org", None),
        ("Original-Mail-From: <b-bounces+a=example.org@example.com>\n", "", "a@example.org", "return-path"),
        ("", "X-HmXmrOriginalRecipient: a@example.org\n", "a@example.org", "x-header"),
        ("", "Return-Path: <bounce-a=example.org@example.com>\n", "a@example.org", "return-path"),
        (
            "",
            "List-Unsubscribe: <https://x>, <mailto:leave+a=example.org@example.com>\n",
            "a@example.org",
            "list-unsubscribe",
        ),
        (
            "",
            "List-Unsubscribe: <mailto:leave%2Ba%3Dexample.org@example.com>\n",
            "a@example.org",
            "list-unsubscribe",
        ),
        (
            "",
            "From: news@example.com\nList-Unsubscribe: <https://example.com/u?by=news@example.com&e=a%40example.org>\n",
            "a@example.org",
            "list-unsubscribe",
        ),
        (
            "",
            "To: redacted@example.org\nList-Unsubscribe: <mailto:leave@example.com?subject=leave%20a%40example.org>\n",
            "a@example.org",
            "list-unsubscribe",
        ),
        ("", "To: A <a@example.org>\n", "a@example.org", "to"),
        ("", "Message-ID: <n7+a=example.org@news.example.com>\n", "a@example.org", "message-id"),
        (
            "",
            "To: redacted@example.org\nMessage-ID: <n7+a=example.org@news.example.com>\n",
            "a@example.org",
            "message-id",
        ),
    ],
)
def test_a_hidden_recipient_is_recovered_and_the_event_says_from_where(
    fields: str, original: str, recipient: str, derived: str | None
) -> None:
    found = arf.read(feedback("Feedback-Type: abuse\n" + fields, original or "To: redacted@isp.example\n"))
    assert found is not None
    assert [(str(event.recipient), event.derived) for event in found.events] == [(recipient, derived)]


@pytest.mark.parametrize(
    "original",
    [
        "To: redacted@isp.example\n",
        "To: undisclosed recipients:;\n",
        "To: a@example.org, b@example.org\n",
        "Message-ID: <aGk=.x9@mail.example>\n",
        "To: redacted@isp.example\nMessage-ID: <n7+a=example.org@news.example.com>\n",
        "",
    ],
)
def test_a_complaint_that_nobody_can_be_found_for_has_no_recipient(original: str) -> None:
    found = arf.read(feedback("Feedback-Type: abuse\n", original))
    assert found is not None
    assert [(event.type, event.recipient, event.derived) for event in found.events] == [
        (EventType.COMPLAINT, None, None)
    ]


def test_fields_that_were_not_understood_are_kept() -> None:
    found = arf.read(feedback("Feedback-Type: abuse\nX-Loop-Id: 7\n"))
    assert found is not None
    assert found.extensions["x-loop-id"] == "7"


def test_recipients_in_one_field_are_all_named() -> None:
    found = arf.read(feedback("Feedback-Type: abuse\nOriginal-Rcpt-To: <a@example.org>, <b@example.org>\n"))
    assert found is not None
    assert [str(event.recipient) for event in found.events] == ["a@example.org", "b@example.org"]


def test_another_domain_than_the_hidden_ones_is_somebody_else() -> None:
    original = "To: redacted@example.net\nList-Unsubscribe: <https://example.com/u?e=a%40example.org>\n"
    found = arf.read(feedback("Feedback-Type: abuse\n", original))
    assert found is not None
    assert [event.recipient for event in found.events] == [None]
