"""Changes of the list: the table and the feed in one step, so that neither ever knows more than the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from bounceproc.store import feed, statements
from bounceproc.store.tables import suppression

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bounceproc.store.entries import Change

_NAMED: Final = ("key", "scope", "reason", "origin")
_THIS: Final = sa.and_(*(suppression.c[name] == sa.bindparam(f"this_{name}") for name in _NAMED))


def write(
    connection: sa.Connection, changes: Iterable[Change], *, actor: str, at: datetime, note: str | None = None
) -> int:
    """Bring the table in line with these changes and tell the feed; returns how many there were.

    The caller holds the rows of `address` of all these keys, so that nobody else changes the same entries.
    """
    changed = [(before, after) for before, after in changes if before != after]
    if not changed:
        return 0
    changed.sort(key=lambda pair: (pair[0] or pair[1]).identity)  # type: ignore[union-attr]  # one of them is there
    added = [after.row() | {"changed_at": at} for before, after in changed if before is None and after is not None]
    replaced = [after.row() | {"changed_at": at} for before, after in changed if before and after]
    removed = [
        {f"this_{name}": getattr(before, name) for name in _NAMED}
        for before, after in changed
        if before and after is None
    ]
    # The lock of the feed comes first and is held until the commit: whoever waits for it holds none of these rows.
    feed.append(connection, changed, actor=actor, at=at, note=note)
    statements.insert(connection, suppression, added)
    statements.update(connection, suppression, replaced, by=_NAMED)
    if removed:
        connection.execute(sa.delete(suppression).where(_THIS), removed)
    return len(changed)
