"""Views for outside readers: their names and columns stay as they are, whatever becomes of the tables below them.

`v_suppressed` is the list in force with its plaintext, `v_postfix` what an MTA answers for each entry (as `lookup.action` says it).
Expiry is seen to in SQL, by the database's clock. SQLite cannot rebuild a table while a view reads it: a migration that does so to
`suppression` drops both views first and makes them again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from bounceproc.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

SQLITE: Final = {
    "v_suppressed": """
    CREATE VIEW v_suppressed AS
    SELECT address, is_domain, scope, reason, category, "class",
      strftime('%Y-%m-%dT%H:%M:%SZ', since) AS since, strftime('%Y-%m-%dT%H:%M:%SZ', until) AS until,
      origin, nullif(lower(hex(event)), '') AS ref
    FROM suppression
    WHERE address IS NOT NULL AND (until IS NULL OR until > strftime('%Y-%m-%d %H:%M:%f', 'now') OR second_look)
    """,
    "v_postfix": """
    CREATE VIEW v_postfix AS
    SELECT address, scope, 'REJECT '
      || CASE WHEN reason = 'bounce' AND "class" = 'hard' THEN '5.1.1 undeliverable' ELSE '5.7.1 not to be mailed' END
      || ' since ' || substr(since, 1, 10)
      || CASE WHEN event IS NULL THEN '' ELSE ', ref=' || lower(hex(event)) END AS action
    FROM suppression
    WHERE address IS NOT NULL AND (until IS NULL OR until > strftime('%Y-%m-%d %H:%M:%f', 'now') OR second_look)
    """,
}
POSTGRESQL: Final = {
    "v_suppressed": """
    CREATE VIEW v_suppressed AS
    SELECT address, is_domain, scope, reason, category, "class", since, until, origin, encode(event, 'hex') AS ref
    FROM suppression
    WHERE address IS NOT NULL AND (until IS NULL OR until > now() OR second_look)
    """,
    "v_postfix": """
    CREATE VIEW v_postfix AS
    SELECT address, scope, 'REJECT '
      || CASE WHEN reason = 'bounce' AND "class" = 'hard' THEN '5.1.1 undeliverable' ELSE '5.7.1 not to be mailed' END
      || ' since ' || to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD')
      || CASE WHEN event IS NULL THEN '' ELSE ', ref=' || encode(event, 'hex') END AS action
    FROM suppression
    WHERE address IS NOT NULL AND (until IS NULL OR until > now() OR second_look)
    """,
}


@sa.event.listens_for(metadata, "after_create")
def make(_metadata: sa.MetaData, connection: sa.Connection, **_options: object) -> None:
    """Make the views in a new database."""
    for statement in _of(connection).values():
        connection.exec_driver_sql(statement)


def drift(connection: sa.Connection) -> Iterator[str]:
    """What is wrong with the views, one line each. PostgreSQL keeps a text of its own making, so there only a missing one is seen."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'view'").all()
        known = {name: sql.split() for name, sql in rows}
        for name, statement in SQLITE.items():
            if known.get(name) != statement.split():
                yield f"differs: view {name}" if name in known else f"missing view {name}"
        return
    there = set(sa.inspect(connection).get_view_names())
    yield from (f"missing view {name}" for name in POSTGRESQL if name not in there)


def _of(connection: sa.Connection) -> dict[str, str]:
    return SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL
