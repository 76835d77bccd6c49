"""What a mail server tells the sender of a refused message: an enhanced status, the reason, the date, a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bounceproc.ports import Suppression

LIMIT: Final = 200
"""Characters of a reply: SMTP has 512 octets a line, and Postfix adds to it."""


def refusal(entry: Suppression) -> str:
    """`REJECT 5.1.1 ...` for a hard bounce of the address itself, `REJECT 5.7.1 ...` for the rest, as access(5) has it.

    The rest are whole domains, soft bounces that came too often, and bounces of an imported list that names no class.

    Who complained, unsubscribed or was blocked by hand is nobody's business: the reason is not told then.
    """
    day = f"{entry.since:%Y-%m-%d}"
    ref = f", ref={_plain(entry.ref)}" if entry.ref else ""
    is_domain = (entry.address or "").startswith("@")
    if entry.reason == "bounce" and entry.class_ == "hard" and not is_domain:
        return f"REJECT 5.1.1 Recipient suppressed: {_plain(entry.category or 'bounce')}, since {day}{ref}"[:LIMIT]
    return f"REJECT 5.7.1 Recipient suppressed, since {day}{ref}"[:LIMIT]


def _plain(text: str) -> str:
    """Only what cannot end a line or a reply."""
    return "".join(
        character for character in text if character.isascii() and (character.isalnum() or character in "-._")
    )
