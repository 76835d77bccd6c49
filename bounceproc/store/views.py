"""Views for outside readers: their names and columns stay as they are, whatever becomes of the tables below them.

`v_suppressed` is the list in force with its plaintext, `v_allowed` the addresses that a person goes on sending to although their
domain is in it, and `v_postfix` what an MTA answers for each of either (as `lookup.action` says it). Expiry is seen to in SQL, by the
database's clock. SQLite cannot rebuild a table while a view reads it: a migration that does so to `suppression` or `address` drops the
views first and makes them again.

`v_allowed` says less than a server knows: an address with an entry of its own, for whatever stream, is not in it, nor is one whose
domain a person suppressed, and each decision is held against the domain by itself. In doubt the domain's entry is what is found.
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
    "v_allowed": """
    CREATE VIEW v_allowed AS
    SELECT a.address, json_extract(k.value, '$.scope') AS scope,
      strftime('%Y-%m-%dT%H:%M:%SZ', json_extract(k.value, '$.until')) AS until
    FROM address AS a, json_each(a.kept) AS k
    WHERE a.kept IS NOT NULL AND a.address IS NOT NULL AND NOT a.is_domain
      AND (json_extract(k.value, '$.until') IS NULL OR julianday(json_extract(k.value, '$.until')) > julianday('now'))
      AND NOT EXISTS (
        SELECT 1 FROM suppression AS s
        WHERE s.address = a.address AND (s.until IS NULL OR s.until > strftime('%Y-%m-%d %H:%M:%f', 'now') OR s.second_look)
      )
      AND 1 = (
        SELECT min(
          s.origin IN ('policy', 'import') AND json_extract(k.value, '$.scope') IN ('*', s.scope)
          AND (s.reason IN ('bounce', 'import') OR coalesce(json_extract(k.value, '$.consent'), '') <> '')
        )
        FROM suppression AS s
        WHERE s.address = '@' || substr(a.address, length(rtrim(a.address, replace(a.address, '@', ''))) + 1)
          AND (s.until IS NULL OR s.until > strftime('%Y-%m-%d %H:%M:%f', 'now') OR s.second_look)
      )
    """,
    "v_postfix": """
    CREATE VIEW v_postfix AS
    SELECT address, scope, 'REJECT '
      || CASE WHEN reason = 'bounce' AND "class" = 'hard' THEN '5.1.1 undeliverable' ELSE '5.7.1 not to be mailed' END
      || ' since ' || substr(since, 1, 10)
      || CASE WHEN event IS NULL THEN '' ELSE ', ref=' || lower(hex(event)) END AS action
    FROM suppression
    WHERE address IS NOT NULL AND (until IS NULL OR until > strftime('%Y-%m-%d %H:%M:%f', 'now') OR second_look)
    UNION ALL
    SELECT address, scope, 'DUNNO' FROM v_allowed
    """,
}
POSTGRESQL: Final = {
    "v_suppressed": """
    CREATE VIEW v_suppressed AS
    SELECT address, is_domain, scope, reason, category, "class", since, until, origin, encode(event, 'hex') AS ref
    FROM suppression
    WHERE address IS NOT NULL AND (until IS NULL OR until > now() OR second_look)
    """,
    "v_allowed": """
    CREATE VIEW v_allowed AS
    SELECT a.address, k.value ->> 'scope' AS scope, (k.value ->> 'until')::timestamptz AS until
    FROM address AS a, jsonb_array_elements(a.kept::jsonb) AS k(value)
    WHERE a.kept IS NOT NULL AND a.address IS NOT NULL AND NOT a.is_domain
      AND ((k.value ->> 'until') IS NULL OR (k.value ->> 'until')::timestamptz > now())
      AND NOT EXISTS (
        SELECT 1 FROM suppression AS s WHERE s.address = a.address AND (s.until IS NULL OR s.until > now() OR s.second_look)
      )
      AND (
        SELECT bool_and(
          s.origin IN ('policy', 'import') AND (k.value ->> 'scope') IN ('*', s.scope)
          AND (s.reason IN ('bounce', 'import') OR coalesce(k.value ->> 'consent', '') <> '')
        )
        FROM suppression AS s
        WHERE s.address = substring(a.address FROM '@[^@]*$') AND (s.until IS NULL OR s.until > now() OR s.second_look)
      )
    """,
    "v_postfix": """
    CREATE VIEW v_postfix AS
    SELECT address, scope, 'REJECT '
      || CASE WHEN reason = 'bounce' AND "class" = 'hard' THEN '5.1.1 undeliverable' ELSE '5.7.1 not to be mailed' END
      || ' since ' || to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD')
      || CASE WHEN event IS NULL THEN '' ELSE ', ref=' || encode(event, 'hex') END AS action
    FROM suppression
    WHERE address IS NOT NULL AND (until IS NULL OR until > now() OR second_look)
    UNION ALL
    SELECT address, scope, 'DUNNO' FROM v_allowed
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
