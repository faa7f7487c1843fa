"""Places for pull requests, what was known when one was turned down, and the ones that expired."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    moment = sa.DateTime(timezone=True)
    op.add_column("pull_requests", sa.Column("reproduction", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("pull_requests", sa.Column("expired_at", moment, nullable=True))
    op.create_index("ix_pull_requests_state_seq", "pull_requests", ["state", "seq"])
    op.create_table(
        "places",
        sa.Column("branch", sa.String(length=300), nullable=False),
        sa.Column("repo_key", sa.String(length=2100), nullable=False),
        sa.Column("base", sa.String(length=300), nullable=False),
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("taken_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("branch", "repo_key", name=op.f("pk_places")),
    )
    op.create_index("ix_places_taken_at", "places", ["taken_at"])
    op.create_table(
        "refusals",
        sa.Column("issue_id", sa.String(length=36), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("closed_at", moment, nullable=False),
        sa.Column("releases", sa.Text(), nullable=False),
        sa.Column("before", sa.BigInteger(), nullable=False),
        sa.Column("before_seconds", sa.Float(), nullable=False),
        sa.Column("looked_to", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("releases_since", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name=op.f("fk_refusals_issue_id_issues")),
        sa.PrimaryKeyConstraint("issue_id", "episode", name=op.f("pk_refusals")),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("refusals")
    op.drop_index("ix_places_taken_at", table_name="places")
    op.drop_table("places")
    op.drop_index("ix_pull_requests_state_seq", table_name="pull_requests")
    op.drop_column("pull_requests", "expired_at")
    op.drop_column("pull_requests", "reproduction")
