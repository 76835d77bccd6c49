"""What outside readers may ask: views that stay as they are, and an index that finds an address by its plaintext.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SQLITE = (
    """
    CREATE VIEW v_suppressed AS
    SELECT address, is_domain, scope, reason, category, "class",
      strftime('%Y-%m-%dT%H:%M:%SZ', since) AS since, strftime('%Y-%m-%dT%H:%M:%SZ', until) AS until,
      origin, nullif(lower(hex(event)), '') AS ref
    FROM suppression
    WHERE address IS NOT NULL AND (until IS NULL OR until > strftime('%Y-%m-%d %H:%M:%f', 'now') OR second_look)
    """,
    """
    CREATE VIEW v_postfix AS
    SELECT address, scope, 'REJECT '
      || CASE WHEN reason = 'bounce' AND "class" = 'hard' THEN '5.1.1 undeliverable' ELSE '5.7.1 not to be mailed' END
      || ' since ' || substr(since, 1, 10)
      || CASE WHEN event IS NULL THEN '' ELSE ', ref=' || lower(hex(event)) END AS action
    FROM suppression
    WHERE address IS NOT NULL AND (until IS NULL OR until > strftime('%Y-%m-%d %H:%M:%f', 'now') OR second_look)
    """,
)
POSTGRESQL = (
    """
    CREATE VIEW v_suppressed AS
    SELECT address, is_domain, scope, reason, category, "class", since, until, origin, encode(event, 'hex') AS ref
    FROM suppression
    WHERE address IS NOT NULL AND (until IS NULL OR until > now() OR second_look)
    """,
    """
    CREATE VIEW v_postfix AS
    SELECT address, scope, 'REJECT '
      || CASE WHEN reason = 'bounce' AND "class" = 'hard' THEN '5.1.1 undeliverable' ELSE '5.7.1 not to be mailed' END
      || ' since ' || to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD')
      || CASE WHEN event IS NULL THEN '' ELSE ', ref=' || encode(event, 'hex') END AS action
    FROM suppression
    WHERE address IS NOT NULL AND (until IS NULL OR until > now() OR second_look)
    """,
)


def upgrade() -> None:
    """Towards the newer schema."""
    op.create_index("ix_suppression_address", "suppression", ["address"])
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    """Back."""
    op.execute("DROP VIEW v_postfix")
    op.execute("DROP VIEW v_suppressed")
    op.drop_index("ix_suppression_address", "suppression")
