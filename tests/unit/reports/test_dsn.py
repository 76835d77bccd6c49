"""How groups of fields become events."""

from __future__ import annotations

import pytest

from bounceproc.errors import MalformedReportError
from bounceproc.event import EventType
from bounceproc.reports import dsn
from bounceproc.reports.mail import Mail
from bounceproc.reports.recognise import recognise


def report(
    fields: str,
    *,
    human: str = "Sorry.",
    subject: str = "Undelivered Mail Returned to Sender",
    sender: str = "MAILER-DAEMON@x.example",
) -> Mail:
    return Mail.parse(
        (
            f"From: {sender}\nSubject: {subject}\nDate: Mon, 2 Nov 2026 10:00:00 +0000\n"
            "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
            f"--b\n\n{human}\n--b\nContent-Type: message/delivery-status\n\n{fields}\n--b--\n"
        ).encode()
    )


def events(fields: str, **more: str) -> list[tuple[EventType, str]]:
    found = dsn.read(report(fields, **more))
    assert found is not None
    return [(event.type, str(event.recipient)) for event in found.events]


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("failed", EventType.BOUNCE),
        ("Failed", EventType.BOUNCE),
        ("failure", EventType.BOUNCE),
        ("error", EventType.BOUNCE),
        ("failed (expired)", EventType.BOUNCE),
        ("delayed", EventType.DELAY),
        ("delivered", EventType.DELIVERY),
        ("relayed", EventType.DELIVERY),
        ("expanded", EventType.DELIVERY),
        ("whatever", EventType.BOUNCE),
    ],
)
def test_the_action_decides(action: str, expected: EventType) -> None:
    assert events(f"Final-Recipient: rfc822; a@example.org\nAction: {action}\nStatus: 5.0.0") == [
        (expected, "a@example.org")
    ]


def test_a_blank_line_in_the_middle_of_a_group_does_not_split_it() -> None:
    found = dsn.read(report("Final-Recipient: rfc822; a@example.org\n\nAction: delayed\nStatus: 4.4.1\n"))
    assert found is not None
    assert [(event.type, str(event.status)) for event in found.events] == [(EventType.DELAY, "4.4.1")]


def test_a_blank_line_behind_every_field_splits_no_group() -> None:
    lines = (
        "Final-Recipient: rfc822; a@example.org",
        "Action: failed",
        "Status: 5.2.2",
        "Diagnostic-Code: smtp; 552 full",
    )
    found = dsn.read(report("\n\n".join((*lines, *(line.replace("a@", "b@") for line in lines)))))
    assert found is not None
    assert [(str(event.recipient), str(event.status), event.diagnostic) for event in found.events] == [
        ("a@example.org", "5.2.2", "552 full"),
        ("b@example.org", "5.2.2", "552 full"),
    ]


def test_a_part_may_lack_the_blank_line_before_its_fields() -> None:
    groups = "Final-Recipient: a@example.org\nAction: failed\nStatus: 5.1.1\n\nFinal-Recipient: b@example.org\nAction: failed\n"
    whole = report(groups).data.replace(b"delivery-status\n\n", b"delivery-status\n")
    assert whole != report(groups).data
    said = recognise(whole)
    assert said is not None
    assert [str(event.recipient) for event in said.events] == ["a@example.org", "b@example.org"]


def test_fields_before_their_recipient_belong_to_it_when_there_is_one_group() -> None:
    found = dsn.read(
        report("Reporting-MTA: dns; x\nAction: failed\nStatus: 5.2.1\n\nFinal-Recipient: rfc822; a@example.org\n")
    )
    assert found is not None
    assert [str(event.status) for event in found.events] == ["5.2.1"]


def test_an_address_named_twice_is_one_event() -> None:
    assert events(
        "Final-Recipient: a@example.org\nAction: failed\n\nFinal-Recipient: A@Example.org\nAction: failed\n"
    ) == [(EventType.BOUNCE, "a@example.org")]


def test_a_final_failure_that_talks_of_retries_is_a_failure() -> None:
    fields = "Final-Recipient: a@example.org\nAction: failed\nStatus: 5.4.7\nDiagnostic-Code: smtp; 550 expired\n"
    assert events(fields, human="We will retry for no longer; delivery has been delayed.") == [
        (EventType.BOUNCE, "a@example.org")
    ]


def test_a_temporary_failure_that_says_it_will_be_retried_is_a_delay() -> None:
    fields = "Final-Recipient: a@example.org\nAction: failed\nStatus: 4.4.7\n"
    assert events(fields, human="This is just a warning. The message will be retried.") == [
        (EventType.DELAY, "a@example.org")
    ]
    assert events(fields, human="Giving up. It will not be retried; has been delayed too long.") == [
        (EventType.BOUNCE, "a@example.org")
    ]


def test_the_status_of_the_reply_replaces_one_that_says_nothing() -> None:
    found = dsn.read(
        report(
            "Final-Recipient: a@example.org\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 5.7.26 unauthenticated mail\n"
        )
    )
    assert found is not None
    assert str(found.events[0].status) == "5.7.26"


def test_the_status_of_the_reply_does_not_replace_another_class() -> None:
    found = dsn.read(
        report(
            "Final-Recipient: a@example.org\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 421 4.4.2 timed out waiting\n"
        )
    )
    assert found is not None
    assert str(found.events[0].status) == "5.0.0"


def test_arrival_date_is_no_failure_time() -> None:
    found = dsn.read(
        report("Arrival-Date: Sun, 1 Nov 2026 00:00:00 +0000\n\nFinal-Recipient: a@example.org\nAction: failed\n")
    )
    assert found is not None
    assert [event.occurred_at and event.occurred_at.isoformat() for event in found.events] == [
        "2026-11-02T10:00:00+00:00"
    ]


def test_a_report_on_nobody_is_malformed_and_says_what_to_do() -> None:
    with pytest.raises(MalformedReportError) as raised:
        dsn.read(report("Reporting-MTA: dns; x\n"))
    assert "names no recipient" in raised.value.what
    assert raised.value.advice


def test_unknown_fields_of_the_message_are_kept() -> None:
    found = dsn.read(report("Reporting-MTA: dns; x\nX-Queue-ID: 7\n\nFinal-Recipient: a@example.org\nAction: failed\n"))
    assert found is not None
    assert found.extensions == {"x-queue-id": "7"}


@pytest.mark.parametrize(
    ("original", "final"),
    [
        ("rfc822; a@example.org", "rfc822; b@example.org"),
        ("a@example.org", "b@example.org"),
        ("rfc822;a@example.org", ""),
    ],
)
def test_the_address_that_was_sent_to_is_the_original_one(original: str, final: str) -> None:
    assert events(f"Final-Recipient: {final}\nOriginal-Recipient: {original}\nAction: failed\n") == [
        (EventType.BOUNCE, "a@example.org")
    ]
