"""Postfix's policy service (SMTPD_POLICY_README): lines of name=value in, an action out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from bounceproc.address import Address
from bounceproc.errors import BounceprocError, InvalidAddressError
from bounceproc.lookup.conversation import Conversation
from bounceproc.lookup.replies import refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bounceproc.lookup.desk import Desk, Question
    from bounceproc.lookup.hall import Hall
    from bounceproc.lookup.tally import Tally

REQUEST_LIMIT: Final = 65_536
"""Octets of a request: Postfix sends some 700, and long ones with a client's certificate."""

DUNNO: Final = b"action=DUNNO\n\n"
TROUBLE: Final = b"action=DEFER 4.3.0 The suppression list cannot be asked\n\n"


class PolicyService(Conversation):
    """One connection."""

    def __init__(
        self, hall: Hall, desk: Desk, tally: Tally, *, is_open: bool, streams: Mapping[str, str] | None = None
    ) -> None:
        """`is_open`: whether mail passes when the list cannot be asked. `streams`: by SASL user or sender, in lower case."""
        super().__init__(hall)
        self._desk = desk
        self._tally = tally
        self._trouble = DUNNO if is_open else TROUBLE
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
        self._tally.questions += 1
        try:
            # A message with several recipients has none here behind RCPT: nothing can be said of it.
            address = Address.parse(fields.get(b"recipient", b"").decode())
        except (InvalidAddressError, UnicodeDecodeError):
            self._say(DUNNO)
            return
        self._look_up(address, self._stream(fields))

    def _look_up(self, address: Address, stream: str | None) -> None:
        try:
            question = self._desk.of(address)
        except BounceprocError:
            self._tally.troubles += 1
            self._say(self._trouble)
            return
        known, entry = self._desk.at_hand(question, stream)
        if not known:
            self._ask_for(self._answer(question, stream))
            return
        self._tally.suppressed += entry is not None
        self._say(DUNNO if entry is None else b"action=%b\n\n" % refusal(entry).encode())

    async def _answer(self, question: Question, stream: str | None) -> bytes:
        try:
            entry = await self._desk.answer(question, stream)
        except BounceprocError as error:
            self._tally.troubles += 1
            logging.getLogger(__name__).warning("a hit cannot be confirmed: %s", error.what)
            return self._trouble
        self._tally.suppressed += entry is not None
        return DUNNO if entry is None else b"action=%b\n\n" % refusal(entry).encode()

    def _stream(self, fields: Mapping[bytes, bytes]) -> str | None:
        """Whose mail it is: of the SASL user, else of the sender, else of the sender's domain."""
        sender = fields.get(b"sender", b"").decode(errors="replace").lower()
        user = fields.get(b"sasl_username", b"").decode(errors="replace").lower()
        for name in (user, sender, f"@{sender.rpartition('@')[2]}"):
            if name and (stream := self._streams.get(name)):
                return stream
        return None
