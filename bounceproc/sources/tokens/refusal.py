"""What is said where a provider gives no token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bounceproc.errors import AccessError, ConfigError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable

NO_ANSWER: Final = (ValueError, TypeError, KeyError, AttributeError, RuntimeError)
"""What the providers' libraries raise where an answer is no JSON, or not the JSON that they expect, or a redirect."""
MAX_SAID: Final = 300
"""Characters of a provider's words that are repeated in an error."""


def missing_extra(mailbox: str) -> ConfigError:
    """The provider's library is not installed."""
    return ConfigError(
        f"mailbox {mailbox!r}: the libraries for access tokens are not installed",
        "Install them: pip install 'bounceproc[oauth]'.",
    )


def refused(mailbox: str, provider: str, said: str, advice: str, secrets: Iterable[str]) -> AccessError:
    """The provider answers and gives no token. Should it repeat our secrets, nobody else does."""
    said = one_line(said, secrets)
    return AccessError(f"{provider} gives no access token for mailbox {mailbox!r}: {said}", advice)


def unreachable(mailbox: str, provider: str, why: str, secrets: Iterable[str] = ()) -> UnavailableError:
    """The provider does not answer, or has trouble of its own."""
    return UnavailableError(
        f"{provider} gives no access token for mailbox {mailbox!r} now: {one_line(why, secrets)}",
        "Nothing is lost; the next run tries it again. Check that this machine reaches the provider over HTTPS.",
    )


def one_line(said: str, secrets: Iterable[str]) -> str:
    """A stranger's words, of bounded length, without control characters and without our secrets."""
    for secret in secrets:
        said = said.replace(secret, "***")
    return " ".join("".join(char if char.isprintable() else " " for char in said[: 4 * MAX_SAID]).split())[:MAX_SAID]
