"""DKIM signatures (RFC 6376) before anybody is asked for a key: which of a message's are worth it, and why the others are not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bounceproc.evidence.letter import Letter

MAX_SIGNATURE: Final = 4 * 1024
"""Octets of one DKIM-Signature."""
MAX_SIGNATURES: Final = 3
"""Signatures of one message that are verified."""
MAX_BLANKS: Final = 40
"""White space in one place: reading a signature takes time that grows with the square of it."""
MAX_COVERED: Final = 100
"""Names in h=: each is looked for in the whole header."""
MAX_KEY: Final = 1024
"""Octets of a public key in base64: RSA of 4096 bits has 736."""
ALGORITHM: Final = b"rsa-sha256"
"""SHA-1 proves nothing any more (RFC 8301 3.1); who signs with Ed25519 (RFC 8463) signs with RSA beside it."""

_BLANKS: Final = re.compile(rb"\s{%d}" % MAX_BLANKS)
_TAG: Final = re.compile(rb"[a-z][a-z0-9_]*")
_HOST: Final = re.compile(
    rb"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)


class Signature(NamedTuple):
    """One that may be verified."""

    place: int
    """Which DKIM-Signature of the message it is, from the top, the first one 0."""
    domain: str
    selector: str
    identity_domain: str
    """Of i=; the signing domain where that is missing."""
    covers: frozenset[str]
    """Names of the fields that it covers, in lower case."""

    @property
    def key_name(self) -> str:
        """Where its public key is to be found."""
        return f"{self.selector}._domainkey.{self.domain}"


def signatures(letter: Letter) -> Iterator[Signature]:
    """Those that are formed as they should be, cover From and the whole body, and are made with what is still safe."""
    for place, value in enumerate(letter.all("dkim-signature")):
        found = _signature(place, value)
        if found is not None:
            yield found


def _signature(place: int, value: bytes) -> Signature | None:
    if len(value) > MAX_SIGNATURE or _BLANKS.search(value):
        return None
    tags = tags_of(value)
    if tags is None or tags.get(b"v") != b"1" or tags.get(b"a", b"").lower() != ALGORITHM:
        return None
    if b"l" in tags:  # it covers the beginning of the body alone, and anybody may add to the rest (RFC 6376 8.2)
        return None
    domain, selector = tags.get(b"d", b"").lower(), tags.get(b"s", b"").lower()
    if not _HOST.fullmatch(domain) or not _HOST.fullmatch(selector) or len(domain) + len(selector) > 240:
        return None
    identity = tags.get(b"i", b"@" + domain).lower().rpartition(b"@")[2]
    if identity != domain and not identity.endswith(b"." + domain):
        return None
    names = tags.get(b"h", b"").split(b":")
    if len(names) > MAX_COVERED:
        return None
    try:
        covers = frozenset(name.strip().decode("ascii").lower() for name in names)
        identity_domain = identity.decode("ascii")
    except UnicodeDecodeError:
        return None
    if "from" not in covers:
        return None
    return Signature(place, domain.decode("ascii"), selector.decode("ascii"), identity_domain, covers)


def tags_of(value: bytes) -> dict[bytes, bytes] | None:
    """The tag list of RFC 6376 3.2; None for one that is none, or says a tag twice."""
    tags: dict[bytes, bytes] = {}
    for part in value.strip().removesuffix(b";").split(b";"):
        name, equals, content = part.partition(b"=")
        name = name.strip()
        if not equals or not _TAG.fullmatch(name) or name in tags:
            return None
        tags[name] = content.strip()
    return tags


def usable_key(record: bytes, signature: Signature) -> bool:
    """Whether a key record (RFC 6376 3.6.1) allows this signature: not withdrawn, not for tests, for mail and for SHA-256."""
    tags = tags_of(record)
    if tags is None or tags.get(b"v", b"DKIM1") != b"DKIM1" or tags.get(b"k", b"rsa") != b"rsa":
        return False
    key = b"".join(tags.get(b"p", b"").split())
    if not key or len(key) > MAX_KEY:
        return False
    flags, hashes, services = (
        {one.strip() for one in tags[name].split(b":")} if name in tags else usual
        for name, usual in ((b"t", set[bytes]()), (b"h", {b"sha256"}), (b"s", {b"*"}))
    )
    if b"y" in flags or b"sha256" not in hashes or not services & {b"*", b"email"}:
        return False
    return b"s" not in flags or signature.identity_domain == signature.domain
