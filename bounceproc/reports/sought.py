"""Patterns that are searched for only where a text has one of the words that they need."""

from __future__ import annotations

import re
from typing import Final

from bounceproc.rare import Rare


class Sought:
    """A pattern that is searched for where a text has one of the words that every match of it has: a cheap test before it.

    The words are ASCII and in lower case. A text that is not ASCII may have a match without one, and is always searched.
    """

    def __init__(self, words: str, pattern: str) -> None:
        """`words` has commas between them."""
        self.words: Final = tuple(words.split(","))
        self.rare: Final = Rare(pattern, re.IGNORECASE)

    def search(self, text: str) -> re.Match[str] | None:
        """The first match in a text."""
        return self.rare.search(text) if self._may_be_in(text) else None

    def match(self, text: str) -> re.Match[str] | None:
        """The match with which a text begins."""
        return self.rare.match(text) if self._may_be_in(text) else None

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """The match that a whole text is."""
        return self.rare.fullmatch(text) if self._may_be_in(text) else None

    def _may_be_in(self, text: str) -> bool:
        if not text.isascii():
            return True
        lowered = text.lower()
        for word in self.words:  # noqa: SIM110 - `any` would make a generator of it
            if word in lowered:
                return True
        return False
