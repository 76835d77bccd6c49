"""A socket to listen on: a Unix socket with its owner and mode, or a port of this machine."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bounceproc import sockets
from bounceproc.errors import ConfigError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from bounceproc.config import Endpoint

SETTING: Final = "lmtp.listen"
"""What errors name."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where to listen, and who may come in."""

    endpoint: Endpoint
    socket_mode: int = sockets.SOCKET_MODE
    """Of a Unix socket: whoever may write to it may connect."""
    socket_owner: str | None = None
    """`USER`, `USER:GROUP` or `:GROUP` of a Unix socket; None leaves it ours."""
    allow_remote: bool = False
    """Lets others than this machine connect: LMTP knows no password."""


@contextmanager
def listening(door: Door) -> Iterator[socket.socket]:
    """Listen as long as the block lasts.

    Raises:
        ConfigError: the place cannot be listened on, or is open to others and that is not allowed.
        TemporaryError: another process listens there.
        AccessError: we may not.

    """
    _require_allowed(door)
    with sockets.listening(door.endpoint, SETTING, mode=door.socket_mode, owner=door.socket_owner) as opened:
        yield opened


@dataclass(slots=True)
class _Entrance:
    socket: socket.socket
    held: ExitStack
    users: int = 0


class Entrances:
    """Sockets that outlive a reload: who knocks meanwhile waits, and is let in by whoever comes next. For one thread."""

    def __init__(self) -> None:
        self._open: dict[Endpoint, _Entrance] = {}

    @contextmanager
    def at(self, door: Door) -> Iterator[socket.socket]:
        """Listen as long as the block lasts, on the socket that is there already where somebody else's block still does.

        Raises:
            ConfigError, TemporaryError, AccessError: see `listening`.

        """
        entrance = self._open.get(door.endpoint)
        if entrance is None:
            held = ExitStack()
            entrance = self._open[door.endpoint] = _Entrance(held.enter_context(listening(door)), held)
        else:
            _readjust(door)
        entrance.users += 1
        try:
            yield entrance.socket
        finally:
            entrance.users -= 1
            if not entrance.users:
                del self._open[door.endpoint]
                entrance.held.close()


def _require_allowed(door: Door) -> None:
    if not door.endpoint.is_local and not door.allow_remote:
        raise ConfigError(
            f"{SETTING}: {door.endpoint} is open to others, and LMTP knows no password",
            "Listen on 127.0.0.1 or a Unix socket, or write allow_remote = true where a firewall stands before it.",
        )


def _readjust(door: Door) -> None:
    """Owner and mode may be others in a new configuration, and what was allowed may not be any more."""
    _require_allowed(door)
    sockets.dress(door.endpoint, SETTING, mode=door.socket_mode, owner=door.socket_owner)
