"""Keys made for the test, mail signed with them, and a DNS that is a dictionary."""

from __future__ import annotations

import base64
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

if TYPE_CHECKING:
    from collections.abc import Sequence

USUAL: Final = ("from", "to", "subject", "date", "message-id")


@cache
def private_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def pem(bits: int = 2048) -> bytes:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return private_key(bits).private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def record(bits: int = 2048, tags: str = "v=DKIM1; k=rsa; ") -> bytes:
    """The TXT record of a key."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    der = private_key(bits).public_key().public_bytes(serialization.Encoding.DER, form)
    return f"{tags}p=".encode() + base64.b64encode(der)


class _Signer(dkim.DKIM):  # type: ignore[misc] # no types
    """One that can let a signature end."""

    expires: int | None = None

    def gen_header(self, fields: list[tuple[bytes, bytes]], *rest: Any) -> Any:
        if self.expires is not None:
            fields.insert(-1, (b"x", str(self.expires).encode()))
        return super().gen_header(fields, *rest)


def sign(
    message: bytes,
    domain: str,
    *,
    selector: str = "s1",
    covers: Sequence[str] = USUAL,
    bits: int = 2048,
    algorithm: bytes = b"rsa-sha256",
    canonical: tuple[bytes, bytes] = (b"relaxed", b"relaxed"),
    length: bool = False,
    identity: bytes | None = None,
    expires: int | None = None,
) -> bytes:
    """The message with a signature above it."""
    signer = _Signer(message, signature_algorithm=algorithm)
    signer.expires = expires
    made: bytes = signer.sign(
        selector.encode(),
        domain.encode(),
        pem(bits),
        identity=identity,
        canonicalize=canonical,
        include_headers=[name.encode() for name in covers],
        length=length,
    )
    return made.replace(b"\r\n", b"\n") + message


class Zone(dict[str, bytes]):
    """Records by name; it counts what is asked."""

    def __init__(self, *domains: str, bits: int = 2048, selector: str = "s1") -> None:
        super().__init__({f"{selector}._domainkey.{domain}": record(bits) for domain in domains})
        self.asked: list[str] = []

    def known(self, name: str) -> bool:
        return name in self.asked

    def find(self, name: str) -> bytes | None:
        self.asked.append(name)
        return self.get(name)
