"""An e-mail address, normalised once, compared everywhere (case, IDNA, quoted local part, SMTPUTF8)."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from bounceproc.errors import InvalidAddressError
from bounceproc.rare import Rare

NORMAL_FORM: Final = 1
"""The version of the normal form. Keys in every store are made from it, so a change of the rules below needs a new number."""

MAX_OCTETS: Final = 320
"""Local part (64), `@` and domain (255) of RFC 5321 4.5.3.1. The local part alone may be longer: VERP makes such addresses."""

LABEL: Final = r"[a-z0-9_][a-z0-9_-]*+(?<!-)"
"""A label of a domain name, as a pattern."""

_PLAIN: Final = re.compile(rf"[a-z0-9!#$%&'*+/=?^_`{{|}}~.-]++@{LABEL}(?:\.{LABEL})*")
_LITERAL: Final = Rare(r"\[[0-9a-z:.]+\]")
_FORBIDDEN: Final = Rare(r"[\x00-\x20\x7f-\xa0\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffd\ud800-\udfff]")
"""White space, controls, what turns the direction of writing, and what no text holds: nobody's address, and a trap in a terminal."""
_QUOTED: Final = Rare(r'"(?:[^"\\]|\\.)*"')
_ATOMS: Final = Rare(r"[^\s\"(),:;<>@\[\\\]]+")


class Address:
    """One mailbox or, with an empty local part, one whole domain.

    Two addresses are equal when mail servers of this world treat them as one: `text` is kept as it was written and does
    not take part in comparison. No dataclass: several are made of each message, and compiled this costs a fifth.
    """

    __slots__ = ("normal", "text")

    def __init__(self, normal: str, text: str) -> None:
        self.normal: Final = normal
        """The normal form (version `NORMAL_FORM`): NFC, lower case, needless quotes removed, the domain in A-labels."""
        self.text: Final = text
        """The address as it was written, without brackets and white space round it."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and other.normal == self.normal

    def __hash__(self) -> int:
        return hash(self.normal)

    def __repr__(self) -> str:
        return f"Address(normal={self.normal!r}, text={self.text!r})"

    def __reduce__(self) -> tuple[type[Address], tuple[str, str]]:
        """How another process gets it: compiled, a class without a dictionary takes no other way."""
        return Address, (self.normal, self.text)

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an addr-spec of RFC 5322 or RFC 6531, with or without `<>`.

        Raises:
            InvalidAddressError: there is no `@`, a part is empty or too long, or a character may not stand in an address.

        """
        written = text.strip()
        if written[:1] == "<" and written[-1:] == ">":
            written = written[1:-1].strip()
        lowered = written.lower()
        if len(lowered) <= MAX_OCTETS and _PLAIN.fullmatch(lowered):
            return cls(lowered, written)
        local, at, domain = written.rpartition("@")
        if not at or not local or not domain:
            raise InvalidAddressError(text, "an address is local-part@domain")
        return cls(f"{_normal_local(local, text)}@{_normal_domain(domain, text)}", written)

    @classmethod
    def parse_domain(cls, text: str) -> Address:
        """Read a domain name, with or without a leading `@`: the subject of a suppression of the whole domain.

        Raises:
            InvalidAddressError: it is no domain name.

        """
        written = text.strip().removeprefix("@")
        return cls(f"@{_normal_domain(written, text)}", f"@{written}")

    @property
    def domain(self) -> str:
        """The domain in its normal form (A-labels, lower case)."""
        return self.normal.rpartition("@")[2]

    @property
    def local(self) -> str:
        """The local part in its normal form; empty for a whole domain."""
        return self.normal.rpartition("@")[0]

    @property
    def is_domain(self) -> bool:
        """Whether this stands for a whole domain."""
        return self.normal.startswith("@")

    def domain_address(self) -> Address:
        """The whole domain of this address, as a subject of its own."""
        return Address(f"@{self.domain}", f"@{self.domain}")

    def without_extension(self, delimiter: str) -> Address | None:
        """The address that this one is written to with an extension (user+tag@ is user@); None where there is none, and where it is quoted."""
        local, found, _ = self.local.partition(delimiter)
        if not local or not found or local.startswith('"'):
            return None
        normal = f"{local}@{self.domain}"
        return Address(normal, normal)

    def sha256(self) -> bytes:
        """SHA-256 of the normal form: what a question may be asked with instead of the address (32 octets)."""
        import hashlib  # noqa: PLC0415 - it brings OpenSSL

        return hashlib.sha256(self.normal.encode()).digest()

    def __str__(self) -> str:
        return self.text


def _normal_local(local: str, text: str) -> str:
    if local[0] == '"':
        if not _QUOTED.fullmatch(local):
            raise InvalidAddressError(text, "the quoted local part does not end where it should")
        inner = re.sub(r"\\(.)", r"\1", local[1:-1])
        if _FORBIDDEN.search(inner.replace(" ", "")):
            raise InvalidAddressError(text, "it has control characters")
        inner = unicodedata.normalize("NFC", inner).lower()
        if _ATOMS.fullmatch(inner) and not inner.startswith(".") and not inner.endswith(".") and ".." not in inner:
            return inner
        return '"' + re.sub(r'(["\\])', r"\\\1", inner) + '"'
    if _FORBIDDEN.search(local):
        raise InvalidAddressError(text, "it has white space or control characters")
    if not _ATOMS.fullmatch(local):
        raise InvalidAddressError(text, "a character may only stand in a quoted local part")
    return unicodedata.normalize("NFC", local).lower()


def _normal_domain(domain: str, text: str) -> str:
    if _FORBIDDEN.search(domain):
        raise InvalidAddressError(text, "it has white space or control characters")
    if len(text.encode(errors="replace")) > MAX_OCTETS + 64:
        raise InvalidAddressError(text[:80], f"it is longer than {MAX_OCTETS} octets")
    lowered = domain.rstrip(".").lower()
    if _LITERAL.fullmatch(lowered):
        return lowered
    if lowered.isascii():
        if not _PLAIN.fullmatch(f"a@{lowered}"):
            raise InvalidAddressError(text, "the domain is not a domain name")
        return lowered
    import idna  # noqa: PLC0415 - its tables are large, and few domains are written in other letters

    try:
        return idna.encode(lowered, uts46=True, std3_rules=False, transitional=False).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise InvalidAddressError(text, "the domain is not a valid internationalised domain name") from error
