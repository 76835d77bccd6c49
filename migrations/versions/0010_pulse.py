"""Who was condemned today is found by recipient: to count a day anew with each batch takes longer with each batch.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_BEFORE = ("day", "fingerprint", "id")
_AFTER = ("day", "key", "fingerprint", "id")


def upgrade() -> None:
    """Towards the newer schema."""
    _make_anew(_AFTER)


def downgrade() -> None:
    """Back."""
    _make_anew(_BEFORE)


def _make_anew(primary_key: tuple[str, ...]) -> None:
    op.rename_table("pulse_event", "pulse_event_before")
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE pulse_event_before RENAME CONSTRAINT pk_pulse_event TO pk_pulse_event_before")
    op.create_table(
        "pulse_event",
        sa.Column("day", sa.Text, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("id", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint(*primary_key, name="pk_pulse_event"),
    )
    op.execute(
        "INSERT INTO pulse_event (day, key, fingerprint, id) SELECT day, key, fingerprint, id FROM pulse_event_before"
    )
    op.drop_table("pulse_event_before")
