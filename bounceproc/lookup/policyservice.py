"""Postfix's policy service (SMTPD_POLICY_README): lines of name=value in, an action out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bounceproc.lookup.asking import Asking

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bounceproc.lookup.desk import Desk
    from bounceproc.lookup.hall import Hall
    from bounceproc.lookup.tally import Tally

REQUEST_LIMIT: Final = 65_536
"""Octets of a request: Postfix sends some 700, and long ones with a client's certificate."""

DUNNO: Final = b"action=DUNNO\n\n"
TROUBLE: Final = b"action=DEFER 4.3.0 The suppression list cannot be asked\n\n"


class PolicyService(Asking):
    """One connection."""

    def __init__(
        self, hall: Hall, desk: Desk, tally: Tally, *, is_open: bool, streams: Mapping[str, str] | None = None
    ) -> None:
        """`is_open`: whether mail passes when the list cannot be asked. `streams`: by SASL user or sender, in lower case."""
        super().__init__(hall, desk, tally, unknown=DUNNO, trouble=DUNNO if is_open else TROUBLE)
        self._streams = streams or {}

    def _requests(self) -> None:
        while self._takes_more and self._buffer:
            end = self._buffer.find(b"\n\n")
            if self._buffer[:1] == b"\n" or end > REQUEST_LIMIT or (end < 0 and len(self._buffer) > REQUEST_LIMIT):
                self._refuse()
                return
            if end < 0:
                return
            request, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
            self._request(request)

    def _refuse(self) -> None:
        """No answer: Postfix is told to disconnect on trouble, and tries again or takes its own default action."""
        self._tally.malformed += 1
        self._end()

    def _request(self, data: bytes) -> None:
        fields: dict[bytes, bytes] = {}
        for line in data.split(b"\n"):
            name, equals, value = line.partition(b"=")
            if not equals:
                self._refuse()
                return
            fields.setdefault(name, value)
        if fields.get(b"request") != b"smtpd_access_policy":
            self._refuse()
            return
        # A message with several recipients has none here behind RCPT: nothing can be said of it.
        if answer := self._about(fields.get(b"recipient", b""), self._stream(fields)):
            self._say(answer)

    def _suppressed(self, text: bytes) -> bytes:
        return b"action=%b\n\n" % text

    def _stream(self, fields: Mapping[bytes, bytes]) -> str | None:
        """Whose mail it is: of the SASL user, else of the sender, else of the sender's domain."""
        sender = fields.get(b"sender", b"").decode(errors="replace").lower()
        user = fields.get(b"sasl_username", b"").decode(errors="replace").lower()
        for name in (user, sender, f"@{sender.rpartition('@')[2]}"):
            if name and (stream := self._streams.get(name)):
                return stream
        return None
