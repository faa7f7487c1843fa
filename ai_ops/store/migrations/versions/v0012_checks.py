"""How CI stands at the head of a pull request, and whether its draft is made ready when CI passes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "pull_requests",
        sa.Column("ready_when_green", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )
    op.add_column("pull_requests", sa.Column("ci", sa.Text(), nullable=False, server_default="{}"))


def downgrade() -> None:
    """Take back."""
    op.drop_column("pull_requests", "ci")
    op.drop_column("pull_requests", "ready_when_green")
