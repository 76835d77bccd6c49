"""The chain over the feed: each line is sealed together with the one before, so that a change of any of them shows.

A line has two parts. Its facts (who, when, what, about which key, from what to what) are sealed as they are. Its texts (the
plaintext of the address, notes, stated consents) are sealed as a commitment: a hash with a salt of the line's own. Whoever erases
the texts and the salt leaves the commitment, and with it an unbroken chain, and nobody can guess the texts from it.

Seals are made with a key from the pepper, which is not in the database: whoever can only write there cannot make them. What no
chain shows is that its newest lines are missing, unless its head was noted elsewhere.
"""

from __future__ import annotations

import json
import os
from datetime import UTC
from functools import lru_cache
from hashlib import blake2b
from json.encoder import encode_basestring_ascii as quoted
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bounceproc.event import exact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import sqlalchemy as sa

    Row: TypeAlias = Mapping[str, Any] | sa.RowMapping

SEAL_OCTETS: Final = 32
"""Length of seals and commitments: beyond any search for a second line with the same one."""
SALT_OCTETS: Final = 16
"""Length of salts: nobody can try them all for a text that they suspect."""
START: Final = bytes(SEAL_OCTETS)
"""What the first line is sealed with."""
CONSENT: Final = "consent: "
"""What a stated consent begins with in `why`, which else is policy's own counting and names nobody."""

_JSON: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False)
_FACTS: Final = ("version", "actor", "action", "scope", "reason", "origin")


def seal(rows: Sequence[dict[str, Any]], before: bytes, key: bytes) -> bytes:
    """Give rows of the feed, in the order of their versions, what they lack of salts, their commitments and seals.

    `before` is the seal of the row before them, or `START`. Returns the last seal.
    """
    salts = os.urandom(SALT_OCTETS * len(rows))
    for place, row in enumerate(rows):
        salt = row.get("salt") or salts[place * SALT_OCTETS : (place + 1) * SALT_OCTETS]
        row["salt"] = salt
        row["commitment"] = commitment(row, salt)
        row["seal"] = before = sealed(row, before, key)
    return before


def commitment(row: Row, salt: bytes) -> bytes:
    """What a row commits itself to of its texts."""
    said = f"[{','.join([encoded(text) for text in texts(row)])}]"
    return blake2b(said.encode(), digest_size=SEAL_OCTETS, key=salt, person=b"bounceproc-text").digest()


def sealed(row: Row, before: bytes, key: bytes) -> bytes:
    """The seal of a row that has its commitment."""
    facts = [
        *[row[name] for name in _FACTS],
        exact(row["at"].astimezone(UTC)),
        row["key"].hex(),
        _told(row["before"]),
        _told(row["after"]),
    ]
    said = f"[{','.join([encoded(fact) for fact in facts])}]"
    # Both are of a fixed length, so that no octet can move from one to the other.
    whole = before + row["commitment"] + said.encode()
    return blake2b(whole, digest_size=SEAL_OCTETS, key=key, person=b"bounceproc-seal").digest()


def encoded(value: Any) -> str:
    """A value in JSON, keys in their order, no spaces: of texts alone, as nearly all are, in a fraction of an encoder's time."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return "{" + ",".join([begin + encoded(value[name]) for name, begin in _names(tuple(value))]) + "}"
    return _JSON.encode(value)


@lru_cache
def _names(given: tuple[str, ...]) -> list[tuple[str, str]]:
    """The keys of an object in their order, each with what stands before its value: nearly all objects have the same."""
    return [(name, f"{quoted(name)}:") for name in sorted(given)]


def texts(row: Row) -> list[str | None]:
    """What a person may have written in a row, and whom it names."""
    found = [row["address"], row["note"]]
    for told in (row["before"], row["after"]):
        found += [told.get("note"), told.get("why") if _is_consent(told) else None] if told else [None, None]
    return found


def _is_consent(told: Mapping[str, Any]) -> bool:
    return str(told.get("why") or "").startswith(CONSENT)


def _told(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """An entry without its texts."""
    if told is None:
        return None
    return {**told, "note": None, "why": None if _is_consent(told) else told.get("why")}


def flaw(row: Row, before: bytes, key: bytes) -> str | None:
    """What is wrong with a sealed row; None where nothing is. `before` is the seal of the row before it."""
    if row["commitment"] is None or row["seal"] is None:
        return "it is not sealed"
    if row["seal"] != sealed(row, before, key):
        return "it is not what was sealed, or the line before it is another one"
    if row["salt"] is None:
        # An address can stay where only somebody else's name was taken out of the texts; its key says whether it is the right one.
        if any(text is not None for text in texts(row)[1:]):
            return "it has texts although they were erased"
    elif row["commitment"] != commitment(row, row["salt"]):
        return "its texts are not what was sealed"
    return None
