"""The pause of the queue after a limit of the model's API, and what a waiting task waits for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "model_pauses",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("until", moment, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("prober", sa.String(length=36), nullable=False),
        sa.Column("probe_until", moment, nullable=True),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_model_pauses")),
    )
    op.add_column("tasks", sa.Column("waiting_for", sa.String(64), nullable=False, server_default=""))
    op.add_column("tasks", sa.Column("waiting_until", moment, nullable=True))


def downgrade() -> None:
    """Take back."""
    op.drop_column("tasks", "waiting_until")
    op.drop_column("tasks", "waiting_for")
    op.drop_table("model_pauses")
