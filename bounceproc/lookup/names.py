"""What an address is looked up as besides itself."""

from __future__ import annotations

from bounceproc.address import Address


def bare(address: Address, delimiter: str) -> Address | None:
    """The address without its extension (user+tag@ is user@); None where it has none, and for a quoted local part."""
    local, found, _ = address.local.partition(delimiter)
    if not local or not found or local.startswith('"'):
        return None
    normal = f"{local}@{address.domain}"
    return Address(normal, normal)
