"""What stands in report fields: blocks of `Name: value`, typed values, addresses, dates (RFC 3464 2.1, RFC 5965 3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from bounceproc.address import LABEL, MAX_OCTETS, Address
from bounceproc.errors import InvalidAddressError
from bounceproc.rare import Rare
from bounceproc.reports.decode import words_decoded

MAX_FIELDS: Final = 10_000
"""Lines of one report that are read: those on a thousand recipients, more than any queue puts into one message."""

MAX_VALUE: Final = 16 * 1024
"""Characters of one field, its repetitions included, beyond which no more are added."""

MAX_DIAGNOSTIC: Final = 2000
"""Characters of a diagnostic that are kept: enough for the longest reply of RFC 5321 and its links."""

_TYPED: Final = re.compile(r"[ \t]*[A-Za-z][A-Za-z0-9_/-]{0,40}[ \t]*;[ \t]*")
_USUAL: Final = re.compile(
    rf"(?:[ \t]*+rfc822[ \t]*+;)?[ \t]*+<?+([a-z0-9][a-z0-9_.+=-]{{0,63}}+@{LABEL}(?:\.{LABEL})+)>?+[ \t]*+",
)
"""Nearly every address field, in lower case: one look instead of a type, brackets and a normal form taken apart.

No group is possessive, here and elsewhere: before Python 3.11.5 such a one may end in the middle of its last turn.
"""
_ROUTE: Final = Rare(r"@[^:@\s]{1,255}:")
_IN_ANGLES: Final = re.compile(r"<([^<>\n]{1,400})>")
_BARE: Final = Rare(r"(?:\"[^\"\n]{1,200}\"|[^\s<>()\[\],;:\"|]{1,200})@[^\s<>(),;:\"|]{1,255}")
_DECORATION: Final = "<:=\"'"
"""Signs that mail systems put directly before an address in a field of their reports."""
_HEXCHAR: Final = Rare(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_XTEXT: Final = Rare(r"\+([0-9A-F]{2})")
_FURTHER: Final = Rare(r"[45]\d\d[ -]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")

_MONTHS: Final = {
    name: number
    for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)  # noqa: SIM905 - reads as a calendar
}
_USUAL_MONTHS: Final = {name.capitalize(): f"{number:02}" for name, number in _MONTHS.items()}
_SHIFTS: Final = {
    f"{sign}{hours:02}{minutes:02}": (1 if sign == "+" else -1) * timedelta(hours=hours, minutes=minutes)
    for sign in "+-"
    for hours in range(15)
    for minutes in (0, 30, 45)
    if hours or minutes
}
"""How far the zones of this world are from UTC: one subtraction instead of a conversion between zones."""
_UTC: Final = frozenset({"GMT", "UTC", "UT", "Z", "+0000", "-0000"})

_NAMES: Final = {
    name: name.lower()
    for name in (
        *(
            "Reporting-MTA",
            "Received-From-MTA",
            "Arrival-Date",
            "Original-Envelope-Id",
            "X-Postfix-Queue-ID",
            "X-Postfix-Sender",
        ),
        *(
            "Final-Recipient",
            "Original-Recipient",
            "Action",
            "Status",
            "Remote-MTA",
            "Diagnostic-Code",
            "Last-Attempt-Date",
        ),
        *("X-Original-Message-ID", "Will-Retry-Until", "X-Actual-Recipient", "X-Display-Name"),
    )
}
"""Fields as nearly all mail systems spell them, so that a line needs one look."""

Block = dict[str, str]
"""Fields by lower-case name; a repeated field has its values joined with a line feed."""


def blocks(text: str) -> list[Block]:
    """The fields of a report, one dictionary for each group between blank lines.

    Names lose the white space round them, folded values are joined with one space (nullmailer writes the further lines of
    a reply without the space before them), lines that are no field are passed over. A second Final-Recipient or Original-Recipient opens a new group: some systems forget the blank line.
    """
    found: list[Block] = []
    block: Block = {}
    name = ""
    names = _NAMES
    for line in text.split("\n", MAX_FIELDS)[:MAX_FIELDS]:
        colon = line.find(":")
        known = names.get(line[:colon]) if colon > 0 else None
        if known is not None and known not in block:
            name = known
            block[name] = line[colon + 1 :].strip()
            continue
        if line[:1] in " \t" or (name == "diagnostic-code" and _FURTHER.match(line)):
            if name and (more := line.strip()) and len(block[name]) < MAX_VALUE:
                block[name] = f"{block[name]} {more}"
            elif not line.strip() and block:
                found.append(block)
                block, name = {}, ""
            continue
        name = line[:colon].rstrip().lower() if colon > 0 else ""
        if not name or " " in name:
            name = ""
            continue
        value = line[colon + 1 :]
        if name in block:
            if name in ("final-recipient", "original-recipient"):
                found.append(block)
                block = {}
            else:
                value = f"{block[name]}\n{value.strip()}" if len(block[name]) < MAX_VALUE else block[name]
        block[name] = value.strip()
    if block:
        found.append(block)
    return found


def untyped(value: str) -> str:
    """A typed value (`rfc822; user@example.com`, `smtp; 550 No`) without its type, for those who write one."""
    if value[:5] == "smtp;":
        return value[5:].strip()
    found = _TYPED.match(value)
    return value[found.end() :].strip() if found else value.strip()


def squeezed(text: str) -> str:
    """A diagnostic for the record: encoded words decoded, white space squeezed, control characters and length cut."""
    if "  " not in text and "=?" not in text and text.isprintable():
        return text.strip()[:MAX_DIAGNOSTIC]  # as most are: white space that is no space is not printable
    text = text[: MAX_DIAGNOSTIC * 4]
    text = " ".join((words_decoded(text) if "=?" in text else text).split())
    if not text.isprintable():
        text = _CONTROL.sub("", text)
    return text[:MAX_DIAGNOSTIC]


def address(value: str) -> Address | None:
    """The address in a field or a header, or None: type, name, comment, brackets and source route are taken off."""
    if len(value) <= MAX_OCTETS and value.isascii() and (usual := _USUAL.fullmatch(value.lower())):
        normal = usual[1]
        start = usual.start(1)
        return Address(normal, value[start : start + len(normal)])
    text = value.partition(";")[2] if _TYPED.match(value) else value
    text = text.strip()
    if "\\x{" in text or ("=?" in text and ("@" not in text or "<" in text)):
        text = _internationalised(text)
    if "<" in text and (angled := _IN_ANGLES.search(text)):
        text = angled[1].strip()
    if text[:1] == "@" and (route := _ROUTE.match(text)):
        text = text[route.end() :]
    return parsed(text) or _searched(text)


def _internationalised(text: str) -> str:
    r"""RFC 6533 3: utf-8-addr-xtext writes a character as `\x{HEX}`; others write an encoded word."""
    decoded = _HEXCHAR.sub(lambda found: chr(min(int(found[1], 16), 0x10FFFF)), text)
    return words_decoded(decoded)


def parsed(text: str) -> Address | None:
    """The address that the text is, or None. Quotes round the whole of it are a mail system's decoration."""
    text = text.strip(" \t\n'")
    if text[:1] == '"' and text[-1:] == '"':
        text = text[1:-1]
    text = text.rstrip(".,;:")
    if "@" not in text or (not text.isprintable() and _CONTROL.search(text)):
        return None
    try:
        return Address.parse(text)
    except InvalidAddressError:
        return None


def _searched(text: str) -> Address | None:
    """An address with decoration round it. What stands apart from it must be decoration: `john smith@...` is not `smith@...`."""
    if "@" not in text or text.startswith("|") or _CONTROL.search(text):
        return None
    found = _BARE.search(text[:2000])
    if found is None or (found.start() and text[found.start() - 1] not in _DECORATION):
        return None
    return parsed(found[0])


def xtext_decoded(written: Address | None, value: str, final: Address | None) -> Address | None:
    """An Original-Recipient that a mail system copied from ORCPT without decoding it (RFC 3461 4): `user+2Btag@...`.

    A plus sign is common in addresses, so it is decoded only where nothing else makes sense of the value.
    """
    if "+" not in value or not _XTEXT.search(value):
        return written
    decoded = address(_XTEXT.sub(lambda found: chr(int(found[1], 16)), value))
    if written is None or (decoded is not None and decoded == final):
        return decoded
    return written


def date(value: str) -> datetime | None:
    """A date of RFC 5322 in UTC, None where it cannot be read. A missing zone is taken for UTC."""
    try:  # "Mon, 23 Nov 2026 19:40:00 +0100", as nearly everybody writes it
        words = value.split(None, 6)
        day = words[1] if len(words[1]) > 1 else f"0{words[1]}"
        zone = "Z" if words[5] == "GMT" else words[5]
        shift = _SHIFTS.get(zone)
        moment = datetime.fromisoformat(
            f"{words[3]}-{_USUAL_MONTHS[words[2]]}-{day}T{words[4]}{'Z' if shift else zone}"
        )
        if shift is not None:
            return moment - shift
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except (ValueError, KeyError, IndexError, OverflowError):
        return _unusual_date(value)


def _unusual_date(value: str) -> datetime | None:
    words = value.replace(",", " ").split(None, 6)
    if not words:
        return None
    try:
        if words[0][:1].isalpha():
            del words[0]
        day, month, year, clock = words[:4]
        zone = words[4] if len(words) > 4 else "GMT"
        hour, minute, second = clock.split(":") if clock.count(":") > 1 else (*clock.split(":"), "0")
        if len(year) != 4 or not (zone[0] in "+-" or zone in _UTC):
            return _other_date(value)
        moment = datetime(
            int(year), _MONTHS[month[:3].lower()], int(day), int(hour), int(minute), min(int(second), 59), tzinfo=UTC
        )
        return moment if zone in _UTC else moment - _shift(zone)
    except (ValueError, KeyError, IndexError, OverflowError):
        return _other_date(value)


@lru_cache(maxsize=128)
def _shift(zone: str) -> timedelta:
    shift = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5]))
    return -shift if zone[0] == "-" else shift


def _other_date(value: str) -> datetime | None:
    """Two-digit years, named zones, odd orders: what the standard library makes of them."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - brings sockets along, and few dates need it

    try:
        moment = parsedate_to_datetime(value[:100])
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
