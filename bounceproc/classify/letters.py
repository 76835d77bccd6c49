"""What was done to the letters of a text on its way: escapes, entities, a charset mistaken for another, and `?` for letters."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from bounceproc.rare import Rare

WORDS: Final = Path(__file__).parent / "data" / "words.txt"
"""The words of other languages in the built-in rules, each with the number of its patterns and examples: a `?` in a word is read from them.
Written with the compiled rules."""

_MOST: Final = 12
"""Words with a `?` in them that are looked up in one text."""
_LONG: Final = 60
"""Characters of what is longer than such a word, with the signs around it."""

_ESCAPE: Final = Rare(
    r"(?:\\[23][0-7]{2}(?=\\))(?:\\[0-3][0-7]{2})+|(?:\\x[0-9a-fA-F]{2})+|\\u[0-9a-fA-F]{4}|\\x\{[0-9a-fA-F]{1,5}\}"
    r"|(?:\\r)?\\n(?![a-z])|\\r\\n"
)
"""Exim writes octets that are no ASCII as `\\303\\244`, Python as `\\xc3\\xa4`, JSON and RFC 6533 by their characters."""

_QUOTED: Final = Rare(r"=(?:\r?\n|(?:[89A-F][0-9A-F]|20|3D|0D|0A)(?:=(?:[89A-F][0-9A-F]|20|3D|0D|0A))*)")
"""Quoted-printable that nobody took off: soft line breaks, and octets that a word has."""

_ENTITY: Final = Rare(r"&(?:#\d{2,6}|#[xX][0-9a-fA-F]{2,5}|[A-Za-z]{2,8}\d?);")
_UTF7: Final = Rare(r"\+[AB][A-Za-z0-9/]{2,200}-")

_CP1252: Final = {
    ord(sign): bytes([octet]).decode("latin-1")
    for octet in range(0x80, 0xA0)
    if (sign := bytes([octet]).decode("cp1252", "ignore"))
}
_BEHIND: Final = "[\u0080-\u00bf" + "".join(map(chr, _CP1252)) + "]"
_MISTAKEN: Final = Rare(
    f"(?:[\u00c2-\u00df]{_BEHIND}|[\u00e0-\u00ef]{_BEHIND}{{2}}|[\u00f0-\u00f4]{_BEHIND}{{3}})+",
)
"""UTF-8 that was read as Latin-1 or Windows-1252: `Ã¤`."""
_LEADS: Final = "\u00c3\u00c2\u00c4\u00c5\u00d0\u00d1\u00e3\u00e5\u00e6"
"""What such a text has at least one of: first octets of the letters of Europe, of Kana, and of most Han."""
_HALVED: Final = (("\u00c3 ", "\u00e0 "), ("\u00d0 ", "\u0420"), ("\u00d1\ufffd", "\u044f"), ("\u00d1", "\u044f"))
"""The same of letters of which the second octet was taken for white space, or is nothing in Windows-1252."""

_GAPPED: Final = Rare(r"(?<![\w?/=&.%+@\-])[A-Za-z]*+\?[A-Za-z?]*+(?![\w/=&@%+\-])")
"""A word in which `?` stands for letters, and no link."""
_GAPS: Final = re.compile(r"\?+")
_LOST: Final = "[aceilnosuyzß]"
"""What is left of the letters that are no ASCII, once they have no accents."""


def undone(text: str) -> str:
    """A text as it was before somebody escaped its letters or lost them. Most texts are what they are, and stay so."""
    if "\\" in text:
        text = _ESCAPE.sub(_unescaped, text)
    if "=" in text:
        text = _QUOTED.sub(_unquoted, text)
    if "&" in text and ";" in text:
        text = _ENTITY.sub(_entity, text)
    if "+" in text and "-" in text:
        text = _UTF7.sub(_seven_bit, text)
    if not text.isascii():
        text = _not_mistaken(text)
    return _spelled(text) if "?" in text else text


def _octets(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("cp1252", "replace")


def _unescaped(found: re.Match[str]) -> str:
    escape = found[0]
    if escape[1] in "rn":
        return "\n"
    if escape[1] == "u" or escape[2] == "{":
        code = int(escape[2:].strip("{}"), 16)
        return " " if 0xD800 <= code < 0xE000 else chr(code)
    if escape[1] == "x":
        return _octets(bytes.fromhex(escape.replace("\\x", "")))
    return _octets(bytes(int(octet, 8) for octet in escape[1:].split("\\")))


def _unquoted(found: re.Match[str]) -> str:
    return "" if found[0][1] in "\r\n" else _octets(bytes.fromhex(found[0].replace("=", "")))


def _entity(found: re.Match[str]) -> str:
    import html  # noqa: PLC0415 - it knows two thousand names of letters

    return html.unescape(found[0])


def _seven_bit(found: re.Match[str]) -> str:
    try:
        letters = found[0].encode().decode("utf-7")
    except UnicodeDecodeError:
        return found[0]
    return letters if letters.isalpha() and not letters.isascii() else found[0]


def _not_mistaken(text: str) -> str:
    given = text
    for _ in range(2):  # some mistake it twice
        if not _has_one(text, _LEADS):
            break
        text = _MISTAKEN.sub(_as_utf8, text)
    if text != given:
        for half, letter in _HALVED:
            text = text.replace(half, letter)
    return text.replace("\ufffd", "?") if "\ufffd" in text else text


def _has_one(text: str, signs: str) -> bool:
    for sign in signs:  # noqa: SIM110 - a third of the time of `any`
        if sign in text:
            return True
    return False


def _as_utf8(found: re.Match[str]) -> str:
    return found[0].translate(_CP1252).encode("latin-1").decode("utf-8", "replace")


def _spelled(text: str) -> str:
    """A text with the words that `?` made unreadable: `Empf?nger`, or `Empf??nger` with one for each octet."""
    parts: list[str] = []
    done = looked = 0
    lossy = False
    at = text.find("?")
    while at >= 0 and looked < _MOST:
        start = max(text.rfind(" ", done, at) + 1, done)
        end = text.find(" ", at)
        end = len(text) if end < 0 else end
        token = text[start:end]
        if len(token) < _LONG and "/" not in token and "=" not in token:  # no link
            looked += 1
            word = token.rstrip("?")
            lossy = lossy or "?" in word or text[end + 1 : end + 2].islower()
            parts += (text[done:start], _GAPPED.sub(_filled, token if lossy else word))  # somebody may just ask
            done = end
        at = text.find("?", end)
    return "".join((*parts, text[done:])) if parts else text


def _filled(found: re.Match[str]) -> str:
    return _word(found[0].lower()) or found[0]


@lru_cache(maxsize=1024)
def _word(gapped: str) -> str:
    """The word that most patterns have of those that it may be; nothing where there is none."""
    if len(gapped.replace("?", "")) < 2:
        return ""
    return _most_used(_GAPS.sub(_of_two_octets, gapped)) or _most_used(_GAPS.sub(_of_one, gapped))


def _most_used(word: str) -> str:
    best, most = "", 0
    for found in re.finditer(f"\n({word})=([0-9]+)", _known()):
        if int(found[2]) > most:
            best, most = found[1], int(found[2])
    return best


def _of_two_octets(gap: re.Match[str]) -> str:
    return f"{_LOST}{{{(len(gap[0]) + 1) // 2}}}"


def _of_one(gap: re.Match[str]) -> str:
    return f"{_LOST}{{{len(gap[0])}}}"


@cache
def _known() -> str:
    return "\n" + WORDS.read_text(encoding="utf-8")
