"""Values that the configuration writes as one text: where a message goes, where a server listens, which stream, a secret."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from bounceproc.errors import ConfigError

MAX_SECRET_OCTETS: Final = 64 * 1024
"""A secret file longer than this is something else: a database, a device that never ends."""

NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
"""Names of mailboxes and streams: they stand in scopes, options, metrics and file names."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_FIELD_NAME: Final = re.compile(r"[!-9;-~]+")  # RFC 5322 2.2: printable ASCII but the colon
_LOCAL_NAMES: Final = frozenset({"localhost", "localhost."})


class WrongValueError(ValueError):
    """A value that cannot serve: what is wrong with it, and one line of advice."""

    def __init__(self, what: str, advice: str) -> None:
        self.what = what
        self.advice = advice
        super().__init__(f"{what}. {advice}")


def is_loopback(host: str) -> bool:
    """Whether what is sent to this host stays on this machine."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() in _LOCAL_NAMES


class Action(StrEnum):
    """What is done with a message once its content is committed."""

    LEAVE = "leave"  # nothing at all
    SEEN = "seen"  # marked as read, in its place
    MOVE = "move"  # into another folder
    DELETE = "delete"  # away for good


@dataclass(frozen=True, slots=True)
class Disposal:
    """Where a message goes: `leave`, `seen`, `move:FOLDER` or `delete`."""

    action: Action
    folder: str | None = None
    """The target of a move; None for everything else."""

    @classmethod
    def parse(cls, text: str) -> Disposal:
        """Read one of the four forms.

        Raises:
            WrongValueError: it is none of them.

        """
        word, colon, folder = text.strip().partition(":")
        folder = folder.strip()
        if word == Action.MOVE and folder and not _CONTROL.search(folder):
            return cls(Action.MOVE, folder)
        if word in {Action.LEAVE, Action.SEEN, Action.DELETE} and not colon:
            return cls(Action(word))
        raise WrongValueError(
            f"{text!r} does not say what to do with a message", "Write leave, seen, move:FOLDER or delete."
        )

    def __str__(self) -> str:
        return str(self.action) if self.folder is None else f"{self.action}:{self.folder}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server listens: `HOST:PORT`, `[IPv6]:PORT` or `unix:PATH`."""

    host: str = ""
    port: int = 0
    path: Path | None = None
    """The socket's path; host and port are empty then."""

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read one of the three forms.

        Raises:
            WrongValueError: it is none of them.

        """
        if text.startswith("unix:") and len(text) > len("unix:"):
            return cls(path=Path(text.removeprefix("unix:")))
        host, _, port = text.rpartition(":")
        bare = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
        well_formed = bare and not re.search(r"[\s/\[\]]", bare) and (bare != host or ":" not in host)
        if well_formed and re.fullmatch(r"[0-9]{1,5}", port) and 1 <= int(port) <= 65535:
            return cls(bare, int(port))
        raise WrongValueError(
            f"{text!r} is nowhere to listen", "Write 127.0.0.1:8025, [::1]:8025, unix:PATH, or off for nowhere."
        )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can connect."""
        return self.path is not None or is_loopback(self.host)

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Matcher:
    """How mail of one stream is known: exactly one sign, and the value it has."""

    KINDS = ("list_id", "return_path", "feedback_id", "header")

    kind: str
    """`list_id`, `return_path`, `feedback_id`, `header`."""
    value: str
    """As written; for `header`, `Name: value`."""

    @classmethod
    def parse(cls, table: object) -> Matcher:
        """Read the `match` table of a stream.

        Raises:
            WrongValueError: it is no table with exactly one known sign.

        """
        advice = f'Write exactly one of {", ".join(cls.KINDS)}: {{ list_id = "news.example.com" }}.'
        if not isinstance(table, Mapping):
            raise WrongValueError("is a table", advice)
        unknown = [key for key in table if key not in cls.KINDS]
        if unknown:
            raise WrongValueError(f"{unknown[0]!r} is no sign of a stream", advice)
        if len(table) != 1:
            raise WrongValueError(f"has {len(table)} signs", advice)
        ((kind, value),) = table.items()
        if not isinstance(value, str) or not value.strip() or _CONTROL.search(value):
            raise WrongValueError(f"{kind} is text, not empty and on one line", advice)
        value = value.strip()
        name, colon, _ = value.partition(":")
        if kind == "header" and not (colon and _FIELD_NAME.fullmatch(name)):
            raise WrongValueError("header has no field name before a colon", 'Write { header = "X-Stream: news" }.')
        return cls(kind, value)


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret and where it lies. Nothing is read before somebody asks, and no text of this value shows it."""

    key: str
    """What it is called in messages, such as `mailbox returns: password`."""
    text: str | None = field(default=None, repr=False)
    file: Path | None = None
    variable: str | None = None
    """The environment variable that holds it."""

    def read(self, environ: Mapping[str, str] = os.environ) -> str:
        """The secret itself.

        Raises:
            ConfigError: the file cannot be read, the variable is not set, or there is nothing in it.

        """
        if self.file is not None:
            found = _read_file(f"{self.key}_file", self.file)
        elif self.variable is not None:
            found = environ.get(self.variable, "")
        else:
            found = self.text or ""
        if found:
            return found
        where = (
            f"{self.file} is"
            if self.file
            else f"the variable {self.variable} is not set, or"
            if self.variable
            else "is"
        )
        raise ConfigError(f"{self.key}: {where} empty", "Put the secret there.")

    def warning(self) -> str | None:
        """What is wrong with the file's mode: everybody on this machine can read the secret."""
        return f"{self.key}_file: {exposed}" if self.file and (exposed := readable_by_all(self.file)) else None


def _read_file(key: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_SECRET_OCTETS + 1)
        if len(raw) > MAX_SECRET_OCTETS:
            raise ConfigError(f"{key}: {path} is longer than {MAX_SECRET_OCTETS} octets", "Name the right file.")
        text = raw.decode()
    except OSError as error:
        raise ConfigError(
            f"{key}: {path} cannot be read: {error.strerror}",
            "Relative paths begin at the configuration file's folder; the account that runs this must be able to read it.",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{key}: {path} is not UTF-8 text", "Write the secret as text.") from error
    # Editors and `echo` end the file with one line end, which is no part of the secret.
    return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")


def readable_by_all(path: Path) -> str | None:
    """A sentence when everybody on this machine can read the file; None when not, or when there is none."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    if os.name != "posix" or not mode & stat.S_IROTH:
        return None
    return f"{path} can be read by everybody on this machine; run chmod o-rwx on it"
