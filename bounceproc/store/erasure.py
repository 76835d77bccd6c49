"""What is erased of somebody, and where it stands: their own rows, the mail that told of them, and what names them elsewhere."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from bounceproc.address import Address
from bounceproc.errors import InvalidAddressError
from bounceproc.store import kept
from bounceproc.store.mentions import FORGOTTEN
from bounceproc.store.rows import names_in
from bounceproc.store.sealing import CONSENT
from bounceproc.store.sweeping import Sweep
from bounceproc.store.tables import attempt, event, message, metadata, suppression_change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from bounceproc.store.mentions import Mentions

    Row = Mapping[str, Any]

ACTION: Final = "forget"
"""What the feed calls it. Such a line keeps its note: it says why somebody was forgotten, and never who."""
COPIES: Final = 200
"""Raw copies in one read: they have some kilobytes each as a rule."""

OWN: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "address": ("addresses", ("address", "kept")),
    "suppression": ("suppressions", ("address", "note")),
    "suppression_change": ("changes", ("address", "note", "before", "after", "salt")),
    "review": ("reviews", ("address", "note")),
    "observed": ("observed", ("address",)),
    "sent": ("sent", ("address", "token", "reference")),
}
"""By table: what its rows are counted as, and what is erased of those with a forgotten key. A further table with a column
`key` has its line here. Events and messages have more to them: see `_own_events` and `_own_mail`."""
OWN_EVENT: Final = ("address", "final_recipient", "diagnostic", "reference")
IDS_OF_EVENT: Final = ("original_message_id", "envelope_id")
OWN_MAIL: Final = ("message_id", "error")

NOT_SEARCHED: Final = frozenset({"setting", "checkpoint", "counter", "in_flight", "pulse"})
"""Tables in which nothing was written by, or about, a recipient: names of mailboxes, files and folders are the operator's own."""
NOT_TEXTS: Final = frozenset({"source", "actor", "decided_by", "history", "scope", "kind", "outcome", "type", "trust"})
"""Columns that hold words of ours, or say who of the operator's people did something."""
_FOLDER: Final = ";UIDVALIDITY="
"""Stands in the reference of a message in a mailbox, which names no more than a folder."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """Who is forgotten, as the tables may know them."""

    keys: Sequence[bytes]
    names: frozenset[str]
    """What gives them away in an id that names no address: see `names_in`."""
    mentions: Mentions
    now: datetime

    def sweeps(self) -> Iterator[Sweep]:
        """All that is to be read through, in this order. No row is in two of them for the same text."""
        for name, (counted, columns) in OWN.items():
            yield Sweep(counted, metadata.tables[name], columns, partial(erased, columns), self._own(name))
        yield self._own_events()
        yield from self._own_mail()
        yield from self._mentioned()

    # ---- rows of their own ----

    def _own(self, name: str) -> sa.ColumnElement[bool] | None:
        """Which rows of a table are theirs; None for a table that has no such rows."""
        if name == "message":
            return self._own_message()
        if name not in OWN and name != "event":
            return None
        here = metadata.tables[name].c["key"].in_(self.keys)
        return sa.and_(here, suppression_change.c.action != ACTION) if name == "suppression_change" else here

    def _own_message(self) -> sa.ColumnElement[bool]:
        ids = sa.select(event.c.message_id).where(event.c.key.in_(self.keys))
        return sa.or_(message.c.id.in_(ids), message.c.duplicate_of.in_(ids))

    def _own_events(self) -> Sweep:
        """Events keep what can be counted. A Message-ID or envelope id may have a local part in it, as VERP does."""

        def change(row: Row) -> dict[str, Any]:
            named = names_in(*filter(None, map(_parsed, (row["address"], row["final_recipient"]))))
            return erased(OWN_EVENT, row) | self._unnamed(IDS_OF_EVENT, self.names | named, row)

        return Sweep("events", event, (*OWN_EVENT, *IDS_OF_EVENT), change, self._own("event"))

    def _own_mail(self) -> Iterator[Sweep]:
        """The messages that reported something of them: no copy stays, although it may tell of others as well."""
        here = self._own_message()
        yield Sweep("messages", message, OWN_MAIL, partial(self._unnamed, OWN_MAIL, self.names), here)
        with_copy = sa.and_(here, message.c.raw.is_not(None))
        yield Sweep("copies", message, (), lambda _row: {"raw": None}, with_copy)

    def _unnamed(self, columns: tuple[str, ...], names: frozenset[str], row: Row) -> dict[str, Any]:
        def is_telling(text: str) -> bool:
            return any(part in text.lower() for part in names) or self.mentions.stand_in(text)

        return {name: None for name in columns if row[name] and is_telling(row[name])}

    # ---- mentions elsewhere ----

    def _mentioned(self) -> Iterator[Sweep]:
        handled = {name: columns for name, (_, columns) in OWN.items()}
        handled |= {"event": (*OWN_EVENT, *IDS_OF_EVENT), "message": OWN_MAIL}
        for table in metadata.sorted_tables:
            columns = _texts(table)
            if table.name in NOT_SEARCHED or not columns:
                continue
            own = self._own(table.name)
            yield self._search(table, columns, None if own is None else _others(own))
            if own is not None:
                yield self._search(table, tuple(name for name in columns if name not in handled[table.name]), own)
        elsewhere = sa.and_(message.c.raw.is_not(None), _others(self._own_message()))
        yield Sweep("copies", message, ("raw",), self._without_copy, elsewhere, COPIES)

    def _search(self, table: sa.Table, columns: tuple[str, ...], where: sa.ColumnElement[bool] | None) -> Sweep:
        return Sweep("mentions", table, columns, partial(self._rewritten, table, columns), where)

    def _rewritten(self, table: sa.Table, columns: tuple[str, ...], row: Row) -> dict[str, Any]:
        named = [name for name in columns if self._is_named(name, row[name])]
        if not named:
            return {}
        if table is suppression_change:  # its texts go whole, and with them the salt of their commitment: see `sealing`
            return erased(tuple(name for name in columns if name in {"note", "before", "after", "salt"}), row)
        values: dict[str, Any] = {name: self._without(table, name, row[name]) for name in named}
        if "ref" in values:
            values["ref"] = f"{values['ref'] or FORGOTTEN};{secrets.token_hex(8)}"  # no two places may become one
            if table is message:
                values["settled_at"] = self.now  # there is nothing any more that could be settled
        return values

    def _is_named(self, column: str, value: Any) -> bool:
        if value is None or isinstance(value, bytes) or (column == "ref" and _FOLDER in value):
            return False
        if isinstance(value, dict):
            return any(isinstance(text, str) and self.mentions.stand_in(text) for text in value.values())
        return self.mentions.stand_in(kept.words(value) if column == "kept" else value)

    def _without(self, table: sa.Table, column: str, text: str) -> str | None:
        if column == "kept":
            return kept.reworded(text, lambda word: self.mentions.taken_out(word) or FORGOTTEN)
        left = self.mentions.taken_out(text)
        return left if left is not None or table.c[column].nullable else FORGOTTEN

    def _without_copy(self, row: Row) -> dict[str, Any]:
        return {"raw": None} if self.mentions.stand_in_copy(row["raw"]) else {}


def _others(own: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """The rows that are not theirs, those included of which nobody knows whose they are."""
    return sa.not_(sa.func.coalesce(own, sa.false()))


def _texts(table: sa.Table) -> tuple[str, ...]:
    texts = (column for column in table.c if isinstance(column.type, sa.Text | sa.JSON))
    names = (
        column.name
        for column in texts
        if column.name not in NOT_TEXTS and (not column.primary_key or column is attempt.c.ref)
    )
    return tuple(dict.fromkeys((*names, *(("salt",) if table is suppression_change else ()))))


def _parsed(text: str | None) -> Address | None:
    try:
        return Address.parse(text) if text else None
    except InvalidAddressError:
        return None  # it was shortened on its way in


# ---- erasing what a column holds ---------------------------------------------------------------------------------------


def erased(columns: tuple[str, ...], row: Row) -> dict[str, Any]:
    """The values of a row's columns without what tells of a person; of those alone that change."""
    wanted = {name: _ERASERS.get(name, _nothing)(row[name]) for name in columns if row[name] is not None}
    return {name: value for name, value in wanted.items() if value != row[name]}


def _nothing(_value: object) -> None:
    """What is left where a column has no eraser of its own."""


def _decided(text: str) -> str | None:
    """A decision to go on sending without the words; policy asks whether there was a consent, and not how it was given."""
    return kept.reworded(text, lambda word: FORGOTTEN if word else word)


def _told(told: Mapping[str, Any]) -> dict[str, Any]:
    """What the feed keeps of an entry, without what a person wrote (see `Entry.told` and `kept.tell`)."""
    why = str(told.get("why") or "")
    return {**told, "note": None, **({"why": None} if why.startswith(CONSENT) else {})}


_ERASERS: Final[dict[str, Callable[[Any], Any]]] = {"kept": _decided, "before": _told, "after": _told}
