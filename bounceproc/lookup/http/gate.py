"""Who comes in, how often, and with how much."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bounceproc.lookup.http.problems import ProblemError
from bounceproc.lookup.tokens import Caller, Tokens

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

BODY_LIMIT: Final = 4 << 20
"""Octets of a body: 10,000 of the longest addresses."""
CALLERS: Final = 10_000
"""Callers whose requests are counted at once."""

ANYBODY: Final = Caller("anybody", writes=False)
"""Whoever asks where there are no tokens."""


@dataclass(slots=True)
class Gate:
    """One server's."""

    tokens: Tokens
    is_local: bool
    """Whether only this machine can connect."""
    rate: int = 0
    """Requests of one caller in one second; 0 for no limit."""
    _second: int = 0
    _counted: dict[str, int] = field(default_factory=dict)

    def reader(self, scope: Scope) -> Caller:
        """Who asks.

        Raises:
            ProblemError: nobody who may.

        """
        caller = self._holder(scope) if self.tokens else ANYBODY
        if self.rate:
            self._count(caller.name if self.tokens else str((scope.get("client") or ("",))[0]))
        return caller

    def writer(self, scope: Scope) -> Caller:
        """Who writes.

        Raises:
            ProblemError: nobody who may.

        """
        caller = self.reader(scope)
        if not caller.writes:
            detail = "this token may only ask" if self.tokens else "no tokens are configured, so nobody may write"
            raise ProblemError(403, f"{detail}; make one with: bounceproc serve --new-token write NAME")
        return caller

    def operator(self, scope: Scope) -> None:
        """Who looks after the server: anybody on this machine.

        Raises:
            ProblemError: nobody who may.

        """
        if not self.is_local:
            self.reader(scope)

    def _holder(self, scope: Scope) -> Caller:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        caller = self.tokens.caller(token.strip()) if scheme.lower() == b"bearer" else None
        if caller is None:
            raise ProblemError(401, "a bearer token of this server is needed", {"www-authenticate": "Bearer"})
        return caller

    def _count(self, name: str) -> None:
        second = int(time.monotonic())
        if second != self._second or len(self._counted) > CALLERS:
            self._second, self._counted = second, {}
        count = self._counted[name] = self._counted.get(name, 0) + 1
        if count > self.rate:
            raise ProblemError(429, f"more than {self.rate} requests in a second", {"retry-after": "1"})


async def body(receive: Receive) -> bytes:
    """The whole body.

    Raises:
        ProblemError: it is too large, or its sender went away.

    """
    pieces, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ProblemError(400, "the body ended early")
        piece = message.get("body", b"")
        size += len(piece)
        if size > BODY_LIMIT:
            raise ProblemError(413, f"a body has at most {BODY_LIMIT} octets", {"connection": "close"})
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


def json_object(data: bytes) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        ProblemError: it is none.

    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ProblemError(400, "the body is no JSON") from error
    if not isinstance(found, dict):
        raise ProblemError(422, "the body is no JSON object")
    return found
