"""When a release was seen for the last time, so that those which are gone can go."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. What is known is taken as seen now: it may run still, and forgotten it would seem new."""
    moment = sa.DateTime(timezone=True)
    op.add_column("releases", sa.Column("last_seen", moment, nullable=True))
    releases = sa.table("releases", sa.column("last_seen", moment))
    op.get_bind().execute(releases.update().values(last_seen=datetime.now(UTC)))


def downgrade() -> None:
    """Take back."""
    op.drop_column("releases", "last_seen")
