"""Access tokens: kept while they live, renewed before they end, and never shown."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from bounceproc.config import Secret

MARGIN: Final = timedelta(minutes=5)
"""A token that ends sooner is not used for another login: clocks differ, and a login takes its time."""
MAX_HIDDEN: Final = 4
"""Tokens that are remembered to be hidden in a server's words: the present one and those just before it."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a mail server takes instead of a password, for about an hour."""

    text: str = field(repr=False)
    expires_at: datetime
    skew: timedelta | None = None
    """How far the provider's clock is ahead of ours, by its answer's Date; None where it said nothing."""


class Provider(Protocol):
    """Whoever gives tokens."""

    @property
    def name(self) -> str:
        """What people call it."""

    def obtain(self) -> AccessToken:
        """A new token.

        Raises:
            AccessError: the provider refuses.
            UnavailableError: it does not answer.
            ConfigError: its library is not installed, or what it needs cannot be read.

        """


class Tokens:
    """The tokens of one mailbox. Safe to share between threads."""

    def __init__(self, provider: Provider, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._provider = provider
        self._now = now
        self._lock = threading.Lock()
        self._current: AccessToken | None = None
        self._seen: list[str] = []

    @property
    def provider(self) -> str:
        """What people call whoever gives the tokens."""
        return self._provider.name

    def current(self, *, refused: str | None = None) -> AccessToken:
        """A token that lives for some minutes at least, and is not the one that a server refused.

        Raises:
            AccessError, UnavailableError, ConfigError: see `Provider.obtain`.

        """
        with self._lock:
            known = self._current
            if known is None or known.text == refused or known.expires_at - self._now() < MARGIN:
                known = self._current = self._provider.obtain()
                self._seen = [known.text, *self._seen][:MAX_HIDDEN]
            return known

    def hide(self, text: str) -> str:
        """The same text without tokens of ours."""
        for token in self._seen:
            text = text.replace(token, "***")
        return text


# ---- refresh tokens --------------------------------------------------------------------------------------------------

_successors: Final[dict[bytes, str]] = {}
"""The newest refresh token by the hash of the configured one, where no file can keep it. They last as long as the process."""


class RefreshToken:
    """A refresh token where it lies. Microsoft gives a new one with each use, and may end the old one."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def read(self) -> str:
        """The newest one that is known.

        Raises:
            ConfigError: it cannot be read.

        """
        configured = self._secret.read().strip()
        return _successors.get(_hash(configured), configured)

    def replace(self, token: str) -> None:
        """Keep the new token: in its file, where there is one, else in memory."""
        configured = self._secret.read().strip()
        if token == _successors.get(_hash(configured), configured):
            return
        if self._secret.file is not None:
            try:
                _write(self._secret.file.resolve(), token)
            except OSError as error:
                _log.warning(
                    "%s_file: %s cannot be replaced: %s. The new refresh token is lost when this program ends; "
                    "let this account write the file and its folder",
                    self._secret.key,
                    self._secret.file,
                    error.strerror,
                )
            else:
                return
        _successors[_hash(configured)] = token


def texts(*secrets: Secret | RefreshToken | None) -> list[str]:
    """What those that there are say: to be hidden in a stranger's words."""
    return [secret.read() for secret in secrets if secret is not None]


def _hash(token: str) -> bytes:
    return blake2b(token.encode()).digest()


def _write(path: Path, token: str) -> None:
    """Replace the file whole or not at all, for its owner alone (`mkstemp` makes files of mode 0600)."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            with suppress(OSError):  # only root can give a file away; everybody else owns it already
                before = path.stat()
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
            file.write(token + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
