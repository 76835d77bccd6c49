"""A mail whose one purpose is to leave: what the mailto of List-Unsubscribe (RFC 2369 3.2) makes mail programs send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bounceproc.event import Event, EventType, Kind
from bounceproc.rare import Rare
from bounceproc.reports import fields
from bounceproc.reports.original import addresses
from bounceproc.reports.report import Report
from bounceproc.reports.sought import Sought

if TYPE_CHECKING:
    from bounceproc.reports.mail import Mail

_WORDS: Final = (
    r"(?:unsubscribe|un-subscribe|unsub|signoff|leave|opt[ -]?out|remove(?: me)?|please (?:unsubscribe|remove)(?: me)?|stop|"
    r"abmelden|abbestellen|austragen|désabonne\w*|désinscri\w*|desinscribir\w*|cancelar (?:la )?suscripci[oó]n|(?:dar(?:me)? de )?baja|"
    r"cancellami|disiscrivi\w*|uitschrijven|afmelden|avsluta|avregistrera|cancelar inscri[cç][aã]o|отписаться|配信停止|退订|退訂)"
)
_ASKED: Final = (
    "unsub,un-sub,signoff,leave,opt,remove,stop,abmelden,abbestellen,austragen,desinscribir,cancelar,baja,cancellami,disiscrivi,"
    "uitschrijven,afmelden,avsluta,avregistrera"
)
_SUBJECT: Final = Sought(_ASKED, rf"{_WORDS}(?:[ \t:,-]+(?:me\b|from\b.{{0,80}}|[\w.+/=:|-]{{1,200}}))?[ \t.!]*")
_BARE: Final = Sought(_ASKED, rf"{_WORDS}(?: me)?[ \t.!]*")
_LOCAL: Final = Rare(
    r"(?:.*[-+._=])?(?:unsubscribe|unsub|opt-?out|leave|signoff|abmelden|desabonnement|baja)(?:[-+._=].*)?"
)

MAX_BODY: Final = 400
"""Characters beyond which a body is a letter. Mail programs write a sentence, people who leave not much more."""


def read(mail: Mail) -> Report | None:
    """The wish of the person in From. Ordinary mail that mentions the word is left alone."""
    if mail.is_answer or b"list-id" in mail.headers or mail.is_from_mail_system or mail.sender_address is None:
        return None
    if not _asks(mail):
        return None
    event = Event(
        type=EventType.UNSUBSCRIBE,
        recipient=mail.sender_address,
        feedback_type="opt-out",
        diagnostic=fields.squeezed(mail.subject),
        occurred_at=mail.date,
    )
    return Report(
        kind=Kind.UNSUBSCRIBE,
        detector="unsubscribe",
        events=(event,),
        message_id=mail.message_id,
        headers=mail.headers,
    )


def _asks(mail: Mail) -> bool:
    subject = mail.subject.strip()
    names_address = _to_unsubscribe(mail)
    if _BARE.fullmatch(subject) or (names_address and _SUBJECT.fullmatch(subject)):
        return len(_body(mail)) <= MAX_BODY or names_address
    if subject and not names_address:
        return False
    body = _body(mail)
    if _BARE.fullmatch(body):
        return True
    return names_address and not body and not subject


def _to_unsubscribe(mail: Mail) -> bool:
    """Whether it was sent to an address that is there for leaving."""
    written = [*addresses(mail.headers.get(b"to")), *addresses(mail.headers.get(b"delivered-to"))]
    return any(_LOCAL.fullmatch(address.local) for address in written)


def _body(mail: Mail) -> str:
    text = mail.human.strip()
    return text.partition("\n-- \n")[0].strip()
