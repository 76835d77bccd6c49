"""What the returned copy of our own mail still tells: Message-ID, To, Return-Path, List-Id, X- headers."""

from __future__ import annotations

import re
from typing import Final

from bounceproc.address import Address
from bounceproc.rare import Rare
from bounceproc.reports.decode import transfer_decoded
from bounceproc.reports.fields import address
from bounceproc.reports.mime import MAX_HEADER, Headers, Part, split

_LF: Final = ord("\n")
_IS_COPY: Final = "is a copy of (?:the|your)"
_MARK: Final = re.compile(
    r"\n[ \t>|*=-]{0,80}+(?:"
    rf"a(?:ttachment {_IS_COPY}| copy of the (?:original )?message)|b(?:elow (?:this line )?{_IS_COPY}|egin (?:returned|original) message)|"
    rf"c(?:opy of the original message|abeçalhos? da mensagem)|dkim-signature:[ \t]?\S|"
    rf"e(?:nclosed (?:{_IS_COPY}|are the original headers)|n-têtes (?:du|de) message|ncabezados? d\w+ mensaje)|h(?:eaders? of the original message|ere is your message)|"
    rf"i(?:ncluded {_IS_COPY}|ntestazioni (?:del )?messaggio)|message (?:headers? follow|text follows|contents follow)|"
    r"o(?:riginal m(?:essage(?: headers?|(?: (?:follows?|body|text|is))?[^a-z\n]*(?:\n|$))|ail info)|orspronkelijke berichtkop)|"
    r"re(?:turned message|ceived:[ \t]?\S|turn-path:[ \t]?\S)|"
    rf"th(?:is {_IS_COPY}|e (?:headers? of the original message|message headers?:|first \d+ lines of your original|text of your message|"
    r"original message (?:header|follows|is (?:attached|below))))|u(?:nsent message follows|rsprüngliche nachricht|rsprungliga brevhuvud)|"
    r"x-received:[ \t]?\S|your message follows|исходные заголовки|元のメッセージ|原始邮件|原郵件)"
)
"""The line, in lower case, from which on a notice quotes our own mail. Each way of it begins with a letter of its own, so that
most lines are seen to be none at their first."""
_FIELD: Final = Rare(r"^([ \t]{0,8})([!-9;-~]{1,80}):", re.MULTILINE)


class Original:
    """The header of a returned mail."""

    __slots__ = ("headers",)

    def __init__(self, headers: Headers) -> None:
        self.headers = headers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Original) and other.headers == self.headers

    def __hash__(self) -> int:
        return hash(self.headers)

    @classmethod
    def in_part(cls, part: Part) -> Original:
        """Read a message/rfc822 or text/rfc822-headers part; one in base64 or quoted-printable too (RFC 6533 allows it)."""
        return cls.in_body(part.data, part.encoding, part.body, part.end)

    @classmethod
    def in_body(cls, data: bytes, encoding: str, start: int, end: int) -> Original:
        """The same for a part of which the encoding, and where its body begins and ends, are known."""
        if encoding in ("base64", "quoted-printable"):
            octets = transfer_decoded(data[start : min(end, start + MAX_HEADER * 2)], encoding)[:MAX_HEADER]
            return cls(split(octets, 0, len(octets), is_new=True)[0].headers)
        while start < end and data[start] == _LF:
            start += 1
        end = min(end, start + MAX_HEADER)
        stop = data.find(b"\n\n", start, end)
        return cls(Headers(b"\n%b\n" % data[start : stop if stop >= 0 else end]))

    @classmethod
    def in_text(cls, text: str, cut: int) -> Original | None:
        """Read the copy that older systems write behind their notice, from `cut` on; None where there is none."""
        if cut >= len(text):
            return None
        rest = text[cut : cut + MAX_HEADER]
        first = _FIELD.search(rest)
        if first is None:
            return None
        indent = first[1]
        block = rest[first.start() :].partition("\n\n")[0]
        if indent:
            block = "\n".join(line.removeprefix(indent) for line in block.split("\n"))
        octets = block.encode("utf-8", "replace")
        return cls(split(octets, 0, len(octets), is_new=True)[0].headers)

    @property
    def message_id(self) -> str | None:
        """Message-ID as it stands, in angle brackets."""
        value = self.headers.get(b"message-id")
        if not value:
            return None
        return value if value.startswith("<") else f"<{value.strip('<> ')}>"

    @property
    def recipients(self) -> list[Address]:
        """The addresses of To, and of Cc where To has none."""
        for name in (b"to", b"cc"):
            if found := addresses(self.headers.get(name)):
                return found
        return []


def addresses(value: str) -> list[Address]:
    """The addresses of a To or Cc, in order."""
    if "," not in value:
        only = address(value)
        return [only] if only else []
    return [found for piece in value.split(",")[:100] if "@" in piece and (found := address(piece)) is not None]


def cut_at(text: str) -> int:
    """Where in a notice the copy of the returned mail begins; the text's length where there is none."""
    found = _MARK.search("\n" + _lowered(text))
    return found.start() if found else len(text)


def _lowered(text: str) -> str:
    """The text in lower case, as long as before: a few letters of the world become two when lowered."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else "".join(char.lower() if char.isascii() else char for char in text)
