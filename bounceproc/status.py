"""SMTP reply codes and enhanced status codes (RFC 5321, RFC 3463, RFC 5248) as values."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

_ENHANCED: Final = re.compile(r"[245](?<![\d.][245])\.(\d{1,3})\.(\d{1,3})(?!\d|\.\d)")
"""The first sign is literal, here and below, so that the search is fast."""
_CLASSES: Final = ("5.", "4.", "2.")
_CODES: Final = {str(code): code for code in range(200, 560) if code % 100 < 60}
_BEHIND_CODE: Final = frozenset(" -\n\t#")
"""Signs behind the code with which nearly every reply begins: two looks instead of a search."""
_REPLY: Final = re.compile(r"[2-5](?<![\d.][2-5])[0-5]\d(?=[\s\-#]|$)")


class EnhancedStatus(NamedTuple):
    """An enhanced mail system status code: class, subject and detail (RFC 3463, registry of RFC 5248)."""

    class_: int
    subject: int
    detail: int

    @classmethod
    def parse(cls, text: str) -> EnhancedStatus | None:
        """The code that `text` consists of, white space and an RFC 822 comment behind it aside; None if it is none."""
        found = _ENHANCED.match(text.strip())
        return _status(found[0][0], found[1], found[2]) if found else None

    @classmethod
    def find(cls, text: str) -> EnhancedStatus | None:
        """The first code in an SMTP reply or Diagnostic-Code. An IP address is none."""
        for begins in _CLASSES:
            if begins in text:
                break
        else:
            return None  # sooner seen than by the search
        found = _ENHANCED.search(text)
        return _status(found[0][0], found[1], found[2]) if found else None

    @property
    def is_success(self) -> bool:
        """2.X.X: delivered."""
        return self.class_ == 2

    @property
    def is_transient(self) -> bool:
        """4.X.X: may succeed later."""
        return self.class_ == 4

    @property
    def is_permanent(self) -> bool:
        """5.X.X: will not succeed by waiting. Says nothing of whose fault it is."""
        return self.class_ == 5

    def __str__(self) -> str:
        return f"{self.class_}.{self.subject}.{self.detail}"


@lru_cache(maxsize=1024)
def _status(class_: str, subject: str, detail: str) -> EnhancedStatus:
    """The registry of RFC 5248 has a hundred codes; most reports have one of ten."""
    return EnhancedStatus(int(class_), int(subject), int(detail))


def find_reply_code(text: str) -> int | None:
    """The first SMTP reply code (RFC 5321 4.2, 200 to 559) in a Diagnostic-Code or a line of prose, None if there is none.

    A number counts only where a reply code can stand: at a word's start and before a space, hyphen, `#` or the end.
    """
    code = _CODES.get(text[:3])
    if code is not None and text[3:4] in _BEHIND_CODE:
        return code
    found = _REPLY.search(text)
    return int(found[0]) if found else None
