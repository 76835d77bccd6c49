"""What a mail server said, as a row of words: case, accents, punctuation, addresses and repeated codes do not count."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from bounceproc.rare import Rare

MAX_TEXT: Final = 2000
"""Characters of a text that are looked at. RFC 5321 4.5.3.1.5 caps a reply line at 512 octets; prose puts its reason early."""

MAX_GAP: Final = 120
"""Characters of folded text that a gap in a pattern may span: about one sentence, so that two ends belong together."""

_ADDRESS: Final = Rare(
    r"(?<![^\s<>()\[\]\"',;:=@])[^\s<>()\[\]\"',;:=@]*+@[^\x00-,/:-@\[-^`{-\x7f\U00010000-\U0010ffff]++"
)
"""An address inside one token, possessive so that no text makes it slow. Its words (`does-not-exist@`, `spam@`) say nothing.
A domain has letters, digits, `.-_` and whatever is in the Basic Multilingual Plane. The pattern says what it has not: a range so
large takes `re` longer to compile than all other patterns."""

_HOST: Final = Rare(r"(?<![\w.\-])[\w\-]++(?:\.[\w\-]++)+\.? ?\[[0-9a-f]{1,4}[.:][0-9a-f.:]{1,42}\]", re.IGNORECASE)
"""A host with its IP, as in `host antispam.example.com[192.0.2.1] said:`. Its name is no word of the reply."""


def _set_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ENDS_NAMES: Final = _set_of(
    "com net org edu gov mil int info biz name arpa example test invalid localhost local localdomain lan internal intranet corp home "
    "mobi asia email cloud online site shop store tech dev app xyz top club live world email mail host systems solutions agency "
    "zip rar exe dll scr bat cmd com vbs js jar iso img lnk doc docx docm xls xlsx xlsm pdf rtf txt eml msg"
)
"""What a name of the DNS ends with, besides two letters of a country, or the name of a file."""
_WORDS_TOO: Final = _set_of("am an as at be by do go he if in is it me my no of ok on or so to up us we")
"""Countries that are words as well: a sentence that begins without a space (`is full.In case`) is no name, one of three parts is."""
_LABELS: Final = _set_of(
    "spam antispam spamfilter spamtrap virus antivirus malware greylist greylisted greylisting graylist timeout timedout expired expire "
    "blocked block blocking refused refuse reject rejected rejects mailbox mailboxes quota overquota full disabled inactive suspended "
    "locked closed abandoned unknown user users nouser loop loops looping policy tls starttls ssl spf dkim dmarc arc blacklist "
    "blacklisted blocklist blocklisted denied deny relay relaying sender senders recipient recipients bounce bounces bounced deferred "
    "throttle throttled throttling ratelimit ratelimited rate limit error errors failure failed fail invalid nonexistent dead moved "
    "content filter filtered size large toolarge toobig offline unavailable unreachable temporary nxdomain nullmx null gone reputation "
    "busy overloaded infected phishing unverified unauthenticated auth authentication login suppressed suppression ptr helo rdns "
    "such domain host address account over exist exists exceeded exceeds found known "
    "dns required greeting syntax protocol delivery notfound missing broken encrypted encryption loopback trap"
)
"""Labels of names that are words of refusals: a domain that is called so is not refused so."""

_ASYNCOS: Final = re.compile(r"[45]\.\d\.\d - [A-Za-z][\w ()]{3,60} (?=(?:[45]\d\d-)?'|$)")
"""AsyncOS explains a code in words of its own before it quotes the reply: `5.1.0 - Unknown address error '550 ...'`."""

_NUMBERS: Final = frozenset(str(number) for number in range(1000)) | {f"{number:02}" for number in range(10)}
"""Numbers of up to three digits are no words: codes that servers repeat on each line of a reply, counts, octets."""

_ASCII: Final = (
    "".join(chr(i).lower() if chr(i).isalnum() or chr(i) in "@_" else " " for i in range(128)).ljust(256).encode()
)
"""What stands for each octet of a text that is ASCII: a table of octets takes a fifth of the time of one of characters."""
_SIGNS: Final = r"\u0e00-\u0e7f\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Scripts that put no space between words: Thai, Hangul (its letters, once decomposed), Kana, Han."""
_WORD: Final = Rare(rf"@|[{_SIGNS}]|[^\W{_SIGNS}]+")
_MARKS: Final = Rare(r"[\u0300-\u036f\u200b-\u200f\u00ad]+")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without accents. An address is the word `@`; each Han or Kana sign is a word.

    A Polish server writes `użytkownik` with its accent or without; `ł`, which Unicode does not take apart, is no other matter.

    Work is linear in the text, of which the first `MAX_TEXT` characters count.
    """
    text = text[:MAX_TEXT]
    if "@" in text:
        text = _around(text, "@", _ADDRESS, " @ ")
    if "[" in text:
        text = _around(text, "[", _HOST, " ")
    text = _names_quiet(text)
    if " - " in text:
        text = _ASYNCOS.sub(" ", text)
    if text.isascii():
        words = text.encode("ascii").translate(_ASCII).decode("ascii").split()
    else:
        words = _WORD.findall(_MARKS.sub("", unicodedata.normalize("NFKD", text)).lower().replace("ł", "l"))
    return [word for word in words if len(word) > 3 or word not in _NUMBERS]


def _names_quiet(text: str) -> str:
    """A text whose names of hosts, domains and files say nothing: `no-such-user.example` and `spam.example` are no sentences.

    Their words of refusals go. What names a page on the web stays: it is chosen to explain.
    """
    at = text.find(".")
    parts: list[str] = []
    done = 0
    last = len(text) - 1
    while 0 <= at < last:
        if not text[at + 1].isalpha() or at == done or not text[at - 1].isalnum():
            at = text.find(".", at + 1)
            continue
        start = at
        while start > done and (text[start - 1].isalnum() or text[start - 1] in "-_."):
            start -= 1
        end = at + 1
        while end <= last and (text[end].isalnum() or text[end] in "-_."):
            end += 1
        if (start == 0 or text[start - 1] != "/") and (end > last or text[end] != "/"):
            written = text[start:end].rstrip("-_.")
            name = written.lower()
            labels = name.replace("-", ".").split(".")
            # `Mailbox full.Email us` lacks a space between two sentences.
            if _is_name(labels, name.count(".")) and not written.rpartition(".")[2].istitle():
                quiet = " ".join(label for label in labels if label not in _LABELS)
                parts += (text[done:start], quiet)
                done = end
        at = text.find(".", end)
    return "".join((*parts, text[done:])) if parts else text


def _is_name(labels: list[str], dots: int) -> bool:
    """Whether labels are those of a name of the DNS that has words to be taken for others."""
    end = labels[-1]
    if end not in _ENDS_NAMES and (len(end) != 2 or not end.isalpha() or (end in _WORDS_TOO and dots == 1)):
        return False
    return not _LABELS.isdisjoint(labels)


def _around(text: str, sign: str, pattern: Rare, by: str) -> str:
    """Replace a pattern where its sign stands, without a search of all the text. Each character is looked at once."""
    parts: list[str] = []
    done = 0
    at = text.find(sign)
    while at >= 0:
        start = max(text.rfind(" ", done, max(at - 1, done)) + 1, done)
        end = text.find(" ", at)
        end = len(text) if end < 0 else end
        parts += (text[done:start], pattern.sub(by, text[start:end]))
        done = end
        at = text.find(sign, done)
    return "".join((*parts, text[done:]))


def folded(words: list[str]) -> str:
    """Words as one string in which ` word word ` can be searched."""
    return f" {' '.join(words)} "


def pattern_of(text: str) -> str:
    """A pattern as it is searched for: its words, and ` * ` for a gap between two pieces. Empty if it has no word."""
    pieces = (" ".join(words_of(piece)) for piece in f" {text} ".split(" * "))
    return " * ".join(piece for piece in pieces if piece)


def contains(text: str, pattern: str) -> bool:
    """Whether the pieces of a pattern follow one another in a folded text, each at most `MAX_GAP` behind the one before.

    Behind each place of the first piece the nearest place of the next one counts: no search branches.
    """
    if " * " not in pattern:
        return pattern in text and f" {pattern} " in text  # few are in it at all
    first, rest = _pieces(pattern)
    at = text.find(first)
    while at >= 0:
        end = at + len(first) - 1
        for piece in rest:
            found = text.find(piece, end, end + MAX_GAP + len(piece))
            if found < 0:
                break
            end = found + len(piece) - 1
        else:
            return True
        at = text.find(first, at + 1)
    return False


@lru_cache(maxsize=1 << 14)
def _pieces(pattern: str) -> tuple[str, tuple[str, ...]]:
    """The first piece of a pattern with gaps and the others, as they are searched for."""
    first, *rest = (f" {piece} " for piece in pattern.split(" * "))
    return first, tuple(rest)
