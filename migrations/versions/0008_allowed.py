"""A person's decision to go on sending beats the suppression of the domain in the views, too.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SQLITE = (
    """
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
    """
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
)
POSTGRESQL = (
    """
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
    """
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
)
SQLITE_BEFORE = """
    CREATE VIEW v_postfix AS
    SELECT address, scope, 'REJECT '
      || CASE WHEN reason = 'bounce' AND "class" = 'hard' THEN '5.1.1 undeliverable' ELSE '5.7.1 not to be mailed' END
      || ' since ' || substr(since, 1, 10)
      || CASE WHEN event IS NULL THEN '' ELSE ', ref=' || lower(hex(event)) END AS action
    FROM suppression
    WHERE address IS NOT NULL AND (until IS NULL OR until > strftime('%Y-%m-%d %H:%M:%f', 'now') OR second_look)
    """
POSTGRESQL_BEFORE = """
    CREATE VIEW v_postfix AS
    SELECT address, scope, 'REJECT '
      || CASE WHEN reason = 'bounce' AND "class" = 'hard' THEN '5.1.1 undeliverable' ELSE '5.7.1 not to be mailed' END
      || ' since ' || to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD')
      || CASE WHEN event IS NULL THEN '' ELSE ', ref=' || encode(event, 'hex') END AS action
    FROM suppression
    WHERE address IS NOT NULL AND (until IS NULL OR until > now() OR second_look)
    """


def upgrade() -> None:
    """Towards the newer schema."""
    op.execute("CREATE INDEX ix_address_kept_address ON address (address) WHERE kept IS NOT NULL")
    op.execute("DROP VIEW v_postfix")
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    """Back."""
    op.execute("DROP VIEW v_postfix")
    op.execute("DROP VIEW v_allowed")
    op.execute(SQLITE_BEFORE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL_BEFORE)
    op.drop_index("ix_address_kept_address", "address")
