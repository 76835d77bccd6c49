"""The structure of a message, read tolerantly from its octets: headers looked up, parts found and decoded when asked for."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from bounceproc.reports.decode import charset_text, html_text, transfer_decoded, words_decoded

MAX_DEPTH: Final = 10
"""Multiparts within multiparts. A bounce has two or three; a thousand are an attack on recursive readers."""

MAX_PARTS: Final = 200
"""Parts of one multipart, and leaves of a whole message, that are looked at."""

MAX_HEADER: Final = 256 * 1024
"""Octets of one header block that are looked at. Long ones have a hundred Received and ARC fields, some 60 KB."""

MAX_TEXT: Final = 64 * 1024
"""Octets of a text that are read. What a mail system has to say stands at the top; the returned mail may be huge."""

MAX_VALUE: Final = 8 * 1024
"""Octets of one header value that are decoded."""

_STRAY: Final = re.compile(rb"\n(?![!-9;-~]+[ \t]*:|[ \t]|>?From )")
"""A line that cannot stand in a header: the blank line before it was lost on the way."""

_CR_IS_LF: Final = bytes.maketrans(b"\r", b"\n")

_ENVELOPE: Final = re.compile(rb"\n*(?:>?From [^\n]*\n)?")
"""Blank lines and the mbox line before the header."""


def normalised(message: bytes) -> bytes:
    """The message with LF alone at line ends: CRLF from the wire, CR from old Macs, CR CR LF from a clumsy gateway."""
    if b"\r" not in message:
        return message
    if b"\r\r\n" in message:
        message = message.replace(b"\r\r\n", b"\n")
    message = message.replace(b"\r\n", b"\n")
    return message.translate(_CR_IS_LF) if b"\r" in message else message


@lru_cache(maxsize=64)
def _parameter(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?i)[;\s]" + name + rb"\*?\s*=\s*(?:\"([^\"\n]*)\"?|([^\s;\"]+))")


@lru_cache(maxsize=256)
def _media_type(value: bytes) -> str:
    words = value.split(None, 1)
    found = words[0].decode("ascii", "replace").lower() if words else ""
    return found if "/" in found else "text/plain"


class Headers:
    """One header block. Nothing is parsed before it is asked for; names are lower-case octets."""

    __slots__ = ("_lowered", "block")

    def __init__(self, block: bytes) -> None:
        """`block` holds the lines of the header, each after its LF, and ends with one."""
        self.block = block
        self._lowered = block.lower()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and other.block == self.block

    def __hash__(self) -> int:
        return hash(self.block)

    def __contains__(self, name: bytes) -> bool:
        return self._find(name, 0) >= 0

    def _find(self, name: bytes, start: int) -> int:
        """Where the value of the next field of that name begins; -1 where there is none."""
        lowered = self._lowered
        needle = b"\n" + name
        at = lowered.find(needle, start)
        while at >= 0:
            at += len(needle)
            following = lowered[at : at + 1]
            if following == b":":
                return at + 1
            if following in b" \t":  # a space before the colon: forbidden, and some gateways write it
                rest = lowered[at : at + 20].lstrip(b" \t")
                if rest[:1] == b":":
                    return lowered.index(b":", at) + 1
            at = lowered.find(needle, at)
        return -1

    def _value(self, at: int) -> bytes:
        block = self.block
        end = block.find(b"\n", at)
        while block[end + 1 : end + 2] in (b" ", b"\t") and end - at < MAX_VALUE:
            end = block.find(b"\n", end + 1)
        return block[at : end if end - at < MAX_VALUE else at + MAX_VALUE]

    def raw(self, name: bytes) -> bytes:
        """The first value of that name as it stands, folds and all; empty where there is none."""
        at = self._find(name, 0)
        return self._value(at) if at >= 0 else b""

    def get(self, name: bytes) -> str:
        """The first value of that name, unfolded and decoded; empty where there is none."""
        at = self._find(name, 0)
        return value_text(self._value(at)) if at >= 0 else ""

    def all(self, name: bytes) -> list[str]:
        """Every value of that name, unfolded and decoded."""
        values: list[str] = []
        at = self._find(name, 0)
        while at >= 0 and len(values) < MAX_PARTS:
            values.append(value_text(self._value(at)))
            at = self._find(name, at)
        return values


def value_text(value: bytes) -> str:
    """A header value unfolded, with encoded words decoded and white space squeezed."""
    text = value.decode("ascii") if value.isascii() and b"\x1b" not in value else charset_text(value, "")
    return " ".join(words_decoded(text).split())


class Part:
    """One entity of a message: a slice of its octets that knows where its body begins."""

    __slots__ = (
        *("_children", "body", "content_type", "data", "depth", "end", "headers", "is_multipart", "report", "type"),
    )

    def __init__(self, data: bytes, start: int, end: int, depth: int = 0, *, report: bool = False) -> None:
        self.data = data
        self.end = end
        self.depth = depth
        self._children: tuple[Part, ...] | None = None
        block, self.body = split(data, start, end)
        self.headers = Headers(block)
        self.content_type = self.headers.raw(b"content-type")
        """Content-Type as it stands, folds and parameters and all."""
        self.type = _media_type(self.content_type[:200].partition(b";")[0])
        """Content-Type in lower case, without parameters; `text/plain` where it is missing."""
        self.is_multipart = self.type.startswith("multipart/")
        self.report = report or self.type == "multipart/report"
        """Whether it is a multipart/report or stands in one, however deep."""

    def parameter(self, name: bytes) -> bytes:
        """A parameter of Content-Type; empty where it is missing."""
        found = _parameter(name).search(self.content_type)
        return (found[1] or found[2] or b"") if found else b""

    @property
    def children(self) -> tuple[Part, ...]:
        """The parts of a multipart in order; empty for anything else, and below the greatest depth."""
        if self._children is None:
            self._children = self._parts() if self.is_multipart and self.depth < MAX_DEPTH else ()
        return self._children

    def _parts(self) -> tuple[Part, ...]:
        boundary = self.parameter(b"boundary").rstrip() or self._guessed_boundary()
        if not boundary:
            return ()
        spans = _spans(self.data, self.body - 1, self.end, b"\n--" + boundary)
        return tuple([Part(self.data, start, end, self.depth + 1, report=self.report) for start, end in spans])

    def _guessed_boundary(self) -> bytes:
        """A multipart that does not say its boundary begins, after a few lines at most, with it."""
        for line in self.data[self.body : min(self.end, self.body + 2000)].split(b"\n"):
            if line.startswith(b"--") and len(line) > 4:
                return line[2:].rstrip()
        return b""

    def octets(self, limit: int = MAX_TEXT) -> bytes:
        """The body without its transfer encoding, no more than about `limit` octets of it."""
        encoding = self.headers.raw(b"content-transfer-encoding")
        if not encoding:
            return self.data[self.body : min(self.end, self.body + limit)]
        return transfer_decoded(
            self.data[self.body : min(self.end, self.body + limit * 2)], encoding.decode("ascii", "replace")
        )[:limit]

    def text(self, limit: int = MAX_TEXT) -> str:
        """The body as text: decoded, HTML turned into lines, line ends normalised, no more than about `limit` characters."""
        is_html = self.type == "text/html"
        octets = self.octets(limit * 2 if is_html else limit)
        if b"\r" in octets:
            octets = normalised(octets)
        charset = self.parameter(b"charset") if b"=" in self.content_type else b""
        text = charset_text(octets, charset.decode("ascii", "replace"))
        return html_text(text)[:limit] if is_html else text

    def leaves(self) -> list[Part]:
        """The parts that are no multiparts, in order, what is inside an attached message left alone."""
        found: list[Part] = []
        waiting = [self]
        while waiting and len(found) < MAX_PARTS:
            part = waiting.pop()
            if part.is_multipart and (children := part.children):
                waiting.extend(reversed(children))
            else:
                found.append(part)
        return found


def split(data: bytes, start: int, end: int) -> tuple[bytes, int]:
    """The header block of an entity, one LF before it, and where its body begins."""
    if data[start : start + 1] == b"\n":
        return b"\n", start + 1
    stop = data.find(b"\n\n", start, end)
    if stop < 0:
        stop = end
    if stop - start > MAX_HEADER:
        stop = start + MAX_HEADER
    block = b"\n%b\n" % data[start:stop]
    stray = _STRAY.search(block, 0, len(block) - 1)
    if stray is None:
        body = stop + 2
        return block, min(end, body)
    return block[: stray.start() + 1], start + stray.start()


def _spans(data: bytes, start: int, end: int, delimiter: bytes) -> list[tuple[int, int]]:
    """The slices between delimiter lines. The last one may lack its end: mail is cut off on the way."""
    spans: list[tuple[int, int]] = []
    begin = -1
    at = data.find(delimiter, start, end)
    while at >= 0:
        after = at + len(delimiter)
        closing = data[after : after + 2] == b"--"
        if closing or after >= end or data[after] in b"\n \t":
            if begin >= 0:
                spans.append((min(begin, at), at))
            if closing or len(spans) >= MAX_PARTS:
                return spans
            line_end = data.find(b"\n", after, end)
            begin = line_end + 1 if line_end >= 0 else end
            after = line_end if line_end >= 0 else end
        at = data.find(delimiter, after, end)
    if begin >= 0:
        spans.append((begin, end))
    return spans


def parse(message: bytes) -> Part:
    """The root entity of a message: line ends normalised, blank lines and the mbox line before the header skipped."""
    data = normalised(message)
    skipped = _ENVELOPE.match(data)
    return Part(data, skipped.end() if skipped else 0, len(data))
