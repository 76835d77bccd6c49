"""What an MTA is to answer for a recipient that is on the list: as little as helps the sender, and nothing about who complained."""

from __future__ import annotations

UNDELIVERABLE = "5.1.1 undeliverable"
"""For hard bounces: RFC 3463 bad destination mailbox address."""
NOT_TO_BE_MAILED = "5.7.1 not to be mailed"
"""For all the rest: RFC 3463 delivery not authorised."""


def text_of(*, reason: str, class_: str | None, since: str, ref: str | None) -> str:
    """Status, words, date and reference. `since` is a date or a moment in ISO 8601; the views of the database say the same."""
    words = UNDELIVERABLE if reason == "bounce" and class_ == "hard" else NOT_TO_BE_MAILED
    return f"{words} since {since[:10]}" + (f", ref={ref}" if ref else "")


def postfix(text: str) -> str:
    """The action of an access(5) table."""
    return f"REJECT {text}"
