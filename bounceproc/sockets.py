"""Sockets to listen on: a port, or a Unix socket with owner and mode, in place of one that a dead server left."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import socket
import stat
from typing import TYPE_CHECKING, Final

from bounceproc.errors import AccessError, ConfigError, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bounceproc.config import Endpoint

BACKLOG: Final = 1024
"""Connections that the system keeps for us until they are taken."""
SOCKET_MODE: Final = 0o660
"""Of a Unix socket: its owner and group may ask, unless another mode is configured."""
PROBE_TIMEOUT: Final = 2.0
"""Seconds in which a living server takes a connection on its own machine."""


@contextlib.contextmanager
def listening(
    endpoint: Endpoint, setting: str, *, mode: int = SOCKET_MODE, owner: str | None = None
) -> Iterator[socket.socket]:
    """Listen as long as the block lasts. `setting` names it in errors; `mode` and `owner` (USER:GROUP) are of a Unix socket.

    Raises:
        ConfigError: the place cannot be listened on.
        TemporaryError: another process listens there.
        AccessError: we may not.

    """
    path = endpoint.path
    with _told(endpoint, setting):
        opened = _unix(path, setting, mode, _owner(owner, setting)) if path is not None else _tcp(endpoint)
    inode = path.stat().st_ino if path is not None else 0
    try:
        with opened:
            yield opened
    finally:
        # Another server may have put its own socket there meanwhile: that one is not ours to remove.
        if path is not None:
            with contextlib.suppress(OSError):
                if path.stat().st_ino == inode:
                    path.unlink()


def dress(endpoint: Endpoint, setting: str, *, mode: int, owner: str | None) -> None:
    """Give the Unix socket at a place another owner and mode, where it is one.

    Raises:
        ConfigError, AccessError: see `listening`.

    """
    if endpoint.path is not None:
        with _told(endpoint, setting):
            _dress(endpoint.path, mode, _owner(owner, setting))


@contextlib.contextmanager
def _told(endpoint: Endpoint, setting: str) -> Iterator[None]:
    """What the system refuses, in our words."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        if error.errno == errno.EADDRINUSE:
            raise TemporaryError(f"another process listens on {endpoint}", "End it, or listen elsewhere.") from error
        if error.errno in {errno.EACCES, errno.EPERM}:
            advice = "Check owner and mode of its folder."
            raise AccessError(f"{setting}: {endpoint} is refused to us: {why}", advice) from error
        raise ConfigError(f"{setting}: nobody can listen on {endpoint}: {why}", "Name another place.") from error


def _tcp(endpoint: Endpoint) -> socket.socket:
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    opened = socket.create_server((endpoint.host, endpoint.port), family=family, backlog=BACKLOG)
    # Connections inherit it. asyncio sets it only where a socket names its protocol, which those of create_server do not: an
    # answer in two pieces would wait 40 ms for the client's acknowledgement of the first.
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


def _unix(path: Path, setting: str, mode: int, owner: tuple[int, int]) -> socket.socket:
    _remove_stale(path, setting)
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
        _dress(path, mode, owner)
        opened.listen(BACKLOG)
    except BaseException:
        opened.close()
        path.unlink()
        raise
    return opened


def _dress(path: Path, mode: int, owner: tuple[int, int]) -> None:
    if owner != (-1, -1):
        os.chown(path, *owner)
    path.chmod(mode)


def _owner(text: str | None, setting: str) -> tuple[int, int]:
    user, _, group = (text or "").partition(":")
    try:
        return (pwd.getpwnam(user).pw_uid if user else -1, grp.getgrnam(group).gr_gid if group else -1)
    except KeyError as error:
        raise ConfigError(
            f"{setting.partition('.')[0]}.socket_owner: {text!r} is not known here",
            "Write USER, USER:GROUP or :GROUP.",
        ) from error


def _remove_stale(path: Path, setting: str) -> None:
    """A process that was killed leaves its socket behind, and nobody can bind there again."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConfigError(f"{setting}: {path} is there and is no socket", "Name another path.")
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
