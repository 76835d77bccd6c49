"""Where one message lies on an IMAP server, as a text that can be kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

_PLACE: Final = re.compile(r"([^;]+);UIDVALIDITY=(\d{1,10})/;UID=(\d{1,10})")
_BCHAR: Final = "/:@&=!$'()*+,"
"""What RFC 5092 section 11 lets stand in the name of a folder, beyond the unreserved characters."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A folder, the UIDVALIDITY that it had, and a UID: the tail of an IMAP URL (RFC 5092 section 6)."""

    folder: str
    uidvalidity: int
    uid: int

    @classmethod
    def parse(cls, text: str) -> Place | None:
        """Read what `str()` printed; None for any other text."""
        found = _PLACE.fullmatch(text)
        return cls(_unquoted(found[1]), int(found[2]), int(found[3])) if found else None

    @staticmethod
    def within(folder: str) -> str:
        """What all places in a folder begin with, and those in no other folder."""
        return f"{_quoted(folder)};"

    def __str__(self) -> str:
        return f"{_quoted(self.folder)};UIDVALIDITY={self.uidvalidity}/;UID={self.uid}"


@lru_cache(maxsize=64)
def _quoted(folder: str) -> str:
    return quote(folder, safe=_BCHAR)


@lru_cache(maxsize=64)
def _unquoted(folder: str) -> str:
    return unquote(folder)
