"""Answers that no person wrote: out of office, challenge-response, "address changed" (RFC 3834), and read receipts (RFC 8098)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bounceproc.event import Event, EventType, Kind
from bounceproc.rare import Rare
from bounceproc.reports import fields
from bounceproc.reports.report import Report
from bounceproc.reports.sought import Sought

if TYPE_CHECKING:
    from bounceproc.reports.fields import Block
    from bounceproc.reports.mail import Mail
    from bounceproc.reports.mime import Part

_MARKED: Final = (
    *(b"x-autoreply", b"x-autorespond", b"x-autoresponder", b"x-autoreply-from", b"x-mail-autoreply", b"x-autoreplied"),
    *(
        b"x-vacation",
        b"x-amazon-auto-reply",
        b"x-ms-exchange-generated-message-source",
        b"x-auto-reply",
        b"x-tmda-fingerprint",
        b"x-fc-machinegenerated",
    ),
)
"""Headers that only answering machines write. X-Auto-Response-Suppress is none: it asks others not to answer."""

_RECEIPT_TYPES: Final = frozenset({"message/disposition-notification", "message/global-disposition-notification"})
_REFUSED: Final = Rare(
    r"automatic-action[ \t]*/[ \t]*mdn-sent-automatically[ \t]*;[ \t]*deleted(?:[ \t]*/.{0,200})?", re.IGNORECASE
)

_PRECEDENCE: Final = frozenset({"auto_reply", "auto-reply", "autoreply"})

_SUBJECT: Final = Sought(
    "office,ooo,auto,away,vacation,leave,holiday,i am ,absen,abwesen,afwezig,niet ,nicht ,urlaub,bureau,fuera de,fuori ,fora d,"
    "ausente,vacaciones,assen,in ferie,poissaolo,poza biurem,nieobecno,otomatik",
    r"(?:(?:re|aw|antw?|sv|vs|rv|rif|odp)[ \t]*:[ \t]*)*\W{0,3}(?:"
    r"out of (?:the )?office|ooo\b|automatic[ -]?(?:reply|response|answer)|auto[ -]?(?:matic )?(?:reply|response|responder|respons|reply)\b|auto:|"
    r"(?:i am |i'm )?(?:away|on (?:vacation|leave|holiday))\b|vacation\b|away from (?:my|the)|i am (?:currently )?(?:out|away)|absence\b|"
    r"abwesen|automatische (?:antwort|rückantwort|reactie)|automatisch antwoord|afwezig|niet (?:op kantoor|aanwezig)|"
    r"nicht im (?:büro|haus)|(?:ich bin )?(?:im |in )?urlaub\b|außer haus\b|"
    r"réponse automatique|message d.absence|absente? du bureau|hors du bureau|"
    r"respuesta autom|autor?respuesta|fuera de (?:la )?oficina|contestación autom|"
    r"risposta automatica|fuori (?:sede|ufficio)|resposta autom|ausência|fora d[oe] escritório|"
    r"(?:en congés?|ausente|de vacaciones|assente|assenza|in ferie|de férias)[ \t]*(?::|$|jusqu|hasta\b|fino\b|até\b)|automatiskt? svar|autosvar|frånvar|fraværende|"
    r"automaattinen vastaus|poissaolo|automatyczna odpowied|odpowiedź automatyczna|autoodpowiedź|poza biurem|nieobecno|"
    r"automatická odpověď|automatikus válasz|răspuns automat|"
    r"automatiska atbilde|automatinis atsakymas|otomatik yan\u0131t|αυτόματη απάντηση|авто(?:матический )?ответ|нет на работе|вне офиса|отсутств|в отпуске[ \t]*(?::|$|до\b)|"
    r"自動(?:応答|返信)|不在(?:通知|のお知らせ|中)|休暇(?:中|のお知らせ)|自动(?:回复|答复)|自動(?:回覆|回复)|(?:我)?不在办公室|外出(?:中|通知)|休假(?:中|通知)|자동 ?(?:회신|응답)|부재중"
    r")"
    r"|.{0,200}(?:\((?:automatic|auto)[ -]?(?:response|reply)\)|out of (?:the )?office|automati(?:c|ska|sche) (?:reply|response|atbilde|antwort))",
)


def read(mail: Mail) -> Report | None:
    """An answering machine's mail. Comes after every reader of bounces: those say `auto-replied` of themselves, too."""
    if not _is_automatic(mail) and not _SUBJECT.match(mail.subject[:300]):
        return None
    if mail.sender_address is None or b"list-id" in mail.headers or b"list-post" in mail.headers:
        return None
    event = Event(
        type=EventType.AUTO_REPLY,
        recipient=mail.sender_address,
        diagnostic=fields.squeezed(mail.human[:600]),
        original_message_id=_answered(mail),
        occurred_at=mail.date,
    )
    return _built(mail, Kind.AUTO_REPLY, "rfc3834", (event,))


def read_receipt(mail: Mail) -> Report | None:
    """A message disposition notification: somebody's mail program, or the lack of one, speaks; nothing failed.

    But for one: a Sieve filter that refuses a mail after its delivery says so by a notification that it was deleted.
    """
    if mail.root.type != "multipart/report":
        return None
    part = next((part for part in mail.leaves if part.type in _RECEIPT_TYPES), None)
    if part is None:
        return None
    refusal = _refusal(mail, part)
    if refusal is not None:
        return _built(mail, Kind.DSN, "rfc5429", (refusal,))
    return _built(mail, Kind.MDN, "rfc8098", ())


def _refusal(mail: Mail, part: Part) -> Event | None:
    """RFC 5429 2.1.1: deleted, by no person's action and with no person asked. Dovecot and Cyrus refuse in this way."""
    block: Block = {}
    for each in fields.blocks(part.text()):
        block |= each
    if _REFUSED.fullmatch(block.get("disposition", "")) is None:
        return None
    final = fields.address(block.get("final-recipient", ""))
    recipient = fields.address(block.get("original-recipient", "")) or final
    if recipient is None or mail.sender_address in (recipient, final):
        return None  # Outlook writes the same of mail deleted unread, in the person's own name
    return Event(
        type=EventType.BOUNCE,
        recipient=recipient,
        final_recipient=final or recipient,
        diagnostic=fields.squeezed(mail.human[:600]),
        original_message_id=block.get("original-message-id") or None,
        occurred_at=mail.date,
    )


def _is_automatic(mail: Mail) -> bool:
    """RFC 3834 5 (Auto-Submitted), and what was in use before it."""
    headers = mail.headers
    submitted = headers.get(b"auto-submitted").lower()
    if submitted.startswith(("auto-replied", "auto-reply", "vacation")):
        return True
    if any(name in headers for name in _MARKED) or headers.get(b"x-autogenerated").lower() == "reply":
        return True
    if {headers.get(name).lower() for name in (b"precedence", b"x-precedence", b"preference")} & _PRECEDENCE:
        return True
    if (
        "autoresponder" in headers.get(b"x-post-messageclass").lower()
        or headers.get(b"delivered-to").lower() == "autoresponder"
    ):
        return True
    # An empty return path on an answer to somebody: a notification (RFC 5321 4.5.5) that reports no failure.
    return mail.has_null_sender and b"in-reply-to" in headers and not mail.is_from_mail_system


def _answered(mail: Mail) -> str | None:
    value = mail.headers.get(b"in-reply-to")
    return value.split(None, 1)[0] if value.startswith("<") else None


def _built(mail: Mail, kind: Kind, detector: str, events: tuple[Event, ...]) -> Report:
    return Report(kind=kind, detector=detector, events=events, message_id=mail.message_id, headers=mail.headers)
