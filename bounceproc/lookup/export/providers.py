"""What sending services import, each in its own form. None of them knows whole domains or streams.

The forms are those of their documentation: SES "Bulk adding to the account-level suppression list" (a bulk job takes 100,000
lines), SendGrid's upload of unsubscribes, Mailgun's `/bounces/import`, `/complaints/import` and `/unsubscribes/import`, Postmark's
Suppressions API (50 in a request), SparkPost's Suppression List API.
"""

from __future__ import annotations

import json
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final

from bounceproc.lookup.export.text import csv_line

if TYPE_CHECKING:
    from bounceproc.lookup.export.listed import Listed

POSTMARK_BATCH: Final = 50
"""Addresses in one request, as Postmark allows."""
SPARKPOST_BATCH: Final = 1_000
"""Recipients in one request, each with two entries: SparkPost recommends at most 10,000."""


def ses_line(listed: Listed) -> str:
    """Address and reason, with no head line: BOUNCE, or COMPLAINT for whatever a person wanted."""
    reason = "BOUNCE" if listed.reason == "bounce" else "COMPLAINT"
    return csv_line(("address", "reason"), {"address": listed.address, "reason": reason})


def sendgrid_line(listed: Listed) -> str:
    """The address, below the head line `email`."""
    return csv_line(("email",), {"email": listed.address})


MAILGUN: Final = {
    "bounces": ("address", "code", "error", "created_at"),
    "complaints": ("address", "created_at"),
    "unsubscribes": ("address", "tags", "created_at"),
}
"""The head line of each of Mailgun's three lists."""


def mailgun_kind(listed: Listed) -> str:
    """The list that an entry belongs into; what was decided by hand or imported is a wish not to be mailed."""
    return {"bounce": "bounces", "complaint": "complaints"}.get(listed.reason, "unsubscribes")


def mailgun_line(listed: Listed) -> str:
    """A line of the list that the entry belongs into."""
    row = {
        "address": listed.address,
        "code": "550",
        "error": listed.category or "",
        "tags": "*",
        "created_at": format_datetime(datetime.fromisoformat(listed.since), usegmt=True),
    }
    return csv_line(MAILGUN[mailgun_kind(listed)], row)


def postmark_request(batch: list[Listed]) -> str:
    """The body of one `POST /message-streams/{stream}/suppressions`."""
    return _body({"Suppressions": [{"EmailAddress": listed.address} for listed in batch]})


def sparkpost_request(batch: list[Listed]) -> str:
    """The body of one `PUT /api/v1/suppression-list`; who only unsubscribed still gets receipts and passwords."""
    recipients = [
        {"recipient": listed.address, "type": type_, "description": listed.category or listed.reason}
        for listed in batch
        for type_ in (
            ["non_transactional"] if listed.reason == "unsubscribe" else ["transactional", "non_transactional"]
        )
    ]
    return _body({"recipients": recipients})


def _body(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"
