"""Regular expressions that most runs never need, or few messages."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

END: Final = sys.maxsize
"""The end of every text, as `re` has it."""


class Rare:
    """A regular expression that is compiled when it is first asked for: all of them together take longer than most runs."""

    __slots__ = ("_compiled", "_flags", "_source")

    def __init__(self, source: str, flags: int = 0) -> None:
        self._source: Final = source
        self._flags: Final = flags
        self._compiled: re.Pattern[str] | None = None

    @property
    def pattern(self) -> re.Pattern[str]:
        """The compiled expression."""
        if self._compiled is None:
            self._compiled = re.compile(self._source, self._flags)
        return self._compiled

    def search(self, text: str, start: int = 0, end: int = END) -> re.Match[str] | None:
        """The first match."""
        return self.pattern.search(text, start, end)

    def match(self, text: str, start: int = 0, end: int = END) -> re.Match[str] | None:
        """The match that begins at the start."""
        return self.pattern.match(text, start, end)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """The match that is the whole text."""
        return self.pattern.fullmatch(text)

    def finditer(self, text: str, start: int = 0, end: int = END) -> Iterator[re.Match[str]]:
        """All matches."""
        return self.pattern.finditer(text, start, end)

    def findall(self, text: str) -> list[str]:
        """What all matches are, for an expression without groups."""
        return self.pattern.findall(text)

    def sub(self, by: str | Callable[[re.Match[str]], str], text: str) -> str:
        """The text with something else in place of all matches."""
        return self.pattern.sub(by, text)
