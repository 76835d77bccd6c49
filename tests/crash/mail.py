"""A mailbox full of mail: the corpus, again and again, each time about other people."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.unit.mails import NO_RECIPIENT

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPUS: Final = Path(__file__).parent.parent / "corpus"
_LOCAL: Final = re.compile(rb"[\w.+-]+(?=@(?:\w+\.)*example\.(?:com|org|net)\b)")
PEOPLE: Final = 97
"""So many people are reported again and again, and never twice in one batch: of several reports that would each be enough,
the list cites the one that was there first, and so it would depend on where a batch ends."""
STRIDE: Final = 37
"""Steps through the corpus: a few messages are of many kinds already."""


def mails(count: int) -> Iterator[bytes]:
    """So many messages. Few of them name nobody: they come as the same message again, as in any mailbox."""
    corpus = [NO_RECIPIENT, *(path.read_bytes() for path in sorted(CORPUS.rglob("*.eml")))]
    for number in range(count):
        yield about(corpus[number * STRIDE % len(corpus)], number % PEOPLE)


def about(message: bytes, number: int) -> bytes:
    """The same message with addresses and Message-IDs of its own."""
    return _LOCAL.sub(rb"n%d.\g<0>" % number, message)
