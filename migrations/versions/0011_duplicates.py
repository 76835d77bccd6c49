"""Only duplicates are found by what they are duplicates of: an index over all messages led the search for known ones through all of them.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Towards the newer schema."""
    here = sa.text("duplicate_of IS NOT NULL")
    op.drop_index("ix_message_duplicate_of", "message")
    op.create_index("ix_message_duplicate_of", "message", ["duplicate_of"], sqlite_where=here, postgresql_where=here)


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_message_duplicate_of", "message")
    op.create_index("ix_message_duplicate_of", "message", ["duplicate_of"])
