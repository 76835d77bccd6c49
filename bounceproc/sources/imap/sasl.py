"""Logging in with an access token: OAUTHBEARER (RFC 7628), and XOAUTH2 where a server has only that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from bounceproc.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from imapclient import IMAPClient

    from bounceproc.sources.mailbox import Mailbox
    from bounceproc.sources.tokens.tokens import Tokens

MAX_CHALLENGE: Final = 4096
"""Octets of a server's reason that are read; the JSON of RFC 7628 section 3.2.2 has some hundred."""
MAX_VALUE: Final = 100
"""Characters of each of its values that are repeated."""
_FIELDS: Final = ("status", "error", "error_description", "schemes", "scope")


class Conversation:
    """One AUTHENTICATE: says who we are, and keeps the reason that a server gives before it refuses."""

    def __init__(self, opening: str, closing: bytes) -> None:
        self._opening = opening.encode()
        self._closing = closing
        self._asked = 0
        self.reason = ""

    def __call__(self, challenge: bytes) -> bytes | None:
        """The answer to a challenge: the second one is the server's reason, and has to be answered before its NO."""
        self._asked += 1
        if self._asked == 1:
            return self._opening
        self.reason = decoded(challenge)
        return self._closing if self._asked == 2 else None


def log_in_by_token(client: IMAPClient, mailbox: Mailbox, tokens: Tokens) -> None:
    """Log in; a token that is refused is renewed once, for it may have been taken back before its end.

    Raises:
        AccessError: the server refuses the new one, too, or the provider gives none.
        UnavailableError: the provider does not answer.
        ConfigError: the server takes no tokens.
        IMAPClientError: the conversation ended.

    """
    mechanism, opened = _mechanism(client, mailbox)
    refused: str | None = None
    while True:
        token = tokens.current(refused=refused)
        conversation = opened(token.text)
        try:
            client.sasl_login(mechanism, conversation)
        except IMAPClientError as error:
            ended = isinstance(error, IMAPClientAbortError) or isinstance(error.__context__, IMAPClientAbortError)
            if ended or not _is_refusal(error, conversation):
                raise
            if refused is not None:
                raise _refusal(error, conversation, tokens) from None
            refused = token.text
        else:
            return


def _mechanism(client: IMAPClient, mailbox: Mailbox) -> tuple[str, Callable[[str], Conversation]]:
    capabilities = client.capabilities()
    user = mailbox.user
    if b"AUTH=OAUTHBEARER" in capabilities:
        identity = user.replace("=", "=3D").replace(",", "=2C")  # RFC 5801 section 4
        where = f"host={mailbox.host}\1port={mailbox.port}"
        return "OAUTHBEARER", lambda token: Conversation(f"n,a={identity},\1{where}\1auth=Bearer {token}\1\1", b"\1")
    if b"AUTH=XOAUTH2" in capabilities:
        return "XOAUTH2", lambda token: Conversation(f"user={user}\1auth=Bearer {token}\1\1", b"")
    raise ConfigError(
        f"mailbox {mailbox.name!r}: {mailbox.host}:{mailbox.port} takes no access tokens on this connection",
        'Set security to "tls", host to the provider\'s IMAP server, or auth to "password".',
    )


def _is_refusal(error: IMAPClientError, conversation: Conversation) -> bool:
    text = str(error)
    return bool(conversation.reason) or not any(f"[{code}" in text for code in ("UNAVAILABLE", "INUSE", "LIMIT"))


def _refusal(error: IMAPClientError, conversation: Conversation, tokens: Tokens) -> IMAPClientError:
    """The server's own words and its reason, as one refusal without our token."""
    said = f"{error} ({conversation.reason})" if conversation.reason else str(error)
    return LoginError(tokens.hide(said))


def decoded(challenge: bytes) -> str:
    """The reason in the JSON of a refusal: `status: invalid_token, scope: ...`; empty where it is none."""
    try:
        found: Any = json.loads(challenge[:MAX_CHALLENGE])
    except (ValueError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    return ", ".join(f"{name}: {str(found[name])[:MAX_VALUE]}" for name in _FIELDS if found.get(name))
