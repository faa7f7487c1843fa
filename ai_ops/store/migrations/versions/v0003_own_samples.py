"""A merged issue's own sample, set aside so that a split leaves each issue one of its own errors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "own_samples",
        sa.Column("issue_id", sa.String(length=36), nullable=False),
        sa.Column("sample", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name=op.f("fk_own_samples_issue_id")),
        sa.PrimaryKeyConstraint("issue_id", name=op.f("pk_own_samples")),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("own_samples")
