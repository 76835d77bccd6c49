"""What has to be known of a mailbox to read it: where it is, who we are there, and where its messages go afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bounceproc.config import Action, Disposal, Security
from bounceproc.errors import ConfigError
from bounceproc.ports import Outcome
from bounceproc.sources.bounds import MAX_BATCH_MESSAGES, MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from bounceproc.sources.tokens.tokens import Tokens

__all__ = ["Action", "Disposal", "Mailbox", "Security", "same_folder"]

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")

LEAVE: Final = Disposal(Action.LEAVE)
PROCESSED: Final = Disposal(Action.MOVE, "Processed")
MALFORMED: Final = Disposal(Action.MOVE, "Malformed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """One folder of one account on one IMAP server. Names follow `[[mailbox]]` of the configuration.

    Raises:
        ConfigError: a value cannot serve.

    """

    name: str
    host: str
    port: int = 993
    security: Security = Security.TLS
    user: str
    password: str = field(default="", repr=False)
    tokens: Tokens | None = field(default=None, repr=False, compare=False)
    """Where access tokens come from, instead of a password."""
    folder: str = "INBOX"
    batch_size: int = MAX_BATCH_MESSAGES
    max_message_mb: int = MAX_MESSAGE_BYTES // 1024 // 1024
    """Of a longer message only the head is read."""
    ca_file: str | None = None
    """A file of certification authorities (PEM) to trust instead of the system's, for servers with their own."""
    client_cert_file: str | None = None
    """Our own certificate (PEM), for servers that ask for one."""
    client_key_file: str | None = None
    """Its key, where it does not stand in the same file."""
    client_key_password: str | None = field(default=None, repr=False)
    allow_plaintext: bool = False
    """Lets `security = none` send the password over a network."""
    on_report: Disposal = PROCESSED
    on_auto_reply: Disposal = LEAVE
    on_unrecognised: Disposal = LEAVE
    on_malformed: Disposal = MALFORMED

    def __post_init__(self) -> None:
        problems = tuple(self._problems())
        if problems:
            raise ConfigError(f"mailbox {self.name!r}: {'; '.join(problems)}", problems=problems)

    def _problems(self) -> list[str]:
        problems = []
        if not 1 <= self.batch_size <= MAX_BATCH_MESSAGES:
            problems.append(f"batch_size is 1 to {MAX_BATCH_MESSAGES}, not {self.batch_size}")
        if not 1 <= self.max_message_mb <= MAX_MESSAGE_BYTES // 1024 // 1024:
            problems.append(f"max_message_mb is 1 to {MAX_MESSAGE_BYTES // 1024 // 1024}, not {self.max_message_mb}")
        if not 1 <= self.port <= 65535:
            problems.append(f"port is 1 to 65535, not {self.port}")
        if not _is_host(self.host):
            problems.append(f"{self.host!r} is no host name")
        # Line ends would start a second command on the connection.
        problems += [
            f"{name} has control characters"
            for name in ("host", "user", "password", "folder")
            if _CONTROL.search(getattr(self, name))
        ]
        if any(disposal.folder and same_folder(disposal.folder, self.folder) for disposal in self.disposals.values()):
            problems.append(f"messages cannot be moved to {self.folder!r}, where they are read from")
        return problems

    def hide(self, text: str) -> str:
        """The same text without our secrets, should a server repeat one."""
        for secret in (self.password, self.client_key_password or ""):
            text = text.replace(secret, "***") if secret else text
        return self.tokens.hide(text) if self.tokens else text

    @property
    def disposals(self) -> dict[Outcome, Disposal]:
        """Where a message goes, by what became of it."""
        return {
            Outcome.REPORT: self.on_report,
            Outcome.OWN_REFUSAL: self.on_report,
            Outcome.AUTO_REPLY: self.on_auto_reply,
            Outcome.UNRECOGNISED: self.on_unrecognised,
            Outcome.MALFORMED: self.on_malformed,
        }


def _is_host(text: str) -> bool:
    try:
        return bool(text.encode("idna"))  # what the resolver does with it, and what it stumbles over
    except UnicodeError:
        return False


def same_folder(one: str, other: str) -> bool:
    """Whether two names are one folder: INBOX has no case (RFC 9051 section 5.1), all others have."""
    return one == other or one.upper() == other.upper() == "INBOX"
