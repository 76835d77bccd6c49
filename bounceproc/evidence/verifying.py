"""Whether a DKIM signature verifies: the only room that knows dkimpy."""

from __future__ import annotations

import binascii
import logging
import re
from typing import TYPE_CHECKING, Final

import dkim

from bounceproc.evidence.signature import tags_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from bounceproc.evidence.letter import Letter
    from bounceproc.evidence.signature import Signature

MIN_KEY: Final = 1024
"""Bits of an RSA key (RFC 8301 3.2)."""

FAULTS: Final = (
    dkim.DKIMException,
    binascii.Error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What the library raises for signatures and keys that are not formed as they should be, beside its own errors."""

_RUN: Final = re.compile(rb"  +")

# It logs what strangers wrote.
logging.getLogger("dkimpy").setLevel(logging.CRITICAL + 1)


def verifies(letter: Letter, signature: Signature, key: Callable[[str], bytes | None]) -> bool:
    """Whether the signature is right. `key` gives the TXT record of a name."""

    def asked(name: bytes, timeout: float = 0) -> bytes | None:  # noqa: ARG001 - the library names it
        return key(signature.key_name) if name.decode("ascii", "replace").lower() == f"{signature.key_name}." else None

    try:
        found = dkim.DKIM(letter.head + b"\n\n", minkey=MIN_KEY)
        found.body = _body(letter, signature)
        return bool(found.verify(signature.place, asked))
    except FAULTS:
        return False


def _body(letter: Letter, signature: Signature) -> bytes:
    """The body as the library has it, with CRLF; relaxed already where it will be.

    The library's own way to relax takes time that grows with the square of the spaces before a line's last word.
    """
    tags = tags_of(letter.all("dkim-signature")[signature.place]) or {}
    if not tags.get(b"c", b"").endswith(b"/relaxed"):
        return letter.body.rstrip(b"\n").replace(b"\n", b"\r\n")
    squeezed = _RUN.sub(b" ", letter.body.replace(b"\t", b" "))
    return squeezed.replace(b" \n", b"\n").rstrip(b" \n").replace(b"\n", b"\r\n")
