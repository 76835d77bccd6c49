"""One conversation with an MTA: the commands are aiosmtpd's, the message and its answers are ours.

aiosmtpd refuses long lines and large messages for good, and gives one answer for all recipients. An MTA drops a bounce that
is refused for good, and an LMTP client waits for an answer a recipient (RFC 2033 section 4.2).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Final

from aiosmtpd.lmtp import LMTP

from bounceproc import __version__
from bounceproc.rawmessage import RawMessage
from bounceproc.sources.bounds import HEAD_BYTES, reference
from bounceproc.sources.lmtp.bounds import COMMIT_TIMEOUT, LINE_BYTES, MAX_DRAINED, MAX_RECIPIENTS
from bounceproc.sources.lmtp.envelope import delivered_to, path_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bounceproc.sources.lmtp.gathering import Gathering
    from bounceproc.sources.lmtp.hall import Hall

RECORDED: Final = "250 2.0.0 recorded"
NOT_RECORDED: Final = "451 4.3.0 not recorded, try again later"
NO_ROOM: Final = "452 4.3.1 too much mail at once, try again later"
TOO_MANY: Final = "452 4.5.3 too many recipients for one message"
ENDLESS: Final = "552 5.3.4 no message is as long as this"
CLOSING: Final = "421 4.3.2 shutting down, try again later"

_log = logging.getLogger(__name__)


class _Hooks:
    """What aiosmtpd asks of whoever uses it."""

    async def handle_RCPT(  # noqa: N802 - its name there
        self, _server: object, _session: object, envelope: object, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:  # type: ignore[attr-defined]  # its class has no types
            return TOO_MANY
        envelope.rcpt_tos.append(address)  # type: ignore[attr-defined]
        envelope.rcpt_options.extend(options)  # type: ignore[attr-defined]
        return "250 2.1.5 OK"

    async def handle_exception(self, error: Exception) -> str:
        """What nobody foresaw: aiosmtpd would answer 500, and the MTA drop the message."""
        _log.error("a conversation failed", exc_info=error)
        return NOT_RECORDED


class _Reception:
    """The octets of one message, as far as they are kept."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._limit = hall.max_message
        self.data = bytearray()
        self.octets = 0
        self.has_room = True

    def add(self, piece: bytes) -> None:
        """Keep a piece, up to the limit; beyond it the message is read by its head."""
        self.octets += len(piece)
        if not self.has_room or len(self.data) + len(piece) > self._limit:
            self._cut(HEAD_BYTES if self.has_room else 0)
        elif self._hall.take(len(piece)):
            self.data += piece
        else:
            self.has_room = False
            self._cut(0)

    def _cut(self, length: int) -> None:
        self._hall.give_back(max(0, len(self.data) - length))
        del self.data[length:]
        self._limit = 0

    def release(self) -> None:
        """The message is committed, or its client is gone."""
        self._hall.give_back(len(self.data))


class Dialogue(LMTP):
    """One client. It is in the hall from its connection to its end."""

    line_length_limit = LINE_BYTES  # of the stream: aiosmtpd has another bound for commands

    def __init__(self, hall: Hall, gathering: Gathering) -> None:
        super().__init__(
            _Hooks(),
            data_size_limit=None,  # a size that is announced makes an MTA return larger bounces by itself, to nobody
            enable_SMTPUTF8=True,
            hostname=socket.gethostname(),
            ident=f"bounceproc {__version__}",
            timeout=hall.talk_timeout,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            loop=asyncio.get_running_loop(),
        )
        self._hall = hall
        self._gathering = gathering
        self._in_transaction = False

    # ---- coming and going --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Enter the hall."""
        self._hall.enter(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Leave it."""
        self._hall.leave(self)
        super().connection_lost(error)

    def leave(self) -> None:
        """End the conversation: at once, or behind the answer to the message that is being received."""
        if not self._in_transaction:
            self._say_goodbye()

    def abort(self) -> None:
        """End it without a word."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    def _say_goodbye(self) -> None:
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.write(f"{CLOSING}\r\n".encode())
            self.transport.close()

    # ---- commands ----------------------------------------------------------------------------------------------------

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        return path_of(arg) or (None, None)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - its name in aiosmtpd
        """Receive a message, have it committed, and answer for each recipient."""
        if await self.check_helo_needed("LHLO"):
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        if self.envelope is None or not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 need RCPT before DATA")
            return
        self._in_transaction = True
        try:
            await self._transaction([str(recipient) for recipient in self.envelope.rcpt_tos])
        finally:
            self._in_transaction = False
        if self._hall.closing:
            self._say_goodbye()

    async def _transaction(self, recipients: Sequence[str]) -> None:
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        reception = _Reception(self._hall)
        try:
            if await self._receive(reception):
                self._reset_timeout(COMMIT_TIMEOUT)
                answer = await self._commit(reception, recipients) if reception.has_room else NO_ROOM
            else:
                answer = ENDLESS
        finally:
            reception.release()
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        self._reset_timeout()
        await self.push("\r\n".join([answer] * len(recipients)))
        if answer is ENDLESS and self.transport is not None:
            self.transport.close()

    async def _receive(self, reception: _Reception) -> bool:
        """Read up to the line with a lone dot; False when there is no end to it.

        Only CRLF ends a line here: where a bare LF did, a second message could be smuggled in within the first.
        """
        starts = True
        while reception.octets <= MAX_DRAINED:
            try:
                piece = await self._reader.readuntil(b"\r\n")
                ends = True
            except asyncio.LimitOverrunError as error:
                piece = await self._reader.readexactly(error.consumed)
                ends = False
            if starts and piece == b".\r\n":
                return True
            reception.add(piece[1:] if starts and piece[:1] == b"." else piece)
            starts = ends
        return False

    async def _commit(self, reception: _Reception, recipients: Sequence[str]) -> str:
        data = delivered_to(bytes(reception.data), recipients)
        try:
            await self._gathering.commit(RawMessage(reference("lmtp", data), data, None))
        except Exception:  # noqa: BLE001 - the MTA keeps the message, whatever it was; who records it says so in the log
            return NOT_RECORDED
        return RECORDED


class Refusal(asyncio.Protocol):
    """What a client meets when the hall is full or closes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so, and hang up."""
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(b"421 4.3.2 too many connections, try again later\r\n")
            transport.close()
