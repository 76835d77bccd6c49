"""Feedback reports: RFC 5965 and RFC 6591, CFBL (RFC 9477), and what is neither: Microsoft's JMRP, SpamCop, abuse desks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from bounceproc.errors import MalformedReportError
from bounceproc.event import Event, EventType, Kind
from bounceproc.rare import Rare
from bounceproc.reports import fields, returnpath
from bounceproc.reports.original import Original, addresses
from bounceproc.reports.report import Report
from bounceproc.reports.sought import Sought

if TYPE_CHECKING:
    from bounceproc.address import Address
    from bounceproc.reports.fields import Block
    from bounceproc.reports.mail import Mail
    from bounceproc.reports.mime import Part

_TYPES: Final = {
    **dict.fromkeys(("opt-out", "opt-out-list", "unsubscribe"), EventType.UNSUBSCRIBE),
    **dict.fromkeys(("auth-failure", "dmarc", "dkim-failure", "spf-failure"), EventType.AUTH_FAILURE),
    "not-spam": EventType.NOT_SPAM,
}
"""Feedback-Type of RFC 5965 7.3, RFC 6430, RFC 6591; abuse, fraud, virus, other and what nobody knows are complaints."""

_REDACTED: Final = Rare(r"redacted|undisclosed|removed|hidden|anonym|[x*]{4,}|no-?reply", re.IGNORECASE)
_FEEDBACK_LINE: Final = Rare(r"^Feedback-Type[ \t]*:", re.IGNORECASE | re.MULTILINE)
_JMRP_SUBJECT: Final = Sought("complaint about message from", r"complaint about message from")
_JMRP_SENDER: Final = Rare(r"@(?:[\w-]+\.)*(?:hotmail|outlook|live|msn|microsoft)\.com\b", re.IGNORECASE)
_DESK: Final = Rare(
    r"(?:(?:abuse|fbl|feedback(?:[-_.]?loop)?|complaints?|spam[-_.]?(?:reports?|complaints?))(?:[-_.+][^@]*)?@.+|.+@reports\.spamcop\.net)",
    re.IGNORECASE,
)
_DESK_SUBJECT: Final = Sought(
    "spam,abuse,complaint,feedback,plainte",
    r"\[SpamCop \(|\b(?:spam|abuse|complaint|feedback)[ -](?:complaint|report)\b|\bfeedback loop\b|"
    r"spam-?(?:beschwerde|meldung)|plainte|(?:queja|denuncia|reclama[cç]\w+|segnalazione)\b.{0,20}spam|spam[ -]?klacht|zgłoszenie spamu|"
    r"жалоба на спам|迷惑メール|垃圾邮件(?:投诉|举报)",
)
_DMARC_SUBJECT: Final = Sought("dmarc", r"\bDMARC (?:forensic|failure) report\b|\bDMARC\b.{0,60}\bfailure report")
_HOST: Final = Rare(r"(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}", re.IGNORECASE)
"""A domain as people have it: what stands behind an equals sign in a Message-ID is in most cases only noise."""
_GIVEN: Final = Rare(r"[?&][\w.%-]{1,60}=([^&<>\s]{3,400})")
"""What a link or a mailto gives with it, in percent encoding."""
_UNSUBSCRIBE_TO: Final = Rare(r"<mailto:([^>?]{1,400})", re.IGNORECASE)

_RECIPIENT_HEADERS: Final = (
    *(b"x-hmxmroriginalrecipient", b"x-original-to", b"x-envelope-to", b"envelope-to", b"delivered-to", b"x-rcpt-to"),
    *(b"x-recipient", b"x-failed-recipients", b"x-apparently-to", b"x-rcpt-address", b"x-mailer-recipient"),
)
"""Headers in which senders and providers write who the mail was for."""

MAX_RECIPIENTS: Final = 100
"""Original-Rcpt-To of one report that are read; RFC 5965 3.2 allows several."""


def read(mail: Mail) -> Report | None:
    """A report with a feedback-report part, or one of the forms that lack it."""
    if not mail.root.is_multipart:
        return _jmrp(mail) if mail.root.type == "message/rfc822" else _desk(mail)
    content_type = mail.root.content_type.lower() if mail.root.report else ""
    if "delivery-status" in content_type:
        return None
    part = _feedback_part(mail, is_feedback="feedback-report" in content_type)
    if part is not None:
        return _report(mail, fields.blocks(part.text()))
    return _jmrp(mail) or _dmarc_failure(mail) or _desk(mail)


def _feedback_part(mail: Mail, *, is_feedback: bool) -> Part | None:
    for part in mail.leaves:
        if part.type == "message/feedback-report":
            return part if part.report or is_feedback or not mail.is_answer else None
        if is_feedback and part.type == "text/plain" and _FEEDBACK_LINE.search(part.text(2000)):
            return part
    return None


def _report(mail: Mail, found: list[Block]) -> Report:
    block: Block = {}
    for each in found:
        block = {**each, **block}
    feedback_type = block.get("feedback-type", "").split("\n")[0].strip().lower() or "abuse"
    kind = _TYPES.get(feedback_type, EventType.COMPLAINT)
    named = [] if kind is EventType.AUTH_FAILURE else _named(block)
    written = [address for address in named if not _REDACTED.search(address.text)]
    derived: str | None = None
    recipients: list[Address | None] = [*written]
    if not recipients and kind is not EventType.AUTH_FAILURE:
        recovered, derived = _recovered(mail, block)
        recipients = [recovered]
    elif not recipients:
        recipients = [None]
    if "feedback-type" not in block and recipients == [None]:
        # RFC 5965 3.1 demands the type; Microsoft leaves it out and names the reader instead. Neither is a cut message.
        raise MalformedReportError(
            "a feedback report says neither its type nor who complained", "Look at the message: it may be cut off."
        )
    redacted = _theirs(mail, named)
    arrival = fields.date(block.get("received-date") or block.get("arrival-date") or "")
    events = tuple(
        Event(
            type=kind,
            recipient=recipient,
            final_recipient=recipient or redacted,
            feedback_type=feedback_type,
            diagnostic=fields.squeezed(mail.human[:600]),
            remote_mta=fields.untyped(block.get("reporting-mta", "")) or None,
            reporting_mta=fields.untyped(block.get("reporting-mta", "")) or None,
            original_message_id=mail.original.message_id if mail.original else None,
            envelope_id=block.get("original-envelope-id") or None,
            derived=derived if recipient is not None else None,
            occurred_at=mail.date or arrival,
        )
        for recipient in recipients
    )
    return _built(mail, "rfc5965", events, block)


def _named(block: Block) -> list[Address]:
    values = [*block.get("original-rcpt-to", "").split("\n"), *block.get("removal-recipient", "").split("\n")]
    unique: dict[str, Address] = {}
    for value in values[:MAX_RECIPIENTS]:
        if (address := fields.address(value)) is not None:
            unique.setdefault(address.normal, address)
        if "," in value:  # RFC 5965 3.2 wants a field for each recipient; some write a list
            for each in addresses(value):
                unique.setdefault(each.normal, each)
    return list(unique.values())[:MAX_RECIPIENTS]


def _recovered(mail: Mail, block: Block) -> tuple[Address | None, str | None]:
    """The recipient of a report that hides it, and where it was found: in falling order of authority."""
    original = mail.original
    path = block.get("original-mail-from", "")
    if found := returnpath.recipient(fields.untyped(path)):
        return found, "return-path"
    if original is None:
        return None, None
    for name in _RECIPIENT_HEADERS:
        if name in original.headers and (address := _open(fields.address(original.headers.get(name)))):
            return address, "x-header"
    if found := returnpath.recipient(original.headers.get(b"return-path")):
        return found, "return-path"
    if found := _in_list_unsubscribe(mail, original):
        return found, "list-unsubscribe"
    if found := _in_message_id(mail, original):
        return found, "message-id"
    to = [address for address in original.recipients if _open(address)]
    return (to[0], "to") if len(to) == 1 else (None, None)


def _open(address: Address | None) -> Address | None:
    return address if address is not None and not _REDACTED.search(address.text) else None


def _in_list_unsubscribe(mail: Mail, original: Original) -> Address | None:
    """A recipient in the mailto like in a return path, or whole in the subject that it asks for or in the query of a link."""
    value = original.headers.get(b"list-unsubscribe")
    mailto = _UNSUBSCRIBE_TO.search(value)
    if mailto and (found := returnpath.recipient(unquote(mailto[1]))):
        return found
    sender = fields.address(original.headers.get(b"from"))
    for word in (word for given in _GIVEN.findall(value) for word in unquote(given).split() if "@" in word):
        found = _fitting(mail, fields.address(word))
        if found is not None and (sender is None or sender.domain.lower() != found.domain.lower()):
            return found
    return None


def _in_message_id(mail: Mail, original: Original) -> Address | None:
    """A recipient written into our Message-ID like into a return path."""
    return _fitting(mail, returnpath.recipient(original.message_id or ""))


def _fitting(mail: Mail, found: Address | None) -> Address | None:
    """An address that may be no recipient at all, where the one that is blotted out leaves room for it."""
    theirs = _theirs(mail, [])
    if found is None or not _HOST.fullmatch(found.domain):
        return None
    return found if theirs is None or theirs.domain.lower() == found.domain.lower() else None


def _theirs(mail: Mail, named: list[Address]) -> Address | None:
    """The address as the provider blotted it out: it tells at least whose user complains."""
    if named:
        return named[0]
    if mail.original is not None:
        to = addresses(mail.original.headers.get(b"to"))
        return to[0] if to else None
    return None


def _jmrp(mail: Mail) -> Report | None:
    """Microsoft's Junk Mail Reporting Program attaches the mail, or is the mail inside its own header, and says nothing else."""
    if not _JMRP_SUBJECT.search(mail.subject):
        return None
    original = mail.original
    if original is None or not (b"x-hmxmroriginalrecipient" in original.headers or _JMRP_SENDER.search(mail.sender)):
        return None
    recipient = _open(fields.address(original.headers.get(b"x-hmxmroriginalrecipient")))
    return _fieldless(mail, "jmrp", original, recipient)


def _desk(mail: Mail) -> Report | None:
    """A complaint that an abuse desk passes on in prose, with the mail or its header attached or quoted."""
    if not _DESK_SUBJECT.search(mail.subject[:300]) or mail.is_answer:
        return None
    if mail.sender_address is None or not _DESK.fullmatch(mail.sender_address.text) or mail.original is None:
        return None
    return _fieldless(mail, "abuse-desk", mail.original, None)


def _fieldless(mail: Mail, detector: str, original: Original, recipient: Address | None) -> Report:
    """A complaint that has nothing but the mail that it is about."""
    derived: str | None = None
    if recipient is None:
        recipient, derived = _recovered(mail, {})
    event = Event(
        type=EventType.COMPLAINT,
        recipient=recipient,
        final_recipient=recipient or _theirs(mail, []),
        feedback_type="abuse",
        diagnostic=fields.squeezed(mail.subject),
        original_message_id=original.message_id,
        derived=derived,
        occurred_at=mail.date,
    )
    return _built(mail, detector, (event,), {})


def _dmarc_failure(mail: Mail) -> Report | None:
    """A DMARC failure report without its feedback part, as Exim writes it: for the operator, about nobody."""
    if not _DMARC_SUBJECT.search(mail.subject) or mail.is_answer:
        return None
    event = Event(
        type=EventType.AUTH_FAILURE,
        recipient=None,
        feedback_type="auth-failure",
        diagnostic=fields.squeezed(mail.human[:600]),
        occurred_at=mail.date,
    )
    return _built(mail, "dmarc-failure", (event,), {})


def _built(mail: Mail, detector: str, events: tuple[Event, ...], extensions: Block) -> Report:
    return Report(
        kind=Kind.ARF,
        detector=detector,
        events=events,
        message_id=mail.message_id,
        reporting_mta=events[0].reporting_mta if events else None,
        extensions=extensions,
        headers=mail.headers,
        original=mail.original,
    )
