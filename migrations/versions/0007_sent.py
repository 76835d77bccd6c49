"""The send ledger, and what it calls the mail that an event is about.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INDEXED = ("message", "key", "token", "sent_at")


def upgrade() -> None:
    """Towards the newer schema."""
    op.create_table(
        "sent",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.Text()),
        sa.Column("token", sa.Text()),
        sa.Column("stream", sa.Text()),
        sa.Column("reference", sa.Text()),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sent"),
    )
    op.add_column("event", sa.Column("reference", sa.Text(), nullable=True))
    for column in INDEXED:
        op.create_index(f"ix_sent_{column}", "sent", [column])


def downgrade() -> None:
    """Back."""
    op.drop_column("event", "reference")
    for column in INDEXED:
        op.drop_index(f"ix_sent_{column}", "sent")
    op.drop_table("sent")
