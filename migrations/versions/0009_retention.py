"""What is over its time is found by an index: raw copies, events, and errors that quote mail.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Towards the newer schema."""
    for name in ("raw", "error"):
        here = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"ix_message_{name}", "message", ["recorded_at"], sqlite_where=here, postgresql_where=here)
    op.create_index("ix_event_recorded_at", "event", ["recorded_at"])


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_event_recorded_at", "event")
    op.drop_index("ix_message_error", "message")
    op.drop_index("ix_message_raw", "message")
