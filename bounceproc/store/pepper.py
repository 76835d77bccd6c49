"""The pepper, which makes keys worthless to whoever copies the database, and the keys that are made with it; no database is needed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bounceproc.errors import AccessError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bounceproc.address import Address

PEPPER_OCTETS: Final = 32
"""Length of the pepper: beyond guessing, and within what a BLAKE2b key may have (64)."""
PEPPER_FILE_LIMIT: Final = 4096
"""Octets read of a pepper file, which has 65: a wrong path must not fill the memory."""
KEY_OCTETS: Final = 16
"""Length of an address key: two of a billion addresses collide with a probability of 2^-69."""
ORIGINAL_OCTETS: Final = 8
"""Length of the hash that tells original messages of one history apart: at most some hundred stand beside each other."""


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """Makes keys. Without the pepper nobody can tell whether an address is in the database, however many they try."""

    pepper: bytes
    _keyed: hashlib.blake2b = field(init=False, compare=False)
    """A hash that has taken in the pepper: copies of it take half the time of new ones."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_keyed", hashlib.blake2b(digest_size=KEY_OCTETS, key=self.pepper))

    def of(self, address: Address) -> bytes:
        """The key of an address or of a whole domain (16 octets)."""
        return self.of_sha256(address.sha256())

    def of_sha256(self, sha256: bytes) -> bytes:
        """The key of the address whose normal form has this SHA-256: a question may be asked without the address."""
        keyed = self._keyed.copy()
        keyed.update(sha256)
        return keyed.digest()

    def of_names(self, names: Iterable[bytes]) -> list[bytes]:
        """The keys of the addresses and domains with these normal forms in UTF-8; nothing is called that need not be."""
        sha256, copy, keys = hashlib.sha256, self._keyed.copy, []
        for name in names:
            keyed = copy()
            keyed.update(sha256(name).digest())
            keys.append(keyed.digest())
        return keys

    def original(self, identifier: str | None) -> bytes:
        """Tells original messages apart by Message-ID or envelope id (8 octets); empty where there is none."""
        if not identifier:
            return b""
        return self._derive(identifier.encode(), ORIGINAL_OCTETS, b"bounceproc-orig")

    def message(self, message_id: str) -> bytes:
        """Stands for a Message-ID in the send ledger (16 octets): some senders write the recipient into it."""
        return self._derive(message_id.encode(errors="replace"), KEY_OCTETS, b"bounceproc-sent")

    def sent(self, message_id: str, key: bytes) -> bytes:
        """Stands for one Message-ID and the key of one recipient of it (16 octets)."""
        return self._derive(self.message(message_id) + key, KEY_OCTETS, b"bounceproc-pair")

    def hidden(self, name: str) -> str:
        """Stands for the name of a domain that may be a person's own (16 hexadecimal digits)."""
        return self._derive(name.encode(), 8, b"bounceproc-host").hex()

    @property
    def id(self) -> str:
        """Tells peppers apart for people who look for the right backup; gives nothing away."""
        return self._derive(b"", 4, b"bounceproc-id").hex()

    @property
    def audit(self) -> bytes:
        """What the feed is sealed with: who can write to the database and has not the pepper cannot seal it anew (32 octets)."""
        return self._derive(b"", 32, b"bounceproc-audit")

    @property
    def check(self) -> str:
        """Proves to a database that this is its pepper."""
        return self._derive(b"", 16, b"bounceproc-check").hex()

    def _derive(self, data: bytes, octets: int, purpose: bytes) -> bytes:
        return hashlib.blake2b(data, digest_size=octets, key=self.pepper, person=purpose).digest()


def read_pepper(path: Path, wanted: str | None = None) -> Keys:
    """Read a pepper file: 64 hexadecimal digits. `wanted` is the id of the pepper that the database was made with.

    Raises:
        ConfigError: there is no such file, or no pepper in it.
        AccessError: it may not be read.

    """
    try:
        with path.open("rb") as file:
            content = file.read(PEPPER_FILE_LIMIT)
    except FileNotFoundError as error:
        raise _missing(path, wanted) from error
    except OSError as error:
        raise AccessError(
            f"the pepper file {path} cannot be read: {error.strerror}", "Check its owner and mode."
        ) from error
    try:
        pepper = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        pepper = b""
    if len(pepper) != PEPPER_OCTETS:
        raise ConfigError(
            f"the pepper file {path} does not hold {2 * PEPPER_OCTETS} hexadecimal digits",
            "Put the right file back from a backup.",
        )
    return Keys(pepper)


def _missing(path: Path, wanted: str | None) -> ConfigError:
    if wanted is not None:
        return ConfigError(
            f"the pepper file {path} is missing, and the database was made with pepper {wanted}",
            "Put it back from a backup, or let [privacy] pepper_file name the place where it lies. Without it no address is found.",
        )
    return ConfigError(
        f"the pepper file {path} is missing",
        "With PostgreSQL every machine needs the same one. Make it once, back it up and copy it to all of them: "
        f"(umask 077; openssl rand -hex {PEPPER_OCTETS} > {path})",
    )
