"""The list for whoever holds it in memory: all that is in force, a few columns of it, in large pages."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from bounceproc.ports import Standing, Why, rank
from bounceproc.store.tables import suppression

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bounceproc.store.engine import Database

PAGE: Final = 10_000
"""Entries in one short read, some three megabytes."""

_COLUMNS: Final = tuple(
    suppression.c[name] for name in ("id", "key", "address", "is_domain", "scope", "origin", "reason", "category")
)


def in_force(stream: str | None, now: datetime) -> sa.ColumnElement[bool]:
    """Whether an entry counts at this moment: for one stream, or for any scope without one.

    An entry with a second look holds until somebody has looked, however late that is.
    """
    lasting = sa.or_(suppression.c.until.is_(None), suppression.c.until > now, suppression.c.second_look)
    return lasting if stream is None else sa.and_(lasting, suppression.c.scope.in_(("*", f"stream:{stream}")))


def read(database: Database, *, stream: str | None, now: datetime) -> Iterator[Standing]:
    """All of it, in the order in which the entries were added."""
    statement = sa.select(*_COLUMNS).where(in_force(stream, now)).order_by(suppression.c.id).limit(PAGE)
    shared = cache(_why)
    last = 0
    while True:
        with database.reading() as connection:
            page = connection.execute(statement.where(suppression.c.id > last)).all()
        for _, key, address, is_domain, scope, origin, reason, category in page:
            yield Standing(key, address, shared(scope, origin, reason, category), is_domain)
        if len(page) < PAGE:
            return
        last = page[-1].id


def _why(scope: str, origin: str, reason: str, category: str | None) -> Why:
    return Why(rank(scope, origin, reason), reason, category or "", scope, origin)
