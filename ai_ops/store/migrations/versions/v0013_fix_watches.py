"""The fix watch: whether merged fixes hold, and which builds hold them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    moment = sa.DateTime(timezone=True)
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "fix_watches",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("pull_request_id", sa.String(length=36), nullable=False),
        sa.Column("issue_id", sa.String(length=36), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("repo_key", sa.String(length=2100), nullable=False),
        sa.Column("merge_sha", sa.String(length=64), nullable=False),
        sa.Column("merged_at", moment, nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("until", moment, nullable=True),
        sa.Column("begun_at", moment, nullable=True),
        sa.Column("by_time", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("places", sa.Text(), nullable=False),
        sa.Column("old_events", sa.BigInteger(), nullable=False),
        sa.Column("old_release", sa.String(length=256), nullable=False),
        sa.Column("recurred_release", sa.String(length=256), nullable=False),
        sa.Column("recurred_at", moment, nullable=True),
        sa.Column("seen_seq", sa.BigInteger(), nullable=False),
        sa.Column("seen_count", sa.BigInteger(), nullable=False),
        sa.Column("proposed_at", moment, nullable=True),
        sa.Column("revert_url", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pull_request_id"],
            ["pull_requests.id"],
            name=op.f("fk_fix_watches_pull_request_id"),
        ),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name=op.f("fk_fix_watches_issue_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_fix_watches")),
        sqlite_autoincrement=True,
    )
    pair = ["pull_request_id", "issue_id"]
    op.create_index("uq_fix_watches_pull_request_id_issue_id", "fix_watches", pair, unique=True)
    op.create_index("ix_fix_watches_state_seq", "fix_watches", ["state", "seq"])
    op.create_index("ix_fix_watches_issue_id_seq", "fix_watches", ["issue_id", "seq"])
    op.create_table(
        "fix_builds",
        sa.Column("repo_key", sa.String(length=2100), nullable=False),
        sa.Column("merge_sha", sa.String(length=64), nullable=False),
        sa.Column("release", sa.String(length=256), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=True),
        sa.Column("asked_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("repo_key", "merge_sha", "release", name=op.f("pk_fix_builds")),
    )
    op.create_index("ix_pull_requests_state_id", "pull_requests", ["state", "id"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_pull_requests_state_id", table_name="pull_requests")
    op.drop_table("fix_builds")
    op.drop_index("ix_fix_watches_issue_id_seq", table_name="fix_watches")
    op.drop_index("ix_fix_watches_state_seq", table_name="fix_watches")
    op.drop_index("uq_fix_watches_pull_request_id_issue_id", table_name="fix_watches")
    op.drop_table("fix_watches")
