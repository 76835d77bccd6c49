"""A TCP proxy on loopback that does to a conversation what a plan says, at chosen octets and nowhere else."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

HOST: Final = "127.0.0.1"
CHUNK: Final = 64 * 1024
"""Octets that are taken at once."""
CONNECT_TIMEOUT: Final = 5.0
"""Seconds for the connection to the server behind; on loopback it stands or is refused at once."""
END_TIMEOUT: Final = 5.0
"""Seconds until the threads of a proxy that was closed have to be gone."""
RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing sends RST instead of FIN."""


class Way(StrEnum):
    """In which direction octets go."""

    UP = "up"  # to the server
    DOWN = "down"  # to the client


class Ending(StrEnum):
    """How the client learns that the conversation is over. The server always gets what passed, and then FIN."""

    RESET = "reset"  # RST, as from a firewall or a machine that came back without its memory
    CLOSE = "close"  # FIN, as from a server that stops


@dataclass(frozen=True, slots=True)
class Point:
    """A place in one direction of one connection: `octets` behind the end of the `nth` occurrence of `marker`.

    Without a marker it is counted from the beginning; negative `octets` lie before the marker's end.
    """

    way: Way
    octets: int = 0
    marker: bytes = b""
    nth: int = 1

    def offset(self, stream: bytearray) -> int | None:
        """Where that is, as soon as enough of the stream is known to say so."""
        end = 0
        for _ in range(self.nth if self.marker else 0):
            found = stream.find(self.marker, end)
            if found < 0:
                return None
            end = found + len(self.marker)
        return max(end + self.octets, 0)


@dataclass(frozen=True, slots=True)
class Cut:
    """End the conversation: what comes before the point passes, nothing after it does, in either direction."""

    at: Point
    ending: Ending = Ending.RESET


@dataclass(frozen=True, slots=True)
class Stall:
    """Let nothing pass behind the point for so many seconds, in this direction; then go on."""

    at: Point
    seconds: float


@dataclass(frozen=True, slots=True)
class Call:
    """Do something when the point is reached, and before the next octet passes."""

    at: Point
    action: Callable[[], object]


Effect: TypeAlias = Cut | Stall | Call


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to each connection."""

    effects: tuple[Effect, ...] = ()
    """Of those at the same point, the first one first."""
    piece: int = CHUNK
    """Octets that pass at once: 1 shows who relies on a whole line in one read."""
    pause: float = 0.0
    """Seconds between two pieces: a slow line."""


PASS: Final = Plan()
"""Everything passes."""


@dataclass(slots=True)
class Conversation:
    """One connection, and every octet of it that passed."""

    client: socket.socket
    server: socket.socket
    plan: Plan
    passed: dict[Way, bytearray] = field(default_factory=lambda: {way: bytearray() for way in Way})
    done: set[int] = field(default_factory=set)
    """Numbers of the effects that have happened."""
    over: threading.Event = field(default_factory=threading.Event)

    def pump(self, way: Way) -> None:
        """Carry one direction to its end."""
        source, target = (self.client, self.server) if way is Way.UP else (self.server, self.client)
        seen = bytearray()
        try:
            self._reach(way, seen, target)
            while not self.over.is_set():
                data = source.recv(self.plan.piece)
                if not data:
                    break
                seen += data
                self._reach(way, seen, target)
                if self.plan.pause:
                    self.over.wait(self.plan.pause)
        except OSError:
            pass  # the other side is gone: that is what this is for
        if not self.over.is_set():
            with suppress(OSError):
                target.shutdown(socket.SHUT_WR)

    def _reach(self, way: Way, seen: bytearray, target: socket.socket) -> None:
        """Pass on all that was seen, with a halt wherever the plan has one."""
        while not self.over.is_set():
            due = [
                (offset, number)
                for number, effect in enumerate(self.plan.effects)
                if effect.at.way is way and number not in self.done
                # A point that lies before what has passed already is reached now.
                if (offset := effect.at.offset(seen)) is not None and offset <= len(seen)
            ]
            if not due:
                self._pass(way, seen, len(seen), target)
                return
            offset, number = min(due)
            self._pass(way, seen, offset, target)
            self.done.add(number)
            self._happen(self.plan.effects[number])

    def _pass(self, way: Way, seen: bytearray, end: int, target: socket.socket) -> None:
        start = len(self.passed[way])
        if end > start:
            piece = bytes(seen[start:end])
            self.passed[way] += piece
            target.sendall(piece)

    def _happen(self, effect: Effect) -> None:
        match effect:
            case Cut(_, ending):
                self.end(ending)
            case Stall(_, seconds):
                self.over.wait(seconds)
            case Call(_, action):
                action()

    def end(self, ending: Ending) -> None:
        """Hang up on both sides."""
        self.over.set()
        with suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            if ending is Ending.RESET:
                self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                self.client.shutdown(socket.SHUT_RD)  # wakes who reads here; RST goes out with `close`
            else:
                self.client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the sockets back, with RST where the conversation ended with one."""
        for end in (self.client, self.server):
            with suppress(OSError):
                end.close()


class Proxy:
    """Listens on a free port of loopback; each connection is carried to the server behind, as `plan` says at that moment."""

    def __init__(self, port: int, plan: Plan = PASS) -> None:
        self.plan = plan
        self.conversations: list[Conversation] = []
        self._server = (HOST, port)
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._start(self._accept, self._listener)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up on everybody."""
        _stop(self._listener)
        for conversation in self.conversations:
            conversation.end(Ending.CLOSE)
        deadline = time.monotonic() + END_TIMEOUT
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        assert not any(thread.is_alive() for thread in self._threads), "the proxy does not end"

    def passed(self, way: Way) -> int:
        """Octets that went this way, over all connections since the last `forget`."""
        return sum(len(conversation.passed[way]) for conversation in self.conversations)

    def forget(self, plan: Plan = PASS) -> None:
        """Begin anew: with another plan, and with no connection counted."""
        self.plan = plan
        for conversation in self.conversations:
            conversation.end(Ending.CLOSE)
        self.conversations = []

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Nobody listens for as long as the block lasts."""
        _stop(self._listener)
        try:
            yield
        finally:
            self._listener = socket.create_server((HOST, self.port))
            self._start(self._accept, self._listener)

    def _start(self, run: Callable[..., None], *arguments: object) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._server, timeout=CONNECT_TIMEOUT)
            except OSError:  # the server behind is down: a proxy can only hang up
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                client.close()
                continue
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conversation = Conversation(client, server, self.plan)
            self.conversations.append(conversation)
            self._start(self._carry, conversation)

    def _carry(self, conversation: Conversation) -> None:
        upwards = threading.Thread(target=conversation.pump, args=(Way.UP,), daemon=True)
        upwards.start()
        conversation.pump(Way.DOWN)
        upwards.join()
        conversation.close()


def _stop(listener: socket.socket) -> None:
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)  # closing alone does not wake the thread that waits here
    listener.close()
