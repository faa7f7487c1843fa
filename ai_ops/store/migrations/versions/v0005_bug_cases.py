"""The bug library, and what a pull request's fixer said of the cause and the change."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_SAID = ("cause", "summary")
_INDEXES = (
    ("repo_key", "seq"),
    ("repo_key", "fingerprint"),
    ("repo_key", "kind", "seq"),
    ("repo_key", "place", "seq"),
    ("repo_key", "words", "seq"),
    ("owner", "kind", "seq"),
    ("owner", "words", "seq"),
    ("kind", "seq"),
    ("words", "seq"),
    ("outcome", "seq"),
    ("fingerprint",),
)


def upgrade() -> None:
    """Apply."""
    for name in _SAID:
        op.add_column("pull_requests", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "bug_cases",
        *_columns(),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name=op.f("fk_bug_cases_issue_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_bug_cases")),
        sa.UniqueConstraint("id", name=op.f("uq_bug_cases_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_bug_cases_issue_id_episode", "bug_cases", ["issue_id", "episode"], unique=True)
    for columns in _INDEXES:
        op.create_index(f"ix_bug_cases_{'_'.join(columns)}", "bug_cases", list(columns))


def downgrade() -> None:
    """Take back."""
    op.drop_table("bug_cases")
    for name in reversed(_SAID):
        op.drop_column("pull_requests", name)


def _columns() -> list[sa.Column[Any]]:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return [
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        *(sa.Column(name, sa.String(2100), nullable=False) for name in ("repo_key", "repo_url", "owner")),
        sa.Column("issue_id", sa.String(length=36), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("place", sa.String(length=300), nullable=False),
        sa.Column("words", sa.String(length=32), nullable=False),
        sa.Column("likeness", sa.Text(), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("cause", "summary", "diff", "proof")),
        sa.Column("resolved", sa.Boolean(), nullable=False),
        sa.Column("recurrences", sa.Integer(), nullable=False),
        sa.Column("last_recurred_at", _MOMENT, nullable=True),
        *(sa.Column(name, sa.String(length=36), nullable=True) for name in ("task_id", "pull_request_id")),
        sa.Column("pr_url", sa.Text(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        *(sa.Column(name, _MOMENT, nullable=False) for name in ("created_at", "updated_at")),
    ]
