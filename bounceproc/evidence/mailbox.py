"""The one address of a From or To, read so strictly that nobody can mean another one than a mail system does."""

from __future__ import annotations

import re
from typing import Final

from bounceproc.address import Address
from bounceproc.errors import InvalidAddressError

LONGEST: Final = 1000
"""Octets of a field that are looked at."""

_ADDRESS: Final = r"[^<>\s\"(),;:\\@]+@[^<>\s\"(),;:\\@]+"
_MAILBOX: Final = re.compile(
    rf"\s*(?:(?:\"[^\"\\<>]*\"|[^\"\\<>@,;:()]*)\s*<\s*({_ADDRESS})\s*>|({_ADDRESS}))\s*", re.ASCII
)
"""A name without any address in it, and one address: `"<staff@hotmail.com>" <somebody@hotmail.com>` is a trap."""


def only_address(value: bytes) -> Address | None:
    """The address of a field that names one mailbox and nothing else (RFC 5322 3.4); None for all other forms."""
    if len(value) > LONGEST or not value.isascii():
        return None
    found = _MAILBOX.fullmatch(" ".join(value.decode("ascii").split()))
    if found is None:
        return None
    try:
        return Address.parse(found[1] or found[2])
    except InvalidAddressError:
        return None
