"""A history as one small text, and back: what the column `address.history` holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted
from typing import TYPE_CHECKING, Any, Final

from bounceproc.errors import SchemaError
from bounceproc.event import BounceClass, EventType, Trust, exact
from bounceproc.policy.history import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT: Final = 1
"""The first element of the JSON array: a later layout gets another number."""
EMPTY: Final = f"[{FORMAT}]"
"""The text of a history without evidence."""

_TYPES: Final = {member.value: member for member in EventType}
_CLASSES: Final[dict[str | None, BounceClass | None]] = {None: None, **{member.value: member for member in BounceClass}}
_TRUSTS: Final = {member.value: member for member in Trust}


def dump(evidence: Iterable[Evidence]) -> str:
    """The text of a history: `[FORMAT, [id, type, category, ...], ...]`, octets in hexadecimal, times in ISO 8601."""
    return f"[{','.join((str(FORMAT), *map(_dump_one, evidence)))}]"


def load(text: str) -> tuple[Evidence, ...]:
    """The evidence of a history.

    Raises:
        SchemaError: a newer program wrote it in another layout.

    """
    if text == EMPTY:
        return ()
    layout, *pieces = json.loads(text)
    if layout != FORMAT:
        raise SchemaError(
            f"a history in the database has layout {layout} and this program knows {FORMAT}",
            "Use the version of bounceproc that wrote it, or a newer one.",
        )
    return tuple(map(_load_one, pieces))


def _dump_one(piece: Evidence) -> str:
    class_ = piece.class_
    return (
        f'["{piece.id.hex()}","{piece.type}",{_quoted(piece.category)},'
        f"{'null' if class_ is None else quoted(class_)},"
        f'"{piece.trust}","{_iso(piece.occurred_at)}","{_iso(piece.received_at)}",'
        f'"{piece.original.hex()}",{piece.subject},"{piece.address.hex()}",{_quoted(piece.stream)}]'
    )


def _quoted(text: str | None) -> str:
    return "null" if text is None else quoted(text)


def _iso(moment: datetime) -> str:
    return exact(moment if moment.tzinfo is UTC else moment.astimezone(UTC))


def _load_one(piece: list[Any]) -> Evidence:
    id_, type_, category, class_, trust, occurred_at, received_at, original, subject, address, stream = piece
    return Evidence(
        id=bytes.fromhex(id_),
        type=_TYPES[type_],
        category=category,
        class_=_CLASSES[class_],
        trust=_TRUSTS[trust],
        occurred_at=datetime.fromisoformat(occurred_at),
        received_at=datetime.fromisoformat(received_at),
        original=bytes.fromhex(original),
        subject=subject,
        address=bytes.fromhex(address),
        stream=stream,
    )
