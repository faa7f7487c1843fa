"""Who judged an issue: until now it was always the rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    judge = sa.Column("triage_judge", sa.String(length=16), nullable=False, server_default="rules")
    op.add_column("issues", judge)


def downgrade() -> None:
    """Take back."""
    op.drop_column("issues", "triage_judge")
