"""Which recipient a return path was made for: VERP in its plain conventions, seen through BATV and SRS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bounceproc.reports.fields import parsed

if TYPE_CHECKING:
    from bounceproc.address import Address

_BATV: Final = re.compile(r"(?:prvs|btv1)={1,2}[^=@]{1,40}={1,2}(?=[^=])", re.IGNORECASE)
_SRS0: Final = re.compile(r"srs0[=+-][^=@]{1,40}[=+][^=+@]{1,10}[=+]([^=+@]{1,255})[=+](.{1,255})", re.IGNORECASE)
_SRS1: Final = re.compile(r"srs1[=+-][^=@]{1,40}=[^=@]{1,255}=(?==|\+|-)", re.IGNORECASE)
_TOKENS: Final = re.compile(r"(?:\d+-[0-9a-f]{4,8}-)", re.IGNORECASE)
_PREFIX: Final = re.compile(
    r"(?:[^+=]*\+|(?:[^=]*[-_.])?(?:bounces?|return(?:s|ed)?|errors?|verp|b)[-_.])", re.IGNORECASE
)


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
    """The recipient written into a return path (`list-bounces+user=example.com@lists.example.org`), None if there is none."""
    local, at, _ = unwrapped(path).rpartition("@")
    if not at or "=" not in local:
        return None
    user, _, domain = local.rpartition("=")
    if "." not in domain:
        return None
    if prefix := _PREFIX.match(user):
        user = user[prefix.end() :]
    user = _TOKENS.sub("", user, count=1)
    return parsed(f"{user}@{domain}") if user else None
