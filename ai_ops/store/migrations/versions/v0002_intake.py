"""Intake: whose issue a fingerprint is, who decided so, releases, limits, and what waits."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_WORDS = ("node", "service", "environment", "release")


def upgrade() -> None:
    """Apply."""
    for column in _issue_columns():
        op.add_column("issues", column)
    op.create_index("ix_issues_waiting_for_seq", "issues", ["waiting_for", "seq"])
    op.create_index("ix_issues_repo_key_release", "issues", ["repo_key", "release"])
    op.create_index("ix_tasks_created_at", "tasks", ["created_at"])
    _issue_fingerprints()
    _issue_decisions()
    _releases()
    _counted_events()


def downgrade() -> None:
    """Take back."""
    for table in ("counted_events", "releases", "issue_decisions", "issue_fingerprints"):
        op.drop_table(table)
    op.drop_index("ix_tasks_created_at", "tasks")
    op.drop_index("ix_issues_repo_key_release", "issues")
    op.drop_index("ix_issues_waiting_for_seq", "issues")
    for column in reversed(_issue_columns()):
        op.drop_column("issues", column.name)


def _issue_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("created_at", _MOMENT, nullable=True),
        *(sa.Column(name, sa.String(length=256), nullable=False, server_default="") for name in _WORDS),
        sa.Column("minute_at", _MOMENT, nullable=True),
        sa.Column("minute_events", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("only_counted", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("waiting_for", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("waiting_reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("merged_into", sa.String(length=36), nullable=True),
    ]


def _seq() -> sa.Column[int]:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("seq", number, autoincrement=True, nullable=False)


def _issue_fingerprints() -> None:
    op.create_table(
        "issue_fingerprints",
        sa.Column("fingerprint", sa.String(length=128), nullable=False),
        sa.Column("repo_key", sa.String(length=2100), nullable=False),
        sa.Column("issue_id", sa.String(length=36), nullable=False),
        sa.Column("through", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name=op.f("fk_issue_fingerprints_issue_id")),
        sa.PrimaryKeyConstraint("fingerprint", "repo_key", name=op.f("pk_issue_fingerprints")),
    )
    op.create_index("ix_issue_fingerprints_issue_id", "issue_fingerprints", ["issue_id"])
    op.execute(
        "INSERT INTO issue_fingerprints (fingerprint, repo_key, issue_id, through) "
        "SELECT fingerprint, repo_key, id, '' FROM issues"
    )


def _issue_decisions() -> None:
    op.create_table(
        "issue_decisions",
        _seq(),
        sa.Column("issue_id", sa.String(length=36), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("who", sa.String(length=256), nullable=False),
        sa.Column("verb", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name=op.f("fk_issue_decisions_issue_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_issue_decisions")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_issue_decisions_issue_id_seq", "issue_decisions", ["issue_id", "seq"])


def _releases() -> None:
    op.create_table(
        "releases",
        _seq(),
        sa.Column("repo_key", sa.String(length=2100), nullable=False),
        sa.Column("service", sa.String(length=256), nullable=False),
        sa.Column("environment", sa.String(length=256), nullable=False),
        sa.Column("release", sa.String(length=256), nullable=False),
        sa.Column("first_seen", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_releases")),
        sqlite_autoincrement=True,
    )
    place = ["repo_key", "service", "environment", "release"]
    op.create_index("uq_releases_place", "releases", place, unique=True)


def _counted_events() -> None:
    op.create_table(
        "counted_events",
        _seq(),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("received_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_counted_events")),
        sa.UniqueConstraint("event_id", name=op.f("uq_counted_events_event_id")),
        sqlite_autoincrement=True,
    )
