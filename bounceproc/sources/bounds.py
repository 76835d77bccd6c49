"""How much of the world's mail is held in memory at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MAX_BATCH_MESSAGES: Final = 500
"""Messages in a batch. More gains nothing in speed, and 500 UIDs stay below the command lines of 8,192 octets that
RFC 9051 section 4.1.1 asks servers to accept."""
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
"""Octets in a batch, of which three are in memory: two are read while the first is recorded. A single message above this makes
a batch of its own."""
MAX_ATTEMPTS: Final = 3
"""How often a message is read that ends the conversation or the program each time."""
SUSPECTS: Final = 20
"""Messages in a batch while one of them is suspected of that: the next to last attempt tells which."""
MAX_MESSAGE_BYTES: Final = 50 * 1024 * 1024
"""Octets of a message that is read whole: above what the large providers accept, so no report of this world is longer."""
HEAD_BYTES: Final = 1024 * 1024
"""Octets that are read of a longer message in a mailbox. What a report says stands before the mail it returns."""
PROOF_BYTES: Final = 4096
"""Octets of other mail that are to come through before a message is blamed for the end of a conversation."""
MAX_PROOF_BYTES: Final = 256 * 1024
"""The same for a long message: a line may break at whatever is long. More would cost what it saves."""

T = TypeVar("T")


def bounded(
    items: Iterable[T],
    size: Callable[[T], int],
    *,
    max_items: int = MAX_BATCH_MESSAGES,
    max_bytes: int = MAX_BATCH_BYTES,
) -> Iterator[list[T]]:
    """The items in order, in groups of at most `max_items` and `max_bytes`; one that is too large alone goes alone."""
    group: list[T] = []
    total = 0
    for item in items:
        octets = size(item)
        if group and (len(group) >= max_items or total + octets > max_bytes):
            yield group
            group, total = [], 0
        group.append(item)
        total += octets
    if group:
        yield group


def reference(door: str, data: bytes) -> str:
    """Where a message lay that came by a door and left nothing behind: the same for the same message, given once more.

    A name that all of them share would make the ledger look through all of them for each one.
    """
    from hashlib import blake2b  # noqa: PLC0415 - it brings OpenSSL

    return f"{door}#{blake2b(data, digest_size=12).hexdigest()}"
