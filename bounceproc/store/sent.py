"""The send ledger: which mail went to whom, for as long as reports about it may come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from bounceproc.address import Address
from bounceproc.ports import Sent
from bounceproc.store import statements
from bounceproc.store.rows import clean
from bounceproc.store.statements import among, chunks
from bounceproc.store.tables import sent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from bounceproc.sentmail import SentMail
    from bounceproc.store.engine import Database
    from bounceproc.store.keys import Keys
    from bounceproc.store.rows import Privacy

PART: Final = 1000
"""Rows that are written in one transaction."""
SHARED: Final = 10
"""Recipients of one Message-ID. Each of them knows it: what went to more of them proves nothing of the others."""


class SentMails:
    """The send ledger of one database."""

    def __init__(self, database: Database, keys: Keys, *, privacy: Privacy) -> None:
        self._database = database
        self._keys = keys
        self._privacy = privacy

    def add(self, mails: Iterable[SentMail], *, digest: Callable[[Address], str] | None = None) -> int:
        """Remember mails; what is known already stays as it was. Returns how many were new.

        `digest` makes the hash of a recipient that stands in return paths which are too short for the address.
        """
        rows = {}
        for mail in mails:
            key = self._keys.of(mail.recipient)
            id_ = self._keys.sent(mail.message_id, key)
            rows[id_] = {
                "id": id_,
                "message": self._keys.message(mail.message_id),
                "key": key,
                "address": self._privacy.address(mail.recipient),
                "token": digest(mail.recipient) if digest is not None else None,
                "stream": clean(mail.stream),
                "reference": clean(mail.reference) if not self._privacy.hash_only else None,
                "sent_at": mail.sent_at,
            }
        new = 0
        for part in chunks([rows[id_] for id_ in sorted(rows)]):
            with self._database.writing() as connection:
                new += len(statements.insert(connection, sent, part, ignore_known=True, returning=["id"]))
        return new

    def count(self) -> int:
        """How many mails are remembered."""
        with self._database.reading() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(sent)) or 0


def matches(
    connection: sa.Connection, keys: Keys, asked: Collection[tuple[str, Address]]
) -> dict[tuple[str, Address], Sent]:
    """Which of these Message-IDs went to these recipients, and to few enough others that a stranger cannot know them."""
    ids = {keys.sent(message_id, keys.of(address)): (message_id, address) for message_id, address in asked}
    others = sent.alias()
    shared = (
        sa.select(sa.literal(1)).where(others.c.message == sent.c.message).limit(1).offset(SHARED).correlate(sent)
    ).scalar_subquery()
    found = {}
    for part in chunks(sorted(ids)):
        statement = sa.select(sent.c.id, sent.c.stream, sent.c.reference).where(
            among(connection, sent.c.id, part), shared.is_(None)
        )
        for row in connection.execute(statement):
            found[ids[row.id]] = Sent(row.stream, row.reference)
    return found


def named(connection: sa.Connection, digests: Sequence[str]) -> dict[str, Address]:
    """The recipients that these hashes were made of, where mail to them is remembered and their plaintext is kept."""
    found = {}
    for part in chunks(sorted(set(digests))):
        known = sa.and_(among(connection, sent.c.token, part), sent.c.address.is_not(None))
        statement = sa.select(sent.c.token, sa.func.min(sent.c.address).label("address")).where(known)
        for row in connection.execute(statement.group_by(sent.c.token)):
            found[row.token] = Address.parse(row.address)
    return found
