"""The structure of a message, read tolerantly from its octets: headers looked up, parts found and decoded when asked for."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

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

SHORT_HEAD: Final = 400
"""Octets of a part's header up to which what was read of it is remembered: a mail system types its parts always alike."""

_STRAY: Final = re.compile(rb"\n(?![A-Za-z-]++:|[ \t]|[!-9;-~]+[ \t]*:|>?From )")
"""A line that cannot stand in a header: the blank line before it was lost on the way. Names of letters are seen first."""

_DASH: Final = ord("-")
_LF: Final = ord("\n")
_CR: Final = ord("\r")
_ESC: Final = 0x1B
_LINE_ENDS: Final = b"\n \t"
_BLANKS: Final = " \t"
_FOLDS: Final = frozenset(_BLANKS)
_CR_IS_LF: Final = bytes.maketrans(b"\r", b"\n")

_ENVELOPE: Final = re.compile(rb"\n*(?:>?From [^\n]*\n)?")
"""Blank lines and the mbox line before the header."""


def normalised(message: bytes) -> bytes:
    """The message with LF alone at line ends: CRLF from the wire, CR from old Macs, CR CR LF from a clumsy gateway."""
    if _CR not in message:
        return message
    usual = message.replace(b"\r\n", b"\n")
    if _CR not in usual:
        return usual
    del usual  # of a large message no third copy
    return message.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n").translate(_CR_IS_LF)


@lru_cache(maxsize=64)
def _parameter(name: bytes) -> re.Pattern[str]:
    return re.compile(r"(?ai)[;\s]" + name.decode() + r"\*?\s*=\s*(?:\"([^\"\n]*)\"?|([^\s;\"]+))")


def _value(name: bytes, content_type: str) -> bytes:
    """A parameter of a Content-Type; empty where it is missing."""
    found = _parameter(name).search(content_type)
    return (found[1] or found[2] or "").encode("latin-1") if found else b""


@lru_cache(maxsize=256)
def _charset(content_type: str) -> str:
    """The charset in a Content-Type of a text: mail systems write a few of them again and again."""
    return _value(b"charset", content_type).decode("ascii", "replace")


@lru_cache(maxsize=256)
def _media_type(value: str) -> str:
    words = value.encode("latin-1").split(None, 1)
    found = words[0].decode("ascii", "replace").lower() if words else ""
    return found if "/" in found else "text/plain"


class _Needles(dict[bytes, str]):
    """How the fields of a name begin in a block: asked for some twenty names a message, put together once."""

    def __missing__(self, name: bytes) -> str:
        needle = self[name] = f"\n{name.decode()}:"
        return needle


_NEEDLES: Final = _Needles()


class Headers:
    """One header block. Nothing is parsed before it is asked for; names are lower-case octets.

    The block is searched as text, a character for each octet: compiled, a search of octets costs four times as much.
    """

    __slots__ = ("_is_spaced", "_lowered", "_text", "block")

    def __init__(self, block: bytes) -> None:
        """`block` holds the lines of the header, each after its LF, and ends with one."""
        self.block = block
        self._text = block.decode("latin-1")
        self._lowered = self._text.lower()
        self._is_spaced: bool | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and other.block == self.block

    def __hash__(self) -> int:
        return hash(self.block)

    def __contains__(self, name: bytes) -> bool:
        return self._find(name, 0) >= 0

    def _find(self, name: bytes, start: int) -> int:
        """Where the value of the next field of that name begins; -1 where there is none."""
        at = self._lowered.find(_NEEDLES[name], start)
        return at + len(name) + 2 if at >= 0 else self._spaced(name, start)

    def _spaced(self, name: bytes, start: int) -> int:
        """The same for a space before the colon: forbidden, and some gateways write it."""
        lowered = self._lowered
        if self._is_spaced is None:
            self._is_spaced = " :" in lowered or "\t:" in lowered
        if not self._is_spaced:
            return -1
        needle = "\n" + name.decode()
        at = lowered.find(needle, start)
        while at >= 0:
            at += len(needle)
            if lowered[at] in _BLANKS and lowered[at : at + 20].lstrip(_BLANKS)[:1] == ":":
                return lowered.index(":", at) + 1
            at = lowered.find(needle, at)
        return -1

    def _end(self, at: int) -> int:
        """Where the value that begins there ends, its folds included."""
        text = self._text
        end = text.find("\n", at)
        while text[end + 1 : end + 2] in _FOLDS and end - at < MAX_VALUE:
            end = text.find("\n", end + 1)
        return min(end, at + MAX_VALUE)

    def raw(self, name: bytes) -> str:
        """The first value of that name as it stands, folds and all, a character for each octet; empty where there is none."""
        at = self._find(name, 0)
        return self._text[at : self._end(at)] if at >= 0 else ""

    def get(self, name: bytes) -> str:
        """The first value of that name, unfolded and decoded; empty where there is none."""
        at = self._find(name, 0)
        return self._decoded(at) if at >= 0 else ""

    def _decoded(self, at: int) -> str:
        end = self._end(at)
        value = self._text[at:end]
        if value.isascii() and "=?" not in value and "\x1b" not in value:
            return " ".join(value.split())  # as nearly all are
        return value_text(self.block[at:end])

    def plain(self, name: bytes) -> str | None:
        """The first value of that name in lower case and otherwise as it stands; None where it has to be decoded first."""
        at = self._find(name, 0)
        value = self._lowered[at : self._end(at)].lstrip() if at >= 0 else ""
        return value if value.isascii() and "=?" not in value and "\x1b" not in value else None

    def all(self, name: bytes) -> list[str]:
        """Every value of that name, unfolded and decoded."""
        values: list[str] = []
        at = self._find(name, 0)
        while at >= 0 and len(values) < MAX_PARTS:
            values.append(self._decoded(at))
            at = self._find(name, at)
        return values


def value_text(value: bytes) -> str:
    """A header value unfolded, with encoded words decoded and white space squeezed."""
    text = value.decode("ascii") if value.isascii() and _ESC not in value else charset_text(value, "")
    return " ".join((words_decoded(text) if "=?" in text else text).split())


class Head(NamedTuple):
    """The header of an entity, and what it says of the body."""

    headers: Headers
    content_type: str
    """Content-Type as it stands, folds and parameters and all."""
    type: str
    """Content-Type in lower case, without parameters; `text/plain` where it is missing."""
    encoding: str
    """Content-Transfer-Encoding in lower case; empty where it is missing, and for multiparts, which have none (RFC 2045 6.4)."""
    stray: int
    """Where in the block a line stood that is no header, and the body begins; -1 where the blank line was there."""

    @classmethod
    def parse(cls, block: bytes) -> Head:
        """Read a block of lines, each after its LF."""
        stray = _STRAY.search(block, 0, len(block) - 1)
        headers = Headers(block if stray is None else block[: stray.start() + 1])
        content_type = headers.raw(b"content-type")
        type_ = _media_type(content_type[:200].partition(";")[0])
        encoding = "" if type_.startswith("multipart/") else headers.get(b"content-transfer-encoding").lower()
        # A named tuple's own constructor is Python of its own, not to be compiled.
        return tuple.__new__(cls, (headers, content_type, type_, encoding, stray.start() if stray else -1))


@lru_cache(maxsize=512)
def _known_head(lines: bytes) -> Head:
    return Head.parse(b"\n%b\n" % lines)


_NO_HEAD: Final = Head.parse(b"\n")


class Part:
    """One entity of a message: a slice of its octets that knows where its body begins."""

    __slots__ = ("_children", "body", "content_type", "data", "depth", "encoding", "end", "headers", "report", "type")

    def __init__(self, data: bytes, start: int, end: int, depth: int = 0, *, report: bool = False) -> None:
        self.data = data
        self.end = end
        self.depth = depth
        self._children: tuple[Part, ...] | None = None
        head, self.body = split(data, start, end, is_new=depth == 0)
        self.headers, self.content_type, self.type, self.encoding, _ = head
        self.report = report or self.type == "multipart/report"
        """Whether it is a multipart/report or stands in one, however deep."""

    @property
    def is_multipart(self) -> bool:
        """Whether it consists of parts."""
        return self.type.startswith("multipart/")

    def parameter(self, name: bytes) -> bytes:
        """A parameter of Content-Type; empty where it is missing."""
        return _value(name, self.content_type)

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
        if not self.encoding:
            return self.data[self.body : min(self.end, self.body + limit)]
        return transfer_decoded(self.data[self.body : min(self.end, self.body + limit * 2)], self.encoding)[:limit]

    def text(self, limit: int = MAX_TEXT) -> str:
        """The body as text: decoded, HTML turned into lines, line ends normalised, no more than about `limit` characters."""
        is_html = self.type == "text/html"
        octets = self.octets(limit * 2 if is_html else limit)
        if _CR in octets:
            octets = normalised(octets)
        text = charset_text(octets, _charset(self.content_type) if "=" in self.content_type else "")
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


def has_stray_line(block: bytes) -> bool:
    """Whether a line of a header block can stand in no header."""
    return _STRAY.search(block, 0, len(block) - 1) is not None


def split(data: bytes, start: int, end: int, *, is_new: bool = False) -> tuple[Head, int]:
    """The header of an entity, and where its body begins; an entity that ends before it begins has neither.

    With `is_new` it is not looked for among those that were read: the header of a message is like no other.
    """
    if start >= end or data[start] == _LF:
        return _NO_HEAD, min(end, start + 1)
    stop = data.find(b"\n\n", start, end)
    if 0 <= stop < start + SHORT_HEAD and not is_new:
        head = _known_head(data[start:stop])
    else:
        stop = min(stop if stop >= 0 else end, start + MAX_HEADER)
        head = Head.parse(b"\n%b\n" % data[start:stop])
    if head.stray >= 0:
        return head, min(end, start + head.stray)
    return head, min(end, stop + 2)


def _spans(data: bytes, start: int, end: int, delimiter: bytes) -> list[tuple[int, int]]:
    """The slices between delimiter lines. The last one may lack its end: mail is cut off on the way."""
    spans: list[tuple[int, int]] = []
    begin = -1
    at = data.find(delimiter, start, end)
    while at >= 0:
        after = at + len(delimiter)
        follows = data[after] if after < end else _LF
        closing = follows == _DASH and data[after : after + 2] == b"--"
        if closing or follows in _LINE_ENDS:
            if begin >= 0:
                spans.append((min(at, begin), at))
            if closing or len(spans) >= MAX_PARTS:
                return spans
            after = after if follows == _LF else data.find(b"\n", after, end)
            if after < 0 or after >= end:
                after = begin = end
            else:
                begin = after + 1
        at = data.find(delimiter, after, end)
    if begin >= 0:
        spans.append((begin, end))
    return spans


def parse(message: bytes) -> Part:
    """The root entity of a message: line ends normalised, blank lines and the mbox line before the header skipped."""
    data = normalised(message)
    skipped = _ENVELOPE.match(data) if data[:1] in b"\n>" or data[:5] == b"From " else None
    return Part(data, skipped.end() if skipped else 0, len(data))
