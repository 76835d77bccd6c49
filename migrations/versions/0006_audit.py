"""The feed is sealed: what each line committed itself to, and the chain over all of them; and lines are found by their key.

What is there already is sealed by `db upgrade` afterwards, which has the key that no migration knows.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Towards the newer schema. Columns that may be empty are added to either database without its rows being written anew."""
    for name in ("salt", "commitment", "seal"):
        op.add_column("suppression_change", sa.Column(name, sa.LargeBinary(), nullable=True))
    op.create_index("ix_suppression_change_key", "suppression_change", ["key"])


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_suppression_change_key", "suppression_change")
    for name in ("seal", "commitment", "salt"):
        op.drop_column("suppression_change", name)
