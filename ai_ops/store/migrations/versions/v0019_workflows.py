"""Workflows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "workflows",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("steps", sa.Text(), nullable=False),
        sa.Column("progress", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(64), nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("ended_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_workflows")),
        sa.UniqueConstraint("id", name=op.f("uq_workflows_id")),
        sa.UniqueConstraint("key", name=op.f("uq_workflows_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_workflows_state_seq", "workflows", ["state", "seq"])
    op.create_index("ix_workflows_ended_at", "workflows", ["ended_at"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("workflows")
