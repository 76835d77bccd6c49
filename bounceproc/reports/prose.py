"""Notices that say in prose what failed: formats described as data in `prose_formats.toml`, and flufl.bounce last."""

from __future__ import annotations

import re
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bounceproc.event import EventType, Kind, Trust, happened
from bounceproc.rare import Rare
from bounceproc.reports import delay, described, fields
from bounceproc.reports.mail import Phrases
from bounceproc.reports.original import addresses
from bounceproc.reports.report import Report, reported
from bounceproc.reports.sought import Sought
from bounceproc.status import EnhancedStatus, find_reply_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bounceproc.address import Address
    from bounceproc.reports.mail import Mail

MAX_RECIPIENTS: Final = 1000
"""Recipients of one notice in prose that are read. Older systems give up on lists of a few hundred."""

MAX_TOLD: Final = 1000
"""Characters of a notice that stand for a reason that nobody put into a line of its own."""

MAX_MARKED: Final = 8000
"""Characters of a notice in which quoted replies are looked for: they stand at the top."""

MAX_BEFORE: Final = 200
"""Characters that may stand before a quoted reply in its line."""

MAX_DIALOGUE: Final = 16_000
"""Characters of an SMTP dialogue that are read."""

SHORT: Final = 60
"""Characters below which a reason is only the beginning of one, and the paragraph behind it belongs to it."""

MAX_FLUFL: Final = 64 * 1024
"""Octets of a message that flufl.bounce gets to see."""

MAX_FLUFL_LINES: Final = 1000
"""Lines of them; each line costs it some ten microseconds."""

MAX_FLUFL_LINE: Final = 400
"""Octets of one line of them: one of its patterns takes the square of a line's length."""

MAX_FLUFL_PARTS: Final = 20
"""Multiparts in them: the email package takes the square of their number."""

_ADDRESS: Final = r"(?:\"[^\"\n]{1,128}\"|[^\s<>()\[\],;:\"'|`]{1,200})@[^\s<>()\[\],;:\"'|`]{1,255}"
_LINE: Final = r"^[ \t>*|]*[\"<]?@TO@[\">]?(?:[ \t]*<mailto:[^>\n]*>)?(?=[ \t]*$|[ \t]*[:\[(]|[ \t]+\S|\.\.\.)"
_WORDS: Final = Rare(r"[A-Za-z ]{4,}(?![?*+{])")
_BLANK_LINE: Final = Rare(r"\n[ \t]*\n")
_PLACEHOLDER: Final = Rare(r"@(TO|FROM)(\d?)@")
CODED: Final = Rare(r"(?<![\d.])(?:[45]\d\d[ -]|[45]\.\d{1,3}\.\d{1,3}\b)")
"""A reply code or an enhanced status code: a text with one is somebody's reply."""
_REPLY: Final = re.compile(r"[ \t>]*<<<[ \t]*(.*)")
_QUOTED_REPLY: Final = re.compile(
    r"[45](?<![\d.][45])\d\d[ -](?:[45]\.\d{1,3}\.\d{1,3})?.{4,}(?:\n(?![ \t]*\n).+){0,6}"
)
"""A reply and the lines that follow it. The first sign is literal so that the search is fast."""
_GLUED: Final = re.compile(r"(?<!\S)(unavailable(?=[a-z])|[a-z]{3,}(?=[A-Z]))([A-Za-z][a-z]+)(?=[\s.,:;]|$)")
"""The last word of a line and the first of the next one, of a reply whose lines were put together without a space."""
_OCTAL: Final = re.compile(r"\\[23][0-7]{2}(?:\\[23][0-7]{2})*")
"""How Exim writes the octets of letters that are no ASCII, to people."""
_DISCLAIMER: Final = Sought(
    "intended,confidentiality,vertraulich,confidentiel,confidencial,riservat,vertrouwelijk,poufn",
    r"(?:not|other than)(?: (?:the|an))?\s+intended\s+(?:recipient|addressee)|intended\s+(?:only|solely)\s+for|confidentiality (?:note|notice)|nicht der richtige adressat|vertrauliche (?:und|informationen|e-mail)|"
    r"strictement confidentiel|informations? confidentielles?|informaci[oó]n confidencial|informa[cç](?:ão|ões|ao|oes) confidencia|"
    r"informazioni riservate|vertrouwelijke informatie|informacje poufne|конфиденциальн\w+ информаци",
)
"""What lawyers have put below every mail of a house, of whatever kind: it speaks of senders and recipients."""
_TRANSCRIPT: Final = Sought("session follows", r"Transcript of (?:the )?session follows[^\n]*\n")


class ProseFormat(NamedTuple):
    """How one mail system writes its notices. The fields are those of `prose_formats.toml`."""

    id: str
    marks: tuple[str, ...]
    recipient: re.Pattern[str]
    begin: re.Pattern[str] | None = None
    end: re.Pattern[str] | None = None
    reason: re.Pattern[str] | None = None
    otherwise: re.Pattern[str] | None = None
    transcript: re.Pattern[str] | None = None
    glued: bool = False
    apart: bool = False
    original_to: bool = False
    quotable: bool = False
    trust: Trust = Trust.REPORTED

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> ProseFormat:
        """One `[[format]]` of the file."""
        patterns = {
            name: _compiled(table[name])
            for name in ("begin", "end", "reason", "otherwise", "transcript")
            if name in table
        }
        return cls(
            id=table["id"],
            marks=tuple(table["marks"]),
            recipient=_compiled(table.get("recipient", _LINE)),
            glued=table.get("glued", False),
            apart=table.get("apart", False),
            original_to=table.get("original_to", False),
            quotable=table.get("quotable", False),
            trust=_trust(table),
            **patterns,
        )


class Named(NamedTuple):
    """One recipient that a notice names."""

    recipient: Address
    final: Address
    why: str
    derived: str | None = None


def _trust(table: dict[str, Any]) -> Trust:
    return Trust(table.get("trust", Trust.REPORTED))


def _compiled(pattern: str) -> re.Pattern[str]:
    named = _PLACEHOLDER.sub(lambda found: f"(?P<{found[1].lower()}{found[2]}>{_ADDRESS})", pattern)
    return re.compile(named, re.MULTILINE | re.IGNORECASE)


def _first(pattern: re.Pattern[str], text: str, start: int = 0) -> re.Match[str] | None:
    """`pattern.search(text, start)`; see `_each`."""
    if not pattern.pattern.startswith("^") and not _beginning(pattern.pattern):
        return pattern.search(text, start)
    return next(iter(_each(pattern, text, start, len(text), 1)), None)


def _each(
    pattern: re.Pattern[str], text: str, start: int, stop: int, most: int = MAX_RECIPIENTS
) -> list[re.Match[str]]:
    """The first matches of a pattern between two places, those of `finditer`.

    One that begins with `^` is tried where lines begin, one that begins with words where these stand: left to itself, the
    library tries either at every letter.
    """
    if not pattern.pattern.startswith("^"):
        if text.isascii() and _beginning(pattern.pattern):
            return _each_beginning(pattern, text, start, stop, most)
        return list(islice(pattern.finditer(text, start, stop), most))
    found: list[re.Match[str]] = []
    at = start
    while len(found) < most:
        if at > 0 and text[at - 1] != "\n":
            at = text.find("\n", at, stop) + 1
            if at == 0:
                break
        match = pattern.match(text, at, stop)
        if match is not None:
            found.append(match)
        at = max(at + 1, match.end() if match is not None else 0)
        if at > stop:
            break
    return found


@cache
def _beginning(source: str) -> str:
    """The words, in lower case, with which all matches of a pattern begin; empty where they are not written out."""
    found = _WORDS.match(source)
    return found[0].lower() if found else ""


def _each_beginning(pattern: re.Pattern[str], text: str, start: int, stop: int, most: int) -> list[re.Match[str]]:
    """`_each` for a pattern whose matches begin with words, and a text that is ASCII: other letters may be equal to its own."""
    found: list[re.Match[str]] = []
    begins = _beginning(pattern.pattern)
    lowered = text.lower()
    at = lowered.find(begins, start, stop)
    while at >= 0 and len(found) < most:
        match = pattern.match(text, at, stop)
        if match is not None:
            found.append(match)
        at = lowered.find(begins, match.end() if match is not None else at + 1, stop)
    return found


_tables: Final = cache(described.tables)


@cache
def _format(number: int) -> ProseFormat:
    """One format, made when a notice has one of its marks: patterns take longer to compile than most runs need to read mail."""
    return ProseFormat.from_table(_tables()[number])


def formats() -> tuple[ProseFormat, ...]:
    """The described formats in the order of the file."""
    return tuple(_format(number) for number in range(len(_tables())))


class Marks:
    """The marks of all formats of one trust, in the order of the file."""

    def __init__(self, trust: Trust) -> None:
        numbered = [(number, table) for number, table in enumerate(_tables()) if _trust(table) is trust]
        pairs = [(mark, number) for number, table in numbered for mark in table["marks"]]
        self._phrases = Phrases(mark for mark, _ in pairs)
        self._forms = tuple(number for _, number in pairs)

    def within(self, mail: Mail) -> Iterator[ProseFormat]:
        """The formats of which a mark stands in a notice, in order; some twice."""
        for place in self._phrases.within(mail):
            yield _format(self._forms[place])  # no expression: compiled, that is a list, and all marks are searched for


marks = cache(Marks)


def read(mail: Mail) -> Report | None:
    """A notice in a described format, or one whose X-Failed-Recipients names the addresses."""
    if not mail.is_notice:
        return None
    for form, found in _matches(mail, Trust.REPORTED):
        if not form.quotable or mail.tells_of_failure:
            return _report(mail, form.id, found, form.trust)
    listed = addresses(mail.headers.get(b"x-failed-recipients"))
    if not listed:
        return None
    told = _told(mail.notice)
    return _report(mail, "x-failed-recipients", [Named(each, each, told) for each in listed], Trust.REPORTED)


def read_sentence(mail: Mail) -> Report | None:
    """A notice with a sentence that many systems might write: a guess, and marked as one."""
    if not (mail.is_notice and mail.tells_of_failure):
        return None
    for form, found in _matches(mail, Trust.HEURISTIC):
        return _report(mail, form.id, found, form.trust)
    return None


def _matches(mail: Mail, trust: Trust) -> Iterable[tuple[ProseFormat, list[Named]]]:
    """The formats of this trust that a notice is in, with those it names."""
    text = mail.notice
    tried: ProseFormat | None = None
    for form in marks(trust).within(mail):
        if form is not tried:
            tried = form
            if found := _named(form, text):
                yield form, _without_ours(found, mail)
            elif form.original_to and (found := _in_original(mail, form)):
                yield form, found


def _without_ours(found: list[Named], mail: Mail) -> list[Named]:
    """Those named without the sender's address, ours, which is named only in passing: all where it is the only one."""
    if len(found) == 1:
        return found
    ours = mail.headers.get(b"to").lower()
    others = [one for one in found if one.final.normal not in ours]
    return others or found


def _in_original(mail: Mail, form: ProseFormat) -> list[Named]:
    """The To of the returned copy, for formats that name nobody themselves."""
    to = mail.original.recipients if mail.original else []
    return [Named(to[0], to[0], _common(form, mail.notice), "to")] if len(to) == 1 else []


def _named(form: ProseFormat, text: str) -> list[Named]:
    """The recipients that the notice lists in this format, each once, each with its reason."""
    start = 0
    if form.begin is not None:
        begun = _first(form.begin, text)
        if begun is None:
            return []
        start = begun.end()
    ended = _first(form.end, text, start) if form.end is not None else None
    stop = ended.start() if ended else len(text)
    matches = _each(form.recipient, text, start, stop)
    begun = _first(form.transcript, text) if matches and form.transcript is not None else None
    dialogue = Dialogue.parse(text[begun.end() :]) if begun else None
    found: list[Named] = []
    for at, match in enumerate(matches):
        following = matches[at + 1].start() if at + 1 < len(matches) else stop
        if (one := _one(form, match, text, following, dialogue)) is not None:
            found.append(one)
    return _shared(found, form, text)


def _one(form: ProseFormat, match: re.Match[str], text: str, following: int, dialogue: Dialogue | None) -> Named | None:
    groups = match.groupdict()
    final = _group(groups, "to")
    original = _group(groups, "from")
    if final is None and original is None:
        return None
    recipient = original or final
    assert recipient is not None
    if dialogue is not None and (said := dialogue.about(final or recipient)):
        return Named(recipient, final or recipient, _clean(said))
    why = groups.get("why") or groups.get("why2") or ""
    if not why and form.reason is None:
        why = _paragraph(text[match.end() : following])
    elif why and (len(why) < SHORT or why.endswith(":")):
        why = f"{why} {_paragraph(text[match.end() : following])}"
    why = _clean(why)
    return Named(recipient, final or recipient, _GLUED.sub(r"\1 \2", why) if form.glued and why[3:4] == "-" else why)


def _group(groups: dict[str, str | None], prefix: str) -> Address | None:
    for name, value in groups.items():
        if value and name.startswith(prefix):
            if "\\" in value:
                value = _OCTAL.sub(_from_octal, value)  # noqa: PLW2901
            if (found := fields.parsed(value)) is not None:
                return found
    return None


def _from_octal(found: re.Match[str]) -> str:
    return bytes(int(octet, 8) for octet in found[0][1:].split("\\")).decode("utf-8", "replace")


def _paragraph(text: str) -> str:
    """What follows an address: to the first blank line, blank lines directly behind the address passed over.

    Of a dialogue only what the other side said: no command is a reason.
    """
    text = text.lstrip(" \t\n:")
    blank = _BLANK_LINE.search(text)
    text = text[: blank.start()] if blank else text
    if len(text) > SHORT and not CODED.search(text) and _DISCLAIMER.search(text):
        return ""
    if "<<<" not in text:
        return text
    return "\n".join(reply[1] for line in text.split("\n") if (reply := _REPLY.match(line))) or text


def _clean(text: str) -> str:
    """A reason without the colons before it and the rules drawn under it."""
    if "\n\n" in text and (found := _DISCLAIMER.search(text)) and (end := text.rfind("\n\n", 0, found.start())) > 0:
        text = text[:end]
    return fields.squeezed(text).lstrip(" :;,.)>-").rstrip(" =*-")


def _shared(found: list[Named], form: ProseFormat, text: str) -> list[Named]:
    """A reason that stands once for several addresses: behind the last of them, or in a place of its own."""
    told = sum(one.why != "" for one in found)
    common = _common(form, text) if told < len(found) and not (told and form.apart) else ""
    merged: dict[str, Named] = {}
    why = ""
    for one in reversed(found):
        why = one.why or (common if form.apart or form.reason is not None else why or common)
        earlier = merged.get(one.recipient.normal)
        if earlier is None or (CODED.search(why) and not CODED.search(earlier.why)):
            merged[one.recipient.normal] = one if why == one.why else one._replace(why=why)
    return list(reversed(merged.values()))


def _common(form: ProseFormat, text: str) -> str:
    for pattern in (form.reason, form.otherwise):
        if pattern is not None and (told := _first(pattern, text)):
            return _clean(told["why"])
    return _told(text)


class Dialogue(NamedTuple):
    """An SMTP dialogue as Sendmail quotes it, cut into what belongs together.

    What the other side or a local program said (`<<< 550 ...`) stands before a line of Sendmail's own that names the address,
    or behind the command that does (`>>> RCPT To:<...>`), where Sendmail has no such line for it.
    """

    sections: tuple[tuple[str, str], ...]
    """The line that names addresses, in lower case, and the section that ends with it."""
    everything: str

    @classmethod
    def parse(cls, text: str) -> Dialogue:
        """Read what follows the line `Transcript of session follows`."""
        sections: list[tuple[str, str]] = []
        everything: list[str] = []
        heard: list[str] = []
        asked = ""
        for line in (*text[:MAX_DIALOGUE].split("\n"), ""):
            if line.startswith((">>>", "... while", "While talking")) or not line.strip():
                if line.startswith(">>> DATA"):
                    continue
                if asked and heard:
                    sections.append((asked, " ".join(heard)))
                asked = line.lower() if line.startswith(">>> RCPT") else ""
                heard = []
                continue
            reply = _REPLY.match(line)
            heard.append(reply[1] if reply else line.strip())
            everything.append(heard[-1])
            if reply is None and line[:1].isdigit() and "@" in line:
                sections.append((line.lower(), " ".join(heard)))
                heard = []
        return cls(tuple(sections), " ".join(everything))

    def about(self, address: Address) -> str:
        """What it says of one address; all of it where no line names that address."""
        name = address.text.lower()
        return " ".join(section for line, section in self.sections if name in line) or self.everything


def reason_in(text: str) -> str:
    """The first SMTP reply that a notice quotes, with the lines that belong to it; empty where there is none."""
    for quoted in _QUOTED_REPLY.finditer(text, 0, MAX_MARKED):
        if quoted.start() - text.rfind("\n", 0, quoted.start()) <= MAX_BEFORE:
            return _clean(quoted[0])
    return ""


class Reasons:
    """What a notice tells people about each address: read once, however many its fields name."""

    def __init__(self, mail: Mail) -> None:
        self._own: dict[str, str] = {}
        self._bare: set[str] = set()
        self._is_apart = False
        self._formats = iter(_matches(mail, Trust.REPORTED))
        self._notice = mail.notice
        self._common: str | None = None
        self._replies: list[list[str]] | None = None

    def of(self, recipient: Address, final: Address | None) -> str:
        """The reason of its own that an address has there, else a quoted reply, else the sentences themselves."""
        own = self._found(recipient) or (self._found(final) if final is not None and final != recipient else None)
        if own:
            return own
        if self._is_bare(recipient, final):
            return ""
        if self._common is None:
            self._common = _told(self._notice)
        return self._common

    def _is_bare(self, recipient: Address, final: Address | None) -> bool:
        """Whether the notice lists this address with nothing behind it, and others with what is said of them alone."""
        return bool(self._own) and any(one is not None and one.normal in self._bare for one in (recipient, final))

    def reply(self, first: str) -> str:
        """The one reply that begins with this line, as the dialogue quotes it; empty where none does, or several do."""
        if self._replies is None:
            self._replies = _replies(self._notice[:MAX_DIALOGUE])
        found = {" ".join(lines[lines.index(first) :]) for lines in self._replies if first in lines}
        return found.pop() if len(found) == 1 else ""

    def _found(self, address: Address) -> str | None:
        """The first reason of its own that a format gives to an address; the formats are read as far as that takes.

        One that gives reasons to others, each behind its address, and none to this one, has said what there is to say.
        """
        while address.normal not in self._own:
            if self._is_apart and self._own and address.normal in self._bare:
                return None
            form, found = next(self._formats, (None, ()))
            if form is None:
                return None
            self._is_apart = form.apart
            for named in found:
                told = named.why != "" and not _is_a_host(named.why)
                for one in (named.recipient, named.final):
                    if told:
                        self._own.setdefault(one.normal, named.why)
                    else:
                        self._bare.add(one.normal)
        return self._own[address.normal]


def _is_a_host(why: str) -> bool:
    """Whether a reason consists of the host that Exim tried: it has no more to say of a connection that failed."""
    return why.startswith("host ") and why.endswith("]") and why.count(" ") == 2


def _replies(text: str) -> list[list[str]]:
    """The replies of several lines that a dialogue quotes, as far as they are whole."""
    found: list[list[str]] = []
    lines: list[str] = []
    for line in text.split("\n"):
        quoted = _REPLY.match(line) if "<<<" in line else None
        said = fields.squeezed(quoted[1]) if quoted else ""
        if lines and said[:3] != lines[0][:3]:
            lines = []
        if said[3:4] == "-":
            lines.append(said)
        elif lines:
            found.append([*lines, said])
            lines = []
    return found


def _told(text: str) -> str:
    """A reason out of a notice that gives none to anybody: a quoted reply, a dialogue, or how the notice begins."""
    if quoted := reason_in(text):
        return quoted
    if begun := _TRANSCRIPT.search(text):
        return _clean(Dialogue.parse(text[begun.end() :]).everything)
    return _clean(text[:MAX_TOLD])


def _report(mail: Mail, detector: str, found: list[Named], trust: Trust) -> Report:
    warns = delay.is_warning(mail)
    original = mail.original
    message_id = original.message_id if original else None
    events = tuple(
        happened(
            type=EventType.DELAY if warns else EventType.BOUNCE,
            recipient=one.recipient,
            final_recipient=one.final,
            trust=trust,
            status=EnhancedStatus.find(one.why),
            smtp_code=find_reply_code(one.why),
            diagnostic=one.why,
            derived=one.derived,
            original_message_id=message_id,
            occurred_at=mail.date,
        )
        for one in found
    )
    return reported(
        kind=Kind.DSN,
        detector=detector,
        events=events,
        message_id=mail.message_id,
        headers=mail.headers,
        original=original,
    )


def read_flufl(mail: Mail) -> Report | None:
    """What flufl.bounce makes of a notice that nobody described: a guess, and marked as one."""
    if not mail.is_notice or mail.is_letter_of_postmaster:
        return None
    sample = mail.root.data[:MAX_FLUFL]
    if sample.count(b"boundary") > MAX_FLUFL_PARTS:
        return None
    lines = sample.split(b"\n", MAX_FLUFL_LINES)[:MAX_FLUFL_LINES]
    temporary, permanent = _flufl(b"\n".join([line[:MAX_FLUFL_LINE] for line in lines]))
    found = [
        (address, EventType.DELAY if raw in temporary else EventType.BOUNCE)
        for raw in sorted(temporary | permanent)
        if (address := _sane(raw)) is not None
    ]
    found = _of_others(found, mail)
    if not found:
        return None
    why = _told(mail.notice)
    report = _report(mail, "flufl.bounce", [Named(address, address, why) for address, _ in found], Trust.HEURISTIC)
    events = (
        event._replace(type=EventType.DELAY if EventType.DELAY in (event.type, kind) else EventType.BOUNCE)
        for event, (_, kind) in zip(report.events, found, strict=True)
    )
    return report._replace(events=tuple(events))


def _flufl(octets: bytes) -> tuple[frozenset[bytes], frozenset[bytes]]:
    # Loaded when needed: two dozen detectors and the email package, which most runs never ask.
    from email import message_from_bytes  # noqa: PLC0415

    from flufl.bounce import all_failures  # noqa: PLC0415

    try:
        temporary, permanent = all_failures(message_from_bytes(octets))
        return frozenset(temporary), frozenset(permanent)
    except Exception:  # noqa: BLE001 - the seam: whatever a foreign detector trips over, the message is unrecognised
        return frozenset(), frozenset()


def _of_others(found: list[tuple[Address, EventType]], mail: Mail) -> list[tuple[Address, EventType]]:
    """Without the Message-ID of the returned mail, and without our own address where there is another one."""
    message_id = (mail.original.message_id or "").strip("<>") if mail.original is not None else ""
    ours = mail.headers.get(b"to").lower()
    found = [one for one in found if one[0].text != message_id]
    return [one for one in found if one[0].normal not in ours] or found


def _sane(raw: bytes) -> Address | None:
    """An address out of flufl.bounce, or None for its junk: JSON fragments, commands, Message-IDs."""
    text = raw.decode("utf-8", "replace")
    if any(char in text for char in '{}|/\\ "'):
        return None
    return fields.parsed(text)
