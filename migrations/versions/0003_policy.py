"""Second looks, decisions to go on sending, what was only observed, and what a person should look at.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ENDS = sa.text("until IS NOT NULL")
KEPT = sa.text("kept IS NOT NULL")


def upgrade() -> None:
    """Towards the newer schema."""
    op.add_column("address", sa.Column("kept", sa.Text(), nullable=True))
    op.create_index("ix_address_kept", "address", ["key"], sqlite_where=KEPT, postgresql_where=KEPT)
    # Not in a batch: SQLite's table would be made anew, and without its AUTOINCREMENT.
    op.add_column("suppression", sa.Column("second_look", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_suppression_until", "suppression", ["until"], sqlite_where=ENDS, postgresql_where=ENDS)
    op.create_table(
        "observed",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("is_domain", sa.Boolean(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("second_look", sa.Boolean(), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("class", sa.Text(), nullable=True),
        sa.Column("event", sa.LargeBinary(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", "scope", "reason", name="pk_observed"),
    )
    op.create_table(
        "review",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("is_domain", sa.Boolean(), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("event", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("key", "scope", "reason", name="pk_review"),
    )
    op.create_index("ix_review_state_last_at", "review", ["state", "last_at"])


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_review_state_last_at", "review")
    op.drop_table("review")
    op.drop_table("observed")
    op.drop_index("ix_suppression_until", "suppression")
    op.drop_column("suppression", "second_look")
    op.drop_index("ix_address_kept", "address")
    op.drop_column("address", "kept")
