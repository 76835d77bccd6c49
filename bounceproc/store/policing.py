"""Policy's own entries of the list, brought in line with its verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from bounceproc.store import addresses, changing
from bounceproc.store.entries import AUTOMATIC, Entry
from bounceproc.store.statements import chosen
from bounceproc.store.tables import suppression

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from bounceproc.policy.verdict import Verdict
    from bounceproc.store.rows import Privacy

Automatic = dict[tuple[bytes, str, str], Entry]
"""Policy's entries by key, scope and reason."""


def reconcile(
    connection: sa.Connection,
    verdicts: Sequence[Verdict],
    *,
    privacy: Privacy,
    now: datetime,
    held: Mapping[bytes, str | None] = addresses.EMPTY,
) -> int:
    """Add, extend and lift entries of origin `policy`, and no others; returns how many changed.

    The same verdict twice changes nothing the second time. `held`: see `addresses.names`.
    """
    speaking = [verdict for verdict in verdicts if verdict.speaks]
    if not speaking:
        return 0
    keys = {verdict.key for verdict in speaking}
    names = addresses.names(connection, keys, held)
    # A plaintext from before the days of hash_only is not spread any further.
    plain = {} if privacy.hash_only else names
    before = _standing(connection, keys)
    after = followed(speaking, before, plain)
    changes = [(before.get(name), after.get(name)) for name in before.keys() | after.keys()]
    return changing.write(connection, changes, actor=AUTOMATIC, at=now)


def followed(verdicts: Sequence[Verdict], before: Automatic, plain: Mapping[bytes, str | None]) -> Automatic:
    """Policy's entries as its verdicts ask for; `plain` are the addresses that are known."""
    after = dict(before)
    for verdict in verdicts:
        _follow(verdict, after, plain.get(verdict.key))
    return after


_OURS: Final = sa.select(suppression).where(suppression.c.origin == AUTOMATIC)
_NAMES: Final = suppression.c.keys()


def _standing(connection: sa.Connection, keys: Collection[bytes]) -> Automatic:
    rows = chosen(connection, _OURS, suppression.c.key, keys)
    entries = [Entry.of(dict(zip(_NAMES, row, strict=True))) for row in rows]
    return {(entry.key, entry.scope, entry.reason): entry for entry in entries}


def _follow(verdict: Verdict, entries_: Automatic, address: str | None) -> None:
    """Change the entries of one key as its verdict asks."""
    taken = verdict.lift_reasons | verdict.anew
    for (key, scope, reason), entry in list(entries_.items()) if taken else ():
        # A hard bounce that a delivery could not take away condemns on, even where its evidence was purged since.
        holds = entry.class_ == "hard" and entry.event not in verdict.cleared
        if key == verdict.key and reason in taken and not holds:
            del entries_[key, scope, reason]
    for decision in verdict.decisions:
        wanted = Entry.decided(decision, key=verdict.key, address=address, is_domain=verdict.is_domain)
        name = (verdict.key, decision.scope, decision.reason)
        standing = entries_.get(name)
        entries_[name] = standing.extended(wanted) if standing else wanted
