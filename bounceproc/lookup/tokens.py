"""Who may ask and who may write: bearer tokens, of which only digests are kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final

from bounceproc.errors import ConfigError

ROLES: Final = ("read", "write")
"""Who may write may ask, too."""
_LINE: Final = re.compile(r"([\w.@-]{1,64})\s+(read|write)\s+sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who holds a token."""

    name: str
    writes: bool


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """The tokens of one server."""

    known: tuple[tuple[bytes, Caller], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Tokens:
        """Read lines of `NAME read|write sha256:DIGEST`; empty ones and those that begin with # say nothing.

        Raises:
            ConfigError: a line is none of these. It is not repeated: it may be a token in the clear.

        """
        known = []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            found = _LINE.fullmatch(line.strip())
            if found is None:
                raise ConfigError(
                    f"serve.tokens: line {number} is no token",
                    "Write NAME read|write sha256:DIGEST, as `bounceproc serve --new-token read NAME` prints it.",
                )
            known.append((bytes.fromhex(found[3]), Caller(found[1], found[2] == "write")))
        return cls(tuple(known))

    def __bool__(self) -> bool:
        return bool(self.known)

    def caller(self, token: bytes) -> Caller | None:
        """Who holds it; None for nobody. It takes the same time for every token."""
        digest, found = hashlib.sha256(token).digest(), None
        for known, caller in self.known:
            if hmac.compare_digest(known, digest):
                found = caller
        return found


def new_token(name: str, role: str) -> tuple[str, str]:
    """A new token, and the line for the file of tokens.

    Raises:
        ConfigError: the name or the role cannot be written into that file.

    """
    token = f"bp_{secrets.token_urlsafe(32)}"
    line = f"{name} {role} sha256:{hashlib.sha256(token.encode()).hexdigest()}"
    Tokens.parse(line)
    return token, line
