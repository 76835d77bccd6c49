"""A socket to listen on: a Unix socket with its owner and mode, or a port of this machine."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import socket
import stat
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bounceproc.errors import AccessError, BounceprocError, ConfigError, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bounceproc.config import Endpoint

BACKLOG: Final = 128
"""Connections that the system keeps for us until they are taken."""
PROBE_TIMEOUT: Final = 2.0
"""Seconds in which a living server takes a connection on its own machine."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where to listen, and who may come in."""

    endpoint: Endpoint
    socket_mode: int = 0o660
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
    path = door.endpoint.path
    try:
        opened = _unix(path, door) if path is not None else _tcp(door.endpoint)
    except OSError as error:
        raise _translated(error, door.endpoint) from error
    inode = path.stat().st_ino if path is not None else 0
    try:
        with opened:
            yield opened
    finally:
        # Another server may have put its own socket there meanwhile: that one is not ours to remove.
        if path is not None:
            with suppress(OSError):
                if path.stat().st_ino == inode:
                    path.unlink()


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
            f"lmtp.listen: {door.endpoint} is open to others, and LMTP knows no password",
            "Listen on 127.0.0.1 or a Unix socket, or write allow_remote = true where a firewall stands before it.",
        )


def _readjust(door: Door) -> None:
    """Owner and mode may be others in a new configuration, and what was allowed may not be any more."""
    _require_allowed(door)
    if door.endpoint.path is not None:
        try:
            _dress(door.endpoint.path, door, _owner(door.socket_owner))
        except OSError as error:
            raise _translated(error, door.endpoint) from error


def _dress(path: Path, door: Door, owner: tuple[int, int]) -> None:
    if owner != (-1, -1):
        os.chown(path, *owner)
    path.chmod(door.socket_mode)


def _tcp(endpoint: Endpoint) -> socket.socket:
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    return socket.create_server((endpoint.host, endpoint.port), family=family, backlog=BACKLOG)


def _unix(path: Path, door: Door) -> socket.socket:
    owner = _owner(door.socket_owner)
    _remove_stale(path)
    opened = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)  # nobody comes in before owner and mode are right
    try:
        opened.bind(str(path))
    except BaseException:
        opened.close()
        raise
    finally:
        os.umask(mask)
    try:
        _dress(path, door, owner)
        opened.listen(BACKLOG)
    except BaseException:
        opened.close()
        path.unlink()
        raise
    return opened


def _remove_stale(path: Path) -> None:
    """A process that was killed leaves its socket behind, and nobody can bind there again."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConfigError(f"lmtp.listen: {path} is there and is no socket", "Name another path.")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_TIMEOUT)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except FileNotFoundError:
            return
        else:
            raise OSError(errno.EADDRINUSE, "it answers")


def _owner(text: str | None) -> tuple[int, int]:
    user, _, group = (text or "").partition(":")
    try:
        return (pwd.getpwnam(user).pw_uid if user else -1, grp.getgrnam(group).gr_gid if group else -1)
    except KeyError as error:
        raise ConfigError(
            f"lmtp.socket_owner: {text!r} is not known here", "Write USER, USER:GROUP or :GROUP."
        ) from error


def _translated(error: OSError, endpoint: Endpoint) -> BounceprocError:
    why = error.strerror or str(error)
    if error.errno == errno.EADDRINUSE:
        return TemporaryError(f"another process listens on {endpoint}", "End it, or listen elsewhere.")
    if error.errno in {errno.EACCES, errno.EPERM}:
        return AccessError(f"lmtp.listen: {endpoint} is refused to us: {why}", "Check owner and mode of its folder.")
    return ConfigError(f"lmtp.listen: nobody can listen on {endpoint}: {why}", "Name another place.")
