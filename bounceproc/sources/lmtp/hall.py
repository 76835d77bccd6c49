"""What all conversations of a server share: its bounds, who is in, how many octets they hold, whether it closes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bounceproc.sources.bounds import MAX_MESSAGE_BYTES
from bounceproc.sources.lmtp.bounds import MAX_CONNECTIONS, MAX_IN_FLIGHT, STOP_TIMEOUT, TALK_TIMEOUT

if TYPE_CHECKING:
    from bounceproc.sources.lmtp.dialogue import Dialogue


class Hall:
    """Counts and sums."""

    def __init__(
        self,
        *,
        max_connections: int = MAX_CONNECTIONS,
        max_in_flight: int = MAX_IN_FLIGHT,
        max_message: int = MAX_MESSAGE_BYTES,
        talk_timeout: float = TALK_TIMEOUT,
        stop_timeout: float = STOP_TIMEOUT,
    ) -> None:
        self._max_connections = max_connections
        self._max_in_flight = max_in_flight
        self.max_message = max_message
        self.talk_timeout = talk_timeout
        self.stop_timeout = stop_timeout
        self.guests: set[Dialogue] = set()
        self.octets = 0
        """Of messages that are being received or committed."""
        self.closing = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def is_full(self) -> bool:
        """Whether the next client has to come back later."""
        return len(self.guests) >= self._max_connections

    def enter(self, guest: Dialogue) -> None:
        """One more."""
        self.guests.add(guest)
        self._empty.clear()

    def leave(self, guest: Dialogue) -> None:
        """One less."""
        self.guests.discard(guest)
        if not self.guests:
            self._empty.set()

    async def emptied(self) -> None:
        """Wait until nobody is in."""
        await self._empty.wait()

    def take(self, octets: int) -> bool:
        """Take room for so many octets; False when there is none."""
        if self.octets + octets > self._max_in_flight:
            return False
        self.octets += octets
        return True

    def give_back(self, octets: int) -> None:
        """The octets are gone."""
        self.octets -= octets
