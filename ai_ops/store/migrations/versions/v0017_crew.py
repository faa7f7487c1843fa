"""Workers that were replaced, and alerts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    moment = sa.DateTime(timezone=True)
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "worker_losses",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("task_id", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_worker_losses")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_worker_losses_run_id", "worker_losses", ["run_id"])
    op.create_index("ix_worker_losses_number_seq", "worker_losses", ["number", "seq"])
    op.create_index("ix_worker_losses_at", "worker_losses", ["at"])
    op.create_table(
        "alerts",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("severity", sa.String(2), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("next_step", sa.Text(), nullable=False),
        sa.Column("first_at", moment, nullable=False),
        sa.Column("last_at", moment, nullable=False),
        sa.Column("changed_at", moment, nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("well", sa.Integer(), nullable=False),
        sa.Column("repair", sa.Text(), nullable=False),
        sa.Column("resolved_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_alerts")),
        sa.UniqueConstraint("id", name=op.f("uq_alerts_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alerts_state_seq", "alerts", ["state", "seq"])
    op.create_index("ix_alerts_resolved_at", "alerts", ["resolved_at"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("alerts")
    op.drop_table("worker_losses")
