"""Amazon SES notices, which come as JSON: mailed by SNS, or as they lie in a queue."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bounceproc.event import Event, EventType, Kind
from bounceproc.reports import fields
from bounceproc.reports.report import Report
from bounceproc.status import EnhancedStatus, find_reply_code

if TYPE_CHECKING:
    from bounceproc.reports.mail import Mail

_DECODER: Final = json.JSONDecoder()

_MARKS: Final = ('"notificationType"', '"eventType"', '\\"notificationType\\"')

MAX_RECIPIENTS: Final = 1000
"""Recipients of one notice that are read. SES sends to 50 at most."""

MAX_BLANK: Final = 16
"""Octets of a part that are looked at for the bracket with which JSON begins."""

_FEEDBACK: Final = {"not-spam": EventType.NOT_SPAM, "auth-failure": EventType.AUTH_FAILURE}

Json = dict[str, Any]


def read(mail: Mail) -> Report | None:
    """A notice of type Bounce, Complaint, Delivery or DeliveryDelay (SES developer guide, "Notification contents")."""
    if mail.is_answer or (mail.root.is_multipart and not _begins_with_json(mail)):
        return None
    text = mail.human.lstrip()
    if text[:1] != "{" or not any(mark in text[:2000] for mark in _MARKS):
        return None
    notice = _loaded(text)
    kind = notice.get("notificationType") or notice.get("eventType")
    reader = {"Bounce": _bounces, "Complaint": _complaints, "Delivery": _deliveries, "DeliveryDelay": _delays}.get(
        str(kind)
    )
    if reader is None:
        return None
    events = tuple(reader(notice)[:MAX_RECIPIENTS])
    return Report(
        kind=Kind.ARF if kind == "Complaint" else Kind.DSN,
        detector="ses",
        events=events,
        message_id=mail.message_id,
        headers=mail.headers,
    )


def _begins_with_json(mail: Mail) -> bool:
    """Whether the first part does: gateways make a multipart of a notice."""
    first = mail.leaves[:1]
    return bool(first) and first[0].octets(MAX_BLANK).lstrip()[:1] == b"{"


def _loaded(text: str) -> Json:
    """The JSON at the beginning of a mail; SNS puts the notice as a string into `Message` of its own envelope."""
    try:
        found = _DECODER.raw_decode(text)[0]
        if isinstance(found, dict) and isinstance(found.get("Message"), str):
            found = _DECODER.raw_decode(found["Message"].lstrip())[0]
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _section(notice: Json, name: str) -> Json:
    found = notice.get(name)
    return found if isinstance(found, dict) else {}


def _listed(section: Json, name: str) -> list[Json]:
    """The recipients of a section: objects, or addresses alone."""
    found = section.get(name)
    items = found if isinstance(found, list) else []
    return [item if isinstance(item, dict) else {"emailAddress": item} for item in items]


def _event(notice: Json, section: Json, type_: EventType, item: Json, **more: Any) -> Event | None:
    recipient = fields.address(str(item.get("emailAddress", "")))
    if recipient is None:
        return None
    diagnostic = fields.squeezed(fields.untyped(str(item.get("diagnosticCode") or section.get("smtpResponse") or "")))
    message_id = _section(_section(notice, "mail"), "commonHeaders").get("messageId")
    return Event(
        type=type_,
        recipient=recipient,
        final_recipient=recipient,
        action=str(item["action"]).lower() if item.get("action") else None,
        status=EnhancedStatus.find(str(item.get("status") or diagnostic)),
        smtp_code=find_reply_code(diagnostic),
        diagnostic=more.pop("diagnostic", "") or diagnostic,
        reporting_mta=fields.untyped(str(section.get("reportingMTA") or "")) or None,
        remote_mta=str(section["remoteMtaIp"]) if section.get("remoteMtaIp") else None,
        original_message_id=str(message_id) if message_id else None,
        occurred_at=_moment(section.get("timestamp")),
        **more,
    )


def _made(events: list[Event | None]) -> list[Event]:
    return [event for event in events if event is not None]


def _bounces(notice: Json) -> list[Event]:
    section = _section(notice, "bounce")
    kinds = f"{section.get('bounceType', '')} {section.get('bounceSubType', '')}".strip()
    made: list[Event | None] = []
    for item in _listed(section, "bouncedRecipients"):
        type_ = EventType.DELAY if str(item.get("action", "")).lower() == "delayed" else EventType.BOUNCE
        told = "" if item.get("diagnosticCode") else kinds
        made.append(_event(notice, section, type_, item, diagnostic=told))
    return _made(made)


def _complaints(notice: Json) -> list[Event]:
    section = _section(notice, "complaint")
    feedback = str(section.get("complaintFeedbackType") or "abuse").lower()
    type_ = _FEEDBACK.get(feedback, EventType.COMPLAINT)
    items = _listed(section, "complainedRecipients")
    return _made([_event(notice, section, type_, item, feedback_type=feedback) for item in items])


def _deliveries(notice: Json) -> list[Event]:
    section = _section(notice, "delivery")
    return _made([_event(notice, section, EventType.DELIVERY, item) for item in _listed(section, "recipients")])


def _delays(notice: Json) -> list[Event]:
    section = _section(notice, "deliveryDelay")
    return _made([_event(notice, section, EventType.DELAY, item) for item in _listed(section, "delayedRecipients")])


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
