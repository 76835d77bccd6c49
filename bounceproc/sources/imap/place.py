"""Where one message lies on an IMAP server, as a text that can be kept."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

_FOLDER: Final = re.compile(r"([^;]+);UIDVALIDITY=(\d{1,10})")
_BCHAR: Final = "/:@&=!$'()*+,"
"""What RFC 5092 section 11 lets stand in the name of a folder, beyond the unreserved characters."""
_DIGITS: Final = 10
"""Of a number of 32 bits, at most."""


class Place(NamedTuple):
    """A folder, the UIDVALIDITY that it had, and a UID: the tail of an IMAP URL (RFC 5092 section 6)."""

    folder: str
    uidvalidity: int
    uid: int

    @classmethod
    def parse(cls, text: str) -> Place | None:
        """Read what `str()` printed; None for any other text."""
        head, _, uid = text.rpartition("/;UID=")
        found = _read(head)
        return cls(*found, int(uid)) if found is not None and uid.isdecimal() and len(uid) <= _DIGITS else None

    @staticmethod
    def within(folder: str) -> str:
        """What all places in a folder begin with, and those in no other folder."""
        return f"{_quoted(folder)};"

    def __str__(self) -> str:
        return f"{_head(self.folder, self.uidvalidity)}{self.uid}"


# What the places of one folder share is made and read once.


@lru_cache(maxsize=64)
def _head(folder: str, uidvalidity: int) -> str:
    return f"{_quoted(folder)};UIDVALIDITY={uidvalidity}/;UID="


@lru_cache(maxsize=64)
def _read(head: str) -> tuple[str, int] | None:
    found = _FOLDER.fullmatch(head)
    return (unquote(found[1]), int(found[2])) if found is not None else None


def _quoted(folder: str) -> str:
    return quote(folder, safe=_BCHAR)
