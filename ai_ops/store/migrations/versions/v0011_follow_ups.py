"""Which comments on pull requests were dealt with, and which webhooks came before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "seen_comments",
        sa.Column("pull_request_id", sa.String(length=36), nullable=False),
        sa.Column("comment_id", sa.String(length=128), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pull_request_id"],
            ["pull_requests.id"],
            name=op.f("fk_seen_comments_pull_request_id_pull_requests"),
        ),
        sa.PrimaryKeyConstraint("pull_request_id", "comment_id", name=op.f("pk_seen_comments")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("received_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index("ix_webhook_deliveries_received_at", "webhook_deliveries", ["received_at"])
    op.create_index("ix_tasks_pull_request_id_seq", "tasks", ["pull_request_id", "seq"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_tasks_pull_request_id_seq", table_name="tasks")
    op.drop_index("ix_webhook_deliveries_received_at", table_name="webhook_deliveries")
    op.drop_table("webhook_deliveries")
    op.drop_table("seen_comments")
