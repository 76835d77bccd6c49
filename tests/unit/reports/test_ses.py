"""Amazon SES notices in JSON."""

from __future__ import annotations

import json

import pytest

from bounceproc.event import EventType, Kind
from bounceproc.reports import ses
from bounceproc.reports.mail import Mail


def sns(notice: object) -> Mail:
    return Mail.parse(
        b"From: no-reply@sns.example\nContent-Type: text/plain\n\n" + json.dumps(notice).encode() + b"\n\n--\nfooter\n"
    )


def test_a_notice_inside_the_envelope_of_sns_is_read() -> None:
    notice = {
        "notificationType": "Complaint",
        "complaint": {"complainedRecipients": [{"emailAddress": "a@example.org"}]},
    }
    found = ses.read(sns({"Type": "Notification", "Message": json.dumps(notice)}))
    assert found is not None
    assert found.kind is Kind.ARF
    assert [(event.type, str(event.recipient)) for event in found.events] == [(EventType.COMPLAINT, "a@example.org")]


def test_a_delay_and_a_delivery_are_no_bounces() -> None:
    delay = {
        "eventType": "DeliveryDelay",
        "deliveryDelay": {"delayedRecipients": [{"emailAddress": "a@example.org", "status": "4.4.1"}]},
    }
    delivery = {
        "notificationType": "Delivery",
        "delivery": {"recipients": ["a@example.org"], "smtpResponse": "250 2.0.0 ok"},
    }
    found = [ses.read(sns(delay)), ses.read(sns(delivery))]
    assert [report and [event.type for event in report.events] for report in found] == [
        [EventType.DELAY],
        [EventType.DELIVERY],
    ]


@pytest.mark.parametrize(
    "notice",
    [
        {"notificationType": "Bounce"},
        {"notificationType": "Bounce", "bounce": []},
        {"notificationType": "Bounce", "bounce": {"bouncedRecipients": "x"}},
        {"notificationType": "Bounce", "bounce": {"bouncedRecipients": [1, None, {"emailAddress": "no"}]}},
    ],
)
def test_a_notice_of_another_shape_names_nobody(notice: object) -> None:
    found = ses.read(sns(notice))
    assert found is not None
    assert found.events == ()


@pytest.mark.parametrize(
    "body", ["{", '{"notificationType":', '{"notificationType":"New"}', '{"notificationType":' + "[" * 60_000, "plain"]
)
def test_what_is_no_notice_is_left_to_others(body: str) -> None:
    assert ses.read(Mail.parse(b"From: x@example.org\n\n" + body.encode())) is None
