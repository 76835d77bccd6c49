"""Octets of a hostile message made text: charsets, transfer encodings, encoded words, HTML."""

from __future__ import annotations

import binascii
import re
from typing import Final

from bounceproc.rare import Rare

_FAMILIES: Final = (
    *("utf", "us-ascii", "ascii", "ansi_x3", "iso", "latin", "windows", "cp", "koi8", "euc", "shift", "sjis", "x-sjis"),
    *("gb", "x-gbk", "hz", "big5", "ks_c", "ms", "mac", "tis", "johab", "l1"),
)
"""Charsets that a mail may name. Python knows codecs that are none (`idna`, `unicode_escape`), some of them slow."""

_RENAMED: Final = {"gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "x-sjis": "cp932", "shift_jis": "cp932"}
"""Senders name the old subset and use characters of its successor."""

_ESC: Final = 0x1B
_SEVEN_BIT: Final = ("iso-2022", "utf-7", "hz", "utf-16", "utf16", "utf-32")
"""Charsets in which octets below 128 are not ASCII."""

_WORD: Final = Rare(r"=\?([\w.:*-]{1,40})\?([bq])\?([^?\n]{0,2000})\?=", re.IGNORECASE)
_BETWEEN_WORDS: Final = Rare(r"(?<=\?=)[ \t\n]+(?==\?)")
_NOT_BASE64: Final = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))

_UNSHOWN: Final = ("style", "script", "head")
_BREAK: Final = Rare(r"<(?:br|/p|/div|/tr|/li|/h[1-6]|p|div|tr|li|table|hr)\b[^<>]{0,2000}>", re.IGNORECASE)
_PRE: Final = Rare(r"</?pre\b[^<>]{0,2000}>", re.IGNORECASE)
"""Between the first and the second, and so on: a page that opens two in each other is none that a mail system writes."""
_TAG: Final = Rare(r"<[!/a-z?][^<>]{0,5000}>", re.IGNORECASE)
_BLANK: Final = Rare(r"[ \t\r\f\v\u00a0]+")


def charset_text(octets: bytes, charset: str) -> str:
    """Octets as text, whatever they are: the named charset if it is one, else UTF-8, else Windows-1252."""
    name = charset.strip("\"' ").lower()
    if octets.isascii() and _ESC not in octets and not name.startswith(_SEVEN_BIT):
        return octets.decode("ascii")
    if name.startswith(_FAMILIES) and not (name.startswith(("us-ascii", "ascii", "ansi"))):
        try:
            return octets.decode(_RENAMED.get(name, name), "replace")
        except (LookupError, UnicodeError, ValueError):
            pass  # a name that nobody knows
    if b"\x1b$" in octets or b"\x1b(" in octets:
        return octets.decode("iso-2022-jp", "replace")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("cp1252", "replace")


def transfer_decoded(octets: bytes, encoding: str) -> bytes:
    """Octets without their Content-Transfer-Encoding (RFC 2045 6); what is no valid encoding is passed over."""
    match encoding.strip().lower():
        case "base64":
            return base64_decoded(octets)
        case "quoted-printable":
            return binascii.a2b_qp(octets)
        case _:
            return octets


def base64_decoded(octets: bytes) -> bytes:
    """Base64, cut off anywhere, padded wrongly or strewn with other characters: what can be read of it."""
    clean = octets.partition(b"=")[0] if octets.find(b"=") in range(len(octets) - 80) else octets
    clean = clean.translate(None, _NOT_BASE64)
    if len(clean) % 4 == 1:
        clean = clean[:-1]
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def words_decoded(text: str) -> str:
    """A header value with its encoded words (RFC 2047) decoded; what is none stays as it is."""
    if "=?" not in text:
        return text
    return _WORD.sub(_word, _BETWEEN_WORDS.sub("", text))


def _word(found: re.Match[str]) -> str:
    charset, encoding, payload = found.groups()
    octets = payload.encode("utf-8", "replace")
    octets = base64_decoded(octets) if encoding in "bB" else binascii.a2b_qp(octets, header=True)
    return charset_text(octets, charset.partition("*")[0])


def html_text(page: str) -> str:
    """The words of an HTML page, in lines. Linear: nothing is nested, nothing is balanced."""
    import html  # noqa: PLC0415 - it knows two thousand names of letters

    for name in _UNSHOWN:
        page = _without(page, name)
    page = _unwrapped(page)
    page = _TAG.sub("", _BREAK.sub("\n", page))
    lines = (_BLANK.sub(" ", line).strip() for line in html.unescape(page).split("\n"))
    return "\n".join(lines)


def _unwrapped(page: str) -> str:
    """A page whose line ends are those that are shown: within `pre` all of them, elsewhere none."""
    pieces = _PRE.pattern.split(page)
    for place in range(0, len(pieces), 2):
        pieces[place] = pieces[place].replace("\n", " ")
    return "\n".join(pieces)


def _without(page: str, name: str) -> str:
    lowered = page.lower()
    if len(lowered) != len(page):  # a few capital letters of the world grow when lowered
        return page
    kept: list[str] = []
    at = 0
    while (begin := lowered.find(f"<{name}", at)) >= 0:
        kept.append(page[at:begin])
        end = lowered.find(f"</{name}", begin)
        if end < 0:
            return "".join(kept)
        at = end
    kept.append(page[at:])
    return "".join(kept)
