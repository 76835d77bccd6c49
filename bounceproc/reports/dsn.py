"""Delivery status notifications: the fields of RFC 3464 and RFC 6533, wherever and however a mail system wrote them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from bounceproc.errors import MalformedReportError
from bounceproc.event import Event, EventType, Kind, happened
from bounceproc.rare import Rare
from bounceproc.reports import delay, fields, prose, returnpath
from bounceproc.reports.original import cut_at
from bounceproc.reports.report import Report, reported
from bounceproc.status import EnhancedStatus, find_reply_code

if TYPE_CHECKING:
    from bounceproc.address import Address
    from bounceproc.reports.fields import Block
    from bounceproc.reports.mail import Mail
    from bounceproc.reports.mime import Part

STATUS_TYPES: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})

MAX_REPORT: Final = 4 * 1024 * 1024
"""Octets of a delivery-status part that are read: some ten thousand recipients."""

MAX_MTA: Final = 1000
"""Characters of an mta-name that are looked at: a host name has 255."""

MAX_STATUS: Final = 200
"""Characters of a Status or an Action that are looked at: a code or a word, and perhaps a comment."""

MAX_GENERIC: Final = 80
"""Characters of a diagnostic from which on it is taken to say something."""

MAX_STAGE: Final = 500
"""Characters between where Exim says what a reply was given to, and the reply."""

MAX_BREAK: Final = 40
"""Octets of a line's end and the next line's indent that may stand between two words."""

MAX_STAGED: Final = 16 * 1024
"""Octets of a message in which the notice is looked for that says which command a reply was given to."""

_ACTIONS: Final = {
    **dict.fromkeys(("failed", "failure", "fail", "error", "bounced", "rejected", "undeliverable"), EventType.BOUNCE),
    **dict.fromkeys(("delayed", "delay", "deferred", "warning", "queued"), EventType.DELAY),
    **dict.fromkeys(("delivered", "relayed", "expanded", "deliverable", "success"), EventType.DELIVERY),
}
"""RFC 3464 2.3.3 knows five; OpenSMTPD writes `error`, others whatever they like."""

_PER_RECIPIENT: Final = ("action", "status", "diagnostic-code")
_FIELD_LINE: Final = Rare(
    r"^[ \t]{0,8}(?:final-recipient|original-recipient|action|status|diagnostic-code)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_WORD: Final = Rare(r"[a-z]+")
_GENERIC: Final = re.compile(
    r"221[ -].*|(?=((?:[245]\d\d[ -]?)?(?:[245]\.\d{1,3}\.\d{1,3}[ :-]*)?))\1(?:\(?(?:unknown|other|undefined)?[ ]?(?:mail system|status|error|failure)?\)?|"
    r"service unavailable|(?:(?:message|mail) )?(?:was )?(?:rejected|refused|denied)|delivery (?:failed|error)|failed|permanent (?:failure|error)|"
    r"unable to deliver|recipient (?:address )?rejected|transaction failed|requested action not taken|-?\d{1,5}|"
    r"status|temporary failure|user or domain|this message|error)[.:;]?"
)
"""Diagnostics, in lower case, that say no more than that it failed: what the notice tells people is then the better text.
The codes before the words are taken once, so that words that are others are seen to be that at their first letter. sendmail
quotes the answer to its own QUIT (221) of a delivery that it gave up.
"""
_GENERIC_ENDS: Final = (
    *("unknown", "other", "undefined", "system", "status", "error", "failure", "unavailable", "rejected", "refused"),
    *("denied", "failed", "deliver", "taken", "domain", "message", *"0123456789", *" -()"),
)
"""How each of them that is ASCII and no answer to a QUIT ends, its last full stop and colons aside: sooner seen than all of it."""
_CUT: Final = re.compile(r"([45]\d\d)-(?!.*\b\1 )")
"""A reply of which more lines follow. sendmail's Diagnostic-Code has the first one alone, its transcript all of them."""
_TO_QUIT: Final = "221 "
"""How the answer to QUIT begins, which sendmail 8.17 quotes where it kept the code of a reply of several lines and lost its words."""
_LOCAL: Final = "x-unix"
"""The type of a diagnostic that is what a local program printed, or the number it ended with: the notice says what that means."""
_DIED: Final = "ommand died with"
"""In what Postfix says of an exit status that has no meaning of its own: what the program printed says more."""
_TOLD_BY_POSTFIX: Final = "command)"
"""What Postfix writes behind the command that a reply was given to; it breaks lines at every space."""
_TOLD_BY_EXIM: Final = "er after "
"""What Exim writes before it."""
_TO_RCPT: Final = "RCPT TO"
"""The command that nearly all replies are given to, and that says nothing new."""
_COMMANDS: Final = {
    **{name.lower(): name for name in ("MAIL FROM", "HELO", "EHLO", "DATA")},
    "end of data": "end of DATA",
}
_IN_REPLY: Final = re.compile(rf" \(in reply to ({'|'.join(_COMMANDS)}) command\)")
"""How Postfix says, to people alone, what a reply was given to: `550 User unknown (in reply to MAIL FROM command)`."""
_AFTER: Final = re.compile(
    rf"smtp error from remote mail(?: server|er) after (?:pipelined )?({'|'.join(_COMMANDS)})\b[^\n]{{0,400}}: "
)
"""How Exim says it before the reply; its Diagnostic-Code begins behind that."""
_GAVE_UP: Final = "retry timeout exceeded"
"""What Exim puts behind a reply that it waited on: one for another day, which says nothing for good of anybody."""
_ONE_REPLY_FOR_ALL: Final = "this is the nullmailer delivery system"
"""Who gives up on all recipients of a message when one is refused, and says of each what that one was told."""


def read(mail: Mail) -> Report | None:
    """A notification with a delivery-status part.

    Raises:
        MalformedReportError: it has one, and neither it nor the text names anybody.

    """
    if not mail.root.is_multipart and mail.root.type not in STATUS_TYPES:
        return None
    part = _status_part(mail)
    if part is None or (not mail.is_notice and (mail.is_answer or not part.report)):
        return None  # somebody forwards a report, its parts attached
    return told(mail, _fields_of(part), "rfc6533" if "global" in part.type else "rfc3464")


def _fields_of(part: Part) -> str:
    """The text of a part of fields: some forget the blank line that ends the header of the part."""
    text = part.text(MAX_REPORT)
    if b"final-recipient" not in part.headers and b"original-recipient" not in part.headers:
        return text
    return f"{part.headers.block.decode('utf-8', 'replace').lstrip()}\n{text}"


def told(mail: Mail, text: str, detector: str) -> Report:
    """What a notification says whose part of fields is this text, or where that names nobody, its other parts.

    Raises:
        MalformedReportError: neither the fields nor the text name anybody.

    """
    found = report(mail, text, detector)
    if found.events:
        return found
    return prose.read(mail) or _unnamed(mail, found)


def read_loose(mail: Mail) -> Report | None:
    """A notice that has the fields of RFC 3464 somewhere in its text, or in a whole notification wrapped into its text."""
    if not mail.is_notice:
        return None
    text = mail.texts if mail.root.is_multipart else mail.human
    if "final-recipient" not in text.lower():
        return None
    for candidate in (mail.notice,) if mail.is_answer else (text[: cut_at(text)], text):
        if len(_FIELD_LINE.findall(candidate)) > 1:  # one field alone may be a sentence
            found = report(mail, "\n".join(_unindented(candidate)), "rfc3464-text")
            if found.events:
                return found
    return None


def read_nested(mail: Mail) -> Report | None:
    """A notification that a gateway wrapped into a notice of its own which names nobody, or Mailman into one to a list's owner."""
    if not (mail.wraps_returned_mail or b"x-list-administrivia" in mail.headers) or not mail.root.is_multipart:
        return None
    for part in mail.leaves:
        if part.type == "message/rfc822":
            inner = mail.inside(part)
            if inner.root.report and (status := _status_part(inner)) is not None:
                found = report(inner, status.text(MAX_REPORT), "rfc3464-nested")
                return found._replace(message_id=mail.message_id, headers=mail.headers) if found.events else None
    return None


def _unindented(text: str) -> list[str]:
    """The lines of a text, those with fields from their beginning: an indented field is no continuation."""
    return [line.strip() if _FIELD_LINE.match(line) else line for line in text.split("\n")]


def _status_part(mail: Mail) -> Part | None:
    """The part with the fields. Some gateways type it text/plain, some lose the type."""
    for part in mail.leaves:
        if part.type in STATUS_TYPES:
            return part
    for part in mail.leaves:
        if part.report and part.type in ("text/plain", "application/octet-stream", "message/report"):
            head = part.octets(2000).decode("latin-1")
            if len(_FIELD_LINE.findall(head)) > 1:
                return part
    return None


def grouped(text: str) -> tuple[Block, list[Block]]:
    """The per-message fields (RFC 3464 2.2) and the groups of per-recipient fields (2.3).

    Some systems write no blank line between the two, some a blank line in the middle of a group.
    """
    message: Block = {}
    groups: list[Block] = []
    for block in fields.blocks(text):
        if "final-recipient" in block or "original-recipient" in block or "x-actual-recipient" in block:
            groups.append(block)
        elif groups and _goes_on(groups[-1], block):
            groups[-1].update({name: value for name, value in block.items() if name not in groups[-1]})
        elif not groups:
            message.update(block)
    return message, groups


def _goes_on(group: Block, block: Block) -> bool:
    """Whether fields that name nobody belong to the group before them: it has no action yet, or lacks what they have."""
    own = [name for name in _PER_RECIPIENT if name in block]
    return own != [] and ("action" not in group or not any(name in group for name in own))


def _picked(block: Block, names: tuple[str, ...]) -> Block:
    return {name: block[name] for name in names if name in block}


def report(mail: Mail, text: str, detector: str) -> Report:
    """What the fields say, read from the text of their part."""
    message, groups = grouped(text)
    if groups and "action" not in groups[0] and "status" not in groups[0] and len(groups) == 1:
        groups[0] = {**_picked(message, _PER_RECIPIENT), **groups[0]}
    reporting_mta = _mta(message.get("reporting-mta") or (groups[0].get("reporting-mta", "") if groups else ""))
    envelope_id = message.get("original-envelope-id")
    reader = _Reader(mail, reporting_mta, fields.untyped(envelope_id) or None if envelope_id else None)
    return reported(
        kind=Kind.DSN,
        detector=detector,
        events=_not_told(mail, _each_once([reader.event(group) for group in groups])),
        message_id=mail.message_id,
        reporting_mta=reporting_mta,
        extensions={name: value for name, value in message.items() if name[:2] == "x-"},
        headers=mail.headers,
        original=mail.original,
    )


def _each_once(events: list[Event | None]) -> tuple[Event, ...]:
    """The events that could be read; what a report says twice of one address is said once."""
    if len(events) == 1:
        return (events[0],) if events[0] is not None else ()
    unique: dict[tuple[str, EventType], Event] = {}
    for event in events:
        if event is not None and event.recipient is not None:
            unique.setdefault((event.recipient.normal, event.type), event)
    return tuple(unique.values())


def _not_told(mail: Mail, events: tuple[Event, ...]) -> tuple[Event, ...]:
    """Events that tell apart who was refused from those who went down with them."""
    if len(events) < 2 or not mail.squeezed.startswith(_ONE_REPLY_FOR_ALL):
        return events
    return tuple(
        event
        if _names_its_own(event)
        else event._replace(diagnostic=fields.squeezed(f"one of {len(events)} recipients was told: {event.diagnostic}"))
        for event in events
    )


def _names_its_own(event: Event) -> bool:
    """Whether the reason names the recipient whom it is said of."""
    return event.recipient is not None and event.recipient.text.lower() in event.diagnostic.lower()


class _Reader:
    """What all recipients of one notification have in common."""

    def __init__(self, mail: Mail, reporting_mta: str | None, envelope_id: str | None) -> None:
        self.mail = mail
        self.reporting_mta = reporting_mta
        self.envelope_id = envelope_id
        self._reasons: prose.Reasons | None = None
        self._commands: bool | None = None
        original = mail.original
        self.original_message_id = original.message_id if original is not None else None

    def event(self, group: Block) -> Event | None:
        """The event of one group; None where its address cannot be read."""
        recipient, final = _recipients(group)
        if recipient is None:
            return None
        field = group.get("diagnostic-code", "")
        diagnostic = fields.squeezed(fields.untyped(field)) if field else ""
        status = _status(group.get("status", ""))
        if not diagnostic or _is_generic(diagnostic):
            told = self._told(recipient, final, diagnostic)
            if not (
                diagnostic.startswith(_TO_QUIT) and status is not None and _is_telling(status) and not _quotes(told)
            ):
                diagnostic = told
        elif field[:6].lower() == _LOCAL:
            told = self._told(recipient, final, diagnostic)
            diagnostic = diagnostic if _DIED in told else told
        elif diagnostic[3:4] == "-" and _CUT.match(diagnostic):
            diagnostic = self._whole(recipient, final, diagnostic)
        elif not diagnostic.endswith(_GAVE_UP) and self._names_commands():
            diagnostic = self._staged(recipient, final, diagnostic)
        if status is None or (status.subject == 0 and status.detail == 0):
            status = _preferred(EnhancedStatus.find(diagnostic), status)
        action = _action(group.get("action", ""))
        occurred = group.get("last-attempt-date")
        return happened(
            type=self._type(action, status),
            recipient=recipient,
            final_recipient=final,
            action=action,
            status=status,
            smtp_code=find_reply_code(diagnostic),
            diagnostic=diagnostic,
            remote_mta=_mta(group.get("remote-mta", "")),
            reporting_mta=self.reporting_mta,
            original_message_id=self.original_message_id,
            envelope_id=self.envelope_id,
            occurred_at=(fields.date(occurred) if occurred else None) or self.mail.date,
        )

    def _type(self, action: str | None, status: EnhancedStatus | None) -> EventType:
        """The action decides, without one the status.

        A notice that says that it only warns is a delay whatever its action, unless its status is final, too.
        """
        known = _ACTIONS.get(action) if action else None
        if known is None:
            known = EventType.DELIVERY if status is not None and status.is_success else EventType.BOUNCE
        if known is not EventType.BOUNCE:
            return known
        is_final = action == "failed" and status is not None and status.class_ == 5
        warns = delay.says_so_in_subject(self.mail) if is_final else delay.is_warning(self.mail)
        return EventType.DELAY if warns else known

    def _whole(self, recipient: Address, final: Address | None, diagnostic: str) -> str:
        """A reply with the lines that the fields leave out, where the notice quotes them."""
        if diagnostic.lower() not in self.mail.squeezed:
            return diagnostic
        if self._reasons is None:
            self._reasons = prose.Reasons(self.mail)
        if quoted := self._reasons.reply(diagnostic):
            return quoted
        _, begin, rest = self._reasons.of(recipient, final).partition(diagnostic)
        return fields.squeezed(begin + rest) or diagnostic

    def _names_commands(self) -> bool:
        """Whether the notice may say that a reply was given to another command than RCPT TO."""
        if self._commands is None:
            begin, end = self.mail.text_at or (0, MAX_STAGED)
            self._commands = _names_another(self.mail.data[begin : min(end, begin + MAX_STAGED)].decode("latin-1"))
        return self._commands

    def _staged(self, recipient: Address, final: Address | None, diagnostic: str) -> str:
        """A reply with the command it was given to, which the notice alone tells: to MAIL FROM a user is unknown who is the sender."""
        text = self.mail.squeezed
        said = diagnostic.lower()
        listed = max(text.find((final or recipient).text.lower()), 0)
        at = text.find(f"{said} (in reply to ", listed)
        if at >= 0:
            stage = _IN_REPLY.match(text, at + len(said))
        else:
            at = text.find(f": {said}", listed) + 2
            begun = text.rfind("smtp error", max(at - MAX_STAGE, 0), at)
            stage = _AFTER.fullmatch(text, begun, at) if begun >= 0 else None
        return f"{diagnostic} (in reply to {_COMMANDS[stage[1]]} command)" if stage else diagnostic

    def _told(self, recipient: Address, final: Address | None, diagnostic: str) -> str:
        """The reason that the notice gives to people, where the fields have no better one."""
        if self._reasons is None:
            self._reasons = prose.Reasons(self.mail)
        said = self._reasons.of(recipient, final)
        if not said or said in diagnostic:
            return diagnostic
        if not diagnostic or diagnostic in said or prose.CODED.search(said):
            return said
        return fields.squeezed(f"{diagnostic} {said}")


def _names_another(text: str) -> bool:
    """Whether a place that says what a reply was given to may name another command than RCPT TO."""
    at = text.find(_TOLD_BY_POSTFIX)
    while at >= 0:
        if not text[max(at - MAX_BREAK, 0) : at].rstrip().endswith(_TO_RCPT[-2:]):
            return True
        at = text.find(_TOLD_BY_POSTFIX, at + 1)
    at = text.find(_TOLD_BY_EXIM)
    while at >= 0:
        at += len(_TOLD_BY_EXIM)
        if text[at : at + len(_TO_RCPT)] != _TO_RCPT:
            return True
        at = text.find(_TOLD_BY_EXIM, at)
    return False


def _is_telling(status: EnhancedStatus) -> bool:
    """Whether a status has a reason of its own, and not that time ran out or the network failed."""
    return status.subject not in (0, 4) and status.detail != 0


def _quotes(told: str) -> bool:
    """Whether what the notice tells people has a reply behind the answer to QUIT."""
    return prose.CODED.search(told.removeprefix(_TO_QUIT)) is not None


def _is_generic(diagnostic: str) -> bool:
    if len(diagnostic) >= MAX_GENERIC or "@" in diagnostic:
        return False
    lowered = diagnostic.lower()
    said = lowered.rstrip(".:;")
    if said and not said.endswith(_GENERIC_ENDS) and not said.startswith("221") and said.isascii():
        return False
    return _GENERIC.fullmatch(lowered) is not None


@lru_cache(maxsize=512)
def _status(value: str) -> EnhancedStatus | None:
    """The code in a Status field. The field has a hundred spellings in all the world, or is made up."""
    return EnhancedStatus.find(value[:MAX_STATUS])


@lru_cache(maxsize=128)
def _action(value: str) -> str | None:
    """The word in an Action field, in lower case."""
    found = _WORD.match(value.strip().lower()[:MAX_STATUS])
    return found[0] if found else None


def _preferred(found: EnhancedStatus | None, field: EnhancedStatus | None) -> EnhancedStatus | None:
    """The code of the reply where the field says no more than 5.0.0, and both agree on the class."""
    if found is None or (field is not None and found.class_ != field.class_):
        return field
    return found


def _recipients(group: Block) -> tuple[Address | None, Address | None]:
    """The address sent to (Original-Recipient where there is one), and the one delivered to."""
    final_value = group.get("final-recipient", "")
    final = fields.address(final_value)
    if final is None and "x-actual-recipient" in group:
        final = fields.address(group["x-actual-recipient"])
    value = group.get("original-recipient")
    if not value or (final is not None and (value == final_value or _bare(value) == _bare(final_value))):
        return final, final
    original = fields.xtext_decoded(fields.address(value), value, final)
    return original or final, final or original


def _bare(value: str) -> str:
    """An address field without its type, whose spelling differs from field to field."""
    return (value.partition(";")[2] or value).strip()


@lru_cache(maxsize=1024)
def _mta(value: str) -> str | None:
    """A host name out of a typed mta-name (RFC 3464 2.1.2), without comments. Few hosts send most of a mailbox's reports."""
    kind, semicolon, name = value[:MAX_MTA].partition(";")
    words = (name if semicolon and "." not in kind else value).split(None, 1)
    return words[0].strip("<>()")[:255] or None if words else None


_CAME_TO: Final = (b"to", b"delivered-to", b"x-original-to", b"envelope-to")
"""Where a return path stands in the header of what came to it; the last three are written by whoever delivered it."""


def _unnamed(mail: Mail, report: Report) -> Report:
    """A report whose fields name nobody: the return path it came to or the one To of the returned copy, marked as derived."""
    paths = (mail.headers.get(name) for name in _CAME_TO)
    named = next((found for path in paths if path and (found := returnpath.recipient(path))), None)
    derived = "return-path"
    if named is None and mail.original is not None and len(mail.original.recipients) == 1:
        named, derived = mail.original.recipients[0], "to"
    if named is None:
        raise MalformedReportError(
            "A delivery report names no recipient that can be read", "Look at the message: the fields may be cut off."
        )
    diagnostic = prose.Reasons(mail).of(named, None)
    event = Event(
        type=EventType.DELAY if delay.is_warning(mail) else EventType.BOUNCE,
        recipient=named,
        diagnostic=diagnostic,
        status=EnhancedStatus.find(diagnostic),
        smtp_code=find_reply_code(diagnostic),
        reporting_mta=report.reporting_mta,
        original_message_id=mail.original.message_id if mail.original else None,
        derived=derived,
        occurred_at=mail.date,
    )
    return Report(
        kind=Kind.DSN,
        detector=report.detector,
        events=(event,),
        message_id=mail.message_id,
        reporting_mta=report.reporting_mta,
        extensions=report.extensions,
        headers=mail.headers,
        original=mail.original,
    )
