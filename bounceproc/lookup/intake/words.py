"""What the cells of foreign lists say: reasons, moments, scopes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from bounceproc.address import Address
from bounceproc.classify.categories import Category
from bounceproc.errors import InvalidAddressError

EPOCHS: Final = range(10, 14)
"""Digits of a moment in seconds or milliseconds since 1970; fewer are some other number."""
SCOPE_LIMIT: Final = 1000
"""Characters of a scope, as the list itself takes them."""

REASONS: Final = {
    "bounce": "bounce",
    "bounced": "bounce",
    "hardbounce": "bounce",
    "bouncerule": "bounce",
    "invalid": "bounce",
    "complaint": "complaint",
    "complained": "complaint",
    "abuse": "complaint",
    "spam": "complaint",
    "spamcomplaint": "complaint",
    "spamreport": "complaint",
    "unsubscribe": "unsubscribe",
    "unsubscribed": "unsubscribe",
    "listunsubscribe": "unsubscribe",
    "unsubscribelink": "unsubscribe",
    "optout": "unsubscribe",
    "manual": "manual",
    "import": "import",
}
"""The words of many services, without case, spaces and hyphens, and what they are here."""


class RowError(Exception):
    """A row that cannot be taken, and why."""


def plain(text: str) -> str:
    """A name without case, spaces, hyphens and underscores: services write the same column in each of these ways."""
    return re.sub(r"[\s_-]+", "", text.strip()).lower()


def reason_of(text: str) -> str | None:
    """The reason that a word stands for; None for any other text."""
    word = plain(text)
    if word in _CATEGORIES:
        return "bounce"
    return REASONS.get(word)


_CATEGORIES: Final = {
    plain(category.value): category.value for category in Category if category is not Category.UNKNOWN
}


def category_of(text: str) -> str | None:
    """The category that a text names."""
    return _CATEGORIES.get(plain(text))


def subject_of(text: str) -> Address:
    """An address, or a whole domain where it begins with `@`.

    Raises:
        RowError: it is neither.

    """
    if not text.strip():
        raise RowError("there is no address")
    try:
        return Address.parse_domain(text) if text.strip().startswith("@") else Address.parse(text)
    except InvalidAddressError as error:
        raise RowError(error.why) from error


def scope_of(scope: str, stream: str) -> str | None:
    """The scope that two cells name; None where they are empty.

    Raises:
        RowError: it is no scope.

    """
    text = scope.strip() or (f"stream:{stream.strip()}" if stream.strip() not in {"", "*"} else stream.strip())
    if not text:
        return None
    kind, _, name = text.partition(":")
    if len(text) > SCOPE_LIMIT or not text.isprintable() or (text != "*" and not (kind == "stream" and name.strip())):
        raise RowError("its scope is neither * nor stream:NAME")
    return text


def until_of(text: str) -> datetime | None:
    """When an entry ends; None for never.

    Raises:
        RowError: it is no moment. An end that is not understood must not become "never".

    """
    if not text.strip():
        return None
    found = moment_of(text)
    if found is None:
        raise RowError("its end is no moment: write 2027-01-31 or 2027-01-31T12:00:00Z")
    return found


def moment_of(text: str) -> datetime | None:
    """A moment in any of the forms that services write: ISO 8601, seconds since 1970, a mail's date; None for other texts."""
    text = text.strip()
    try:
        if text.isascii() and text.isdigit() and len(text) in EPOCHS:
            return datetime.fromtimestamp(int(text) / (1000 if len(text) == EPOCHS[-1] else 1), UTC)
        found = parsedate_to_datetime(text) if text[:1].isalpha() else datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
