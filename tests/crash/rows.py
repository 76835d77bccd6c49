"""What a database says of the mail it has seen, in a form that two runs can be compared by."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import sqlalchemy as sa

from bounceproc.store.tables import metadata

MOMENTS: Final = frozenset({"recorded_at", "updated_at", "changed_at", "at"})
"""Columns that say when a run wrote a row: no two runs agree in them."""
PER_RUN: Final = frozenset({"attempts", "batches"})
"""Columns and counters that count runs and what they read at once."""
SEALS: Final = frozenset({"salt", "commitment", "seal"})
"""Columns that no two runs agree in: there is chance in the first of them, and the others follow from it."""
PASSING: Final = frozenset({"alembic_version", "setting"})
"""Tables that say nothing of mail."""
PEOPLE: Final = ("event", "address", "suppression", "suppression_change")

Rows = dict[str, Counter[str]]
"""By table, each row as a text."""


def rows(url: str, *, places: bool = True) -> Rows:
    """Every row of every table that speaks of mail: without numbers that only count rows, and without MOMENTS.

    Without `places`, only what is known of people: events, histories and the list, wherever the mail lay.
    """
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            found = {
                table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
                for table in metadata.sorted_tables
                if table.name not in PASSING
            }
    finally:
        engine.dispose()
    where = {row["id"]: (row["source"], row["ref"]) if places else None for row in found["message"]}
    tables = found if places else {name: found[name] for name in PEOPLE}
    if "counter" in tables:
        tables["counter"] = [row for row in tables["counter"] if row["name"] not in PER_RUN]
    for row in tables["suppression_change"]:
        for name in {"version"} | SEALS:  # in one batch, changes stand in no order of their own
            del row[name]
    return {name: Counter(_told(row, name, where) for row in content) for name, content in tables.items()}


def _told(row: dict[str, Any], table: str, where: dict[int, tuple[str, str] | None]) -> str:
    """One row; what pointed to a message by its number points to its place."""
    if table in {"message", "suppression"}:
        del row["id"]
    for name in {"message_id", "duplicate_of"} & row.keys():
        if isinstance(row[name], int):
            row[name] = where[row[name]]
    if "settled_at" in row:
        row["settled_at"] = row["settled_at"] is not None
    return repr(sorted((name, value) for name, value in row.items() if name not in MOMENTS | PER_RUN))


def differences(found: Rows, wanted: Rows) -> list[str]:
    """One line for each row that is missing or too many; empty where two databases say the same."""
    return [
        f"{table}: {'missing' if sign > 0 else 'too many'} {count} x {row[:400]}"
        for table in sorted(found.keys() | wanted.keys())
        for sign, surplus in ((1, wanted[table] - found[table]), (-1, found[table] - wanted[table]))
        for row, count in sorted(surplus.items())
    ]
