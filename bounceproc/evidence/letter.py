"""A message as a signature covers it: fields in order and a body, refused where two readers could read it differently."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from bounceproc.reports.mime import normalised

MAX_MESSAGE: Final = 1024 * 1024
"""Octets of a message whose signature is verified: reports are small, and a larger one waits for another proof."""
MAX_HEADER: Final = 64 * 1024
"""Octets of a header."""
MAX_FIELD: Final = 16 * 1024
"""Octets of one field: unfolding takes time that grows with the square of it."""
MAX_FIELDS: Final = 500

SINGLE: Final = frozenset(
    {"from", "to", "cc", "sender", "reply-to", "subject", "date", "message-id", "content-type", "mime-version"}
)
"""Fields that stand there once (RFC 5322 3.6, RFC 2045): a second one could be added to a signed message, and be read instead."""

_FIELD: Final = re.compile(rb"([!-9;-~]+):")
_FOLDS: Final = (b" ", b"\t")


@dataclass(frozen=True, slots=True)
class Letter:
    """One message. Lines end in LF."""

    head: bytes
    """The header, without the blank line behind it."""
    fields: tuple[tuple[str, bytes], ...]
    """Names in lower case, values as they stand, folds and all."""
    body: bytes

    @classmethod
    def parse(cls, message: bytes) -> Letter | None:
        """Read one; None where it is too large, or is formed so that it may mean different things to different readers."""
        if len(message) > MAX_MESSAGE or message.count(b"\r") != message.count(b"\r\n"):
            return None
        data = normalised(message).lstrip(b"\n")
        if data.startswith(b"From "):  # the mbox line
            data = data.partition(b"\n")[2]
        head, blank, body = data.partition(b"\n\n")
        if not blank or len(head) > MAX_HEADER:
            return None
        fields: list[tuple[str, list[bytes]]] = []
        for line in head.split(b"\n"):
            if line.startswith(_FOLDS):
                if not fields:
                    return None
                fields[-1][1].append(line)
                continue
            found = _FIELD.match(line)
            if found is None or len(fields) >= MAX_FIELDS:
                return None
            fields.append((found[1].decode("ascii").lower(), [line[found.end() :]]))
        joined = tuple((name, b"\n".join(lines)) for name, lines in fields)
        return cls(head, joined, body) if all(len(value) <= MAX_FIELD for _, value in joined) else None

    def all(self, name: str) -> list[bytes]:
        """Every value of that name."""
        return [value for each, value in self.fields if each == name]

    def only(self, name: str) -> bytes | None:
        """The value of a field that stands there once; None where there is none, or there are several."""
        found = self.all(name)
        return found[0] if len(found) == 1 else None

    @property
    def is_plain(self) -> bool:
        """Whether no field stands there twice that must not."""
        return all(count == 1 or name not in SINGLE for name, count in Counter(name for name, _ in self.fields).items())

    def begins_with(self, boundary: bytes) -> bool:
        """Whether the first line of the body that begins a part is this boundary's.

        Many signatures do not cover Content-Type: with another boundary the same body, signed as it is, would have other parts.
        """
        at = 0 if self.body.startswith(b"--") else self.body.find(b"\n--") + 1
        line = self.body[at : at + len(boundary) + 100].partition(b"\n")[0]
        return line.rstrip() == b"--" + boundary
