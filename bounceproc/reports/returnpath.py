"""Which recipient a return path was made for: VERP in its plain conventions, seen through BATV and SRS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bounceproc.rare import Rare
from bounceproc.reports.fields import parsed

if TYPE_CHECKING:
    from bounceproc.address import Address

_BATV: Final = Rare(r"(?:prvs|btv1)={1,2}[^=@]{1,40}={1,2}(?=[^=])", re.IGNORECASE)
_SRS0: Final = Rare(r"srs0[=+-][^=@]{1,40}[=+][^=+@]{1,10}[=+]([^=+@]{1,255})[=+](.{1,255})", re.IGNORECASE)
_SRS1: Final = Rare(r"srs1[=+-][^=@]{1,40}=[^=@]{1,255}=(?==|\+|-)", re.IGNORECASE)
_PREFIX: Final = Rare(
    r"[^+=]*\+|(?:[^=]*[-_.])?(?:bounces?|return(?:s|ed)?|errors?|verp|unsub(?:scribe)?|leave|b)[-_.]", re.IGNORECASE
)
_TOKENS: Final = (
    (
        Rare(r"bounces?\+", re.IGNORECASE),
        Rare(r"\d+-[0-9a-f]{4,8}-|[0-9a-f]{6,}\.[0-9a-f]{4,}-", re.IGNORECASE),
    ),
    (Rare(r"(?:[^=]*[-_.])?return-", re.IGNORECASE), Rare(r"\d+-")),
)
"""What stands between prefix and recipient by a known convention: SendGrid's and Mailgun's numbers of the account and the
message, and the number of the message in ezmlm (`list-return-123-user=example.com`)."""
_NUMBERED: Final = Rare(r"[\w.]*\d[\w.]*-")
"""What may be a number of somebody's own, or the first half of a name."""


def unwrapped(path: str) -> str:
    """The return path before a forwarder (SRS) or its own mail server (BATV) rewrote it."""
    local, at, domain = path.strip().strip("<>").rpartition("@")
    if not at:
        return path
    if found := _SRS1.match(local):
        local = "SRS0" + local[found.end() :]
    if found := _SRS0.fullmatch(local):
        return (
            unwrapped(f"{found[2]}@{found[1]}") if not found[2].lower().startswith("srs") else f"{found[2]}@{found[1]}"
        )
    if found := _BATV.match(local):
        local = local[found.end() :]
    return f"{local}@{domain}"


def recipient(path: str) -> Address | None:
    """The recipient written into a return path (`list-bounces+user=example.com@lists.example.org`), None if there is none.

    None too where it is not sure where the recipient begins: `bounces-77-jo=example.com` may be for jo or for 77-jo.
    """
    local, at, _ = unwrapped(path).rpartition("@")
    if not at or "=" not in local:
        return None
    user, _, domain = local.rpartition("=")
    if "." not in domain:
        return None
    found = _PREFIX.match(user)
    prefix = found[0] if found else ""
    user = user[len(prefix) :]
    for of_prefix, token in _TOKENS:
        if of_prefix.fullmatch(prefix) and (number := token.match(user)):
            return parsed(f"{user[number.end() :]}@{domain}") if user[number.end() :] else None
    return parsed(f"{user}@{domain}") if user and not _is_ambiguous(prefix, user) else None


def _is_ambiguous(prefix: str, user: str) -> bool:
    """Whether more than the prefix may stand before the recipient: the separator that ends it comes again, or a number does.

    A plus behind the name of a list (Mailman) ends the prefix for certain.
    """
    if prefix.lower() in ("", "bounce+", "bounces+"):
        return _NUMBERED.match(user) is not None
    return not prefix.endswith("+") and prefix[-1] in user
