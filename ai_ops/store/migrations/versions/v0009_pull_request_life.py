"""What becomes of a pull request after it is opened, and what is written on a local one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ADDED = ("reviewers", "revision", "held", "merge_sha", "merged_at", "closed_at")


def upgrade() -> None:
    """Apply."""
    moment = sa.DateTime(timezone=True)
    op.add_column("pull_requests", sa.Column("reviewers", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("pull_requests", sa.Column("revision", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("pull_requests", sa.Column("held", sa.Text(), nullable=False, server_default=""))
    op.add_column("pull_requests", sa.Column("merge_sha", sa.String(64), nullable=False, server_default=""))
    op.add_column("pull_requests", sa.Column("merged_at", moment, nullable=True))
    op.add_column("pull_requests", sa.Column("closed_at", moment, nullable=True))
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "comments",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("pull_request_id", sa.String(length=36), nullable=False),
        sa.Column("author", sa.String(length=256), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("ours", sa.Boolean(), nullable=False),
        sa.Column("thread", sa.String(length=36), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["pull_request_id"], ["pull_requests.id"], name=op.f("fk_comments_pull_request_id_pull_requests")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_comments")),
        sa.UniqueConstraint("id", name=op.f("uq_comments_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_comments_pull_request_id_created_at", "comments", ["pull_request_id", "created_at"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_comments_pull_request_id_created_at", table_name="comments")
    op.drop_table("comments")
    for name in reversed(_ADDED):
        op.drop_column("pull_requests", name)
