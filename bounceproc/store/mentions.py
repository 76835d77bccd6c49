"""Where an address stands in other texts: as it is, and as return paths, links and encoded mail write it."""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Final

from bounceproc.store.copies import unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bounceproc.address import Address

FORGOTTEN: Final = "(forgotten)"
"""What stands in a text in place of an address."""

_BASE64: Final = re.compile(rb"(?:^[A-Za-z0-9+/]{4,998}={0,2}\r?\n?)+", re.MULTILINE)
"""Lines of base64 (RFC 2045 section 6.8), those of longer lines than it allows included."""
_WORD: Final = re.compile(rb"=\?[^?\s]{1,40}\?[bB]\?([A-Za-z0-9+/=]*)\?=")
"""An encoded word of RFC 2047 in base64."""
_FOLDED: Final = re.compile(rb"=\r?\n|=[0-9A-Fa-f]{2}")
"""What quoted-printable (RFC 2045 section 6.7) makes of some letters and of the ends of long lines."""

_MAILBOX: Final = (r"(?<![\w.+-])", r"(?![\w-]|\.\w)")
"""What may not stand before and behind an address, so that `anna@example.com` is not found in `joanna@example.com.au`."""
_REWRITTEN: Final = (r"(?<![^\W_]|\.)", r"(?![^\W_]|\.\w)")
"""The same for an address inside another local part, where signs separate it."""


class Mentions:
    """Finds some addresses in texts, whatever their case, and takes them out."""

    def __init__(self, addresses: Iterable[Address]) -> None:
        addresses = tuple(addresses)
        forms = [form for address in addresses for form in _forms(address)]
        self._text = re.compile("|".join(forms) or r"(?!)", re.IGNORECASE)
        self._octets = re.compile("|".join(forms).encode() or rb"(?!)", re.IGNORECASE)
        # Nearly no text names anybody: looking for both parts of an address first takes a fiftieth of the pattern's time.
        self._parts: dict[str, set[str]] = {}
        for address in addresses:
            for domain in _domains(address):
                self._parts.setdefault(domain, set()).update(_locals(address))
        self._octet_parts = {
            domain.encode(): {local.encode() for local in locals_} for domain, locals_ in self._parts.items()
        }

    def stand_in(self, text: str) -> bool:
        """Whether a text names one of them."""
        lowered = text.lower()
        may_be = any(
            domain in lowered and any(local in lowered for local in locals_) for domain, locals_ in self._parts.items()
        )
        return may_be and self._text.search(text) is not None

    def taken_out(self, text: str) -> str | None:
        """The text without them; None where nothing else is in it."""
        return None if self._text.fullmatch(text.strip("<> ")) else self._text.sub(FORGOTTEN, text)

    def stand_in_copy(self, copy: bytes) -> bool:
        """Whether the compressed copy of a message names one of them, parts in quoted-printable and base64 included.

        What is packed otherwise (archives, pictures, UTF-16) or encoded twice is not looked into.
        """
        return any(self._stand_in_octets(view) for view in _views(unpack(copy)))

    def _stand_in_octets(self, view: bytes) -> bool:
        lowered = view.lower()
        parts = self._octet_parts.items()
        may_be = any(domain in lowered and any(local in lowered for local in locals_) for domain, locals_ in parts)
        return may_be and self._octets.search(view) is not None


def _locals(address: Address) -> set[str]:
    return {address.local, address.text.rpartition("@")[0].lower()}


def _domains(address: Address) -> set[str]:
    return {address.domain, address.text.rpartition("@")[2].lower(), _readable(address.domain)}


def _forms(address: Address) -> Iterator[str]:
    for part in sorted(_locals(address)):
        for domain in sorted(_domains(address)):
            name, at = re.escape(part), re.escape(domain)
            yield f"{_MAILBOX[0]}{name}@{at}{_MAILBOX[1]}"
            # VERP, links, and SRS (`SRS0=hash=day=domain=local@forwarder`).
            yield f"{_REWRITTEN[0]}{name}(?:=|%40|%3d){at}{_REWRITTEN[1]}"
            yield f"={at}={name}(?=@)"


def _readable(domain: str) -> str:
    """The domain in U-labels; itself where it has none."""
    import idna  # noqa: PLC0415 - its tables take as long to load as most commands take

    try:
        return idna.decode(domain)
    except (idna.IDNAError, UnicodeError):
        return domain


def _views(raw: bytes) -> Iterator[bytes]:
    """A message as it is, and as it reads."""
    yield raw
    if _FOLDED.search(raw):
        yield binascii.a2b_qp(raw)
    for block in (*_WORD.findall(raw), *(_BASE64.findall(raw) if b"base64" in raw.lower() else ())):
        yield _decoded(block)


def _decoded(block: bytes) -> bytes:
    letters = block.translate(None, b"\r\n=")
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]  # one letter alone says nothing
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
