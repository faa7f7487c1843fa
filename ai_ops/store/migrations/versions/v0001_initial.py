"""The first schema: issues and their events, tasks, pull requests, the outbox, and the trace."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_TABLES = (
    "issues",
    "events",
    "tasks",
    "idempotency_keys",
    "pull_requests",
    "notifications",
    "runs",
    "steps",
    "trace_events",
    "artifacts",
    "patches",
)


def upgrade() -> None:
    """Apply."""
    _issues()
    _events()
    _tasks()
    _idempotency_keys()
    _pull_requests()
    _notifications()
    _runs()
    _steps()
    _trace_events()
    _artifacts()
    _patches()


def downgrade() -> None:
    """Take back."""
    for name in reversed(_TABLES):
        op.drop_table(name)


def _seq() -> sa.Column[int]:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("seq", number, autoincrement=True, nullable=False)


def _issues() -> None:
    op.create_table(
        "issues",
        _seq(),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("repo_key", sa.String(length=2100), nullable=False),
        sa.Column("repo_url", sa.String(length=2100), nullable=False),
        sa.Column("code_host", sa.String(length=16), nullable=False),
        sa.Column("fingerprint", sa.String(length=128), nullable=False),
        sa.Column("grouping_version", sa.String(length=32), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("resolved_at", _MOMENT, nullable=True),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("language", sa.String(length=64), nullable=False),
        sa.Column("exception_type", sa.String(length=300), nullable=False),
        sa.Column("culprit", sa.String(length=300), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("payloads", sa.Integer(), nullable=False),
        sa.Column("first_seen", _MOMENT, nullable=False),
        sa.Column("last_seen", _MOMENT, nullable=False),
        sa.Column("triage_class", sa.String(length=16), nullable=False),
        sa.Column("triage_repair", sa.Boolean(), nullable=False),
        sa.Column("triage_reason", sa.Text(), nullable=False),
        sa.Column("sample", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_issues")),
        sa.UniqueConstraint("id", name=op.f("uq_issues_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_issues_state_seq", "issues", ["state", "seq"], unique=False)
    op.create_index("uq_issues_fingerprint_repo_key", "issues", ["fingerprint", "repo_key"], unique=True)


def _events() -> None:
    op.create_table(
        "events",
        _seq(),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("issue_id", sa.String(length=36), nullable=False),
        sa.Column("occurred_at", _MOMENT, nullable=False),
        sa.Column("received_at", _MOMENT, nullable=False),
        sa.Column("node", sa.String(length=256), nullable=False),
        sa.Column("service", sa.String(length=256), nullable=False),
        sa.Column("environment", sa.String(length=256), nullable=False),
        sa.Column("release", sa.String(length=256), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name=op.f("fk_events_issue_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
        sa.UniqueConstraint("event_id", name=op.f("uq_events_event_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_issue_id_seq", "events", ["issue_id", "seq"], unique=False)


def _tasks() -> None:
    op.create_table(
        "tasks",
        _seq(),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.Column("repo_key", sa.String(length=2100), nullable=False),
        sa.Column("repo_url", sa.String(length=2100), nullable=False),
        sa.Column("code_host", sa.String(length=16), nullable=False),
        sa.Column("issue_id", sa.String(length=36), nullable=True),
        sa.Column("fingerprint", sa.String(length=128), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("run_number", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("trace_id", sa.String(length=36), nullable=True),
        sa.Column("outcome_reason", sa.Text(), nullable=False),
        sa.Column("proof", sa.Text(), nullable=False),
        sa.Column("pull_request_id", sa.String(length=36), nullable=True),
        sa.Column("pr_url", sa.Text(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name=op.f("fk_tasks_issue_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_tasks")),
        sa.UniqueConstraint("id", name=op.f("uq_tasks_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tasks_issue_id_seq", "tasks", ["issue_id", "seq"], unique=False)
    op.create_index("ix_tasks_kind_seq", "tasks", ["kind", "seq"], unique=False)
    op.create_index("ix_tasks_state_seq", "tasks", ["state", "seq"], unique=False)
    op.create_index(
        "uq_tasks_repair",
        "tasks",
        ["fingerprint", "repo_key", "episode"],
        unique=True,
        sqlite_where=sa.text("kind = 'repair'"),
        postgresql_where=sa.text("kind = 'repair'"),
    )


def _idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_idempotency_keys_task_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency_keys")),
    )


def _pull_requests() -> None:
    op.create_table(
        "pull_requests",
        _seq(),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("repo_key", sa.String(length=2100), nullable=False),
        sa.Column("repo_url", sa.String(length=2100), nullable=False),
        sa.Column("code_host", sa.String(length=16), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("branch", sa.String(length=300), nullable=False),
        sa.Column("base", sa.String(length=300), nullable=False),
        sa.Column("base_sha", sa.String(length=64), nullable=False),
        sa.Column("head_sha", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("diff", sa.Text(), nullable=False),
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("issue_id", sa.String(length=36), nullable=True),
        sa.Column("fingerprint", sa.String(length=128), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.Column("draft", sa.Boolean(), nullable=False),
        sa.Column("proof", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_pull_requests")),
        sa.UniqueConstraint("id", name=op.f("uq_pull_requests_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_pull_requests_fingerprint_repo_key", "pull_requests", ["fingerprint", "repo_key"], unique=False
    )
    op.create_index("ix_pull_requests_repo_key_state", "pull_requests", ["repo_key", "state"], unique=False)
    op.create_index("uq_pull_requests_branch_repo_key", "pull_requests", ["branch", "repo_key"], unique=True)


def _notifications() -> None:
    op.create_table(
        "notifications",
        _seq(),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("recipients", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", _MOMENT, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_notifications")),
        sa.UniqueConstraint("key", name=op.f("uq_notifications_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notifications_state_seq", "notifications", ["state", "seq"], unique=False)


def _runs() -> None:
    op.create_table(
        "runs",
        _seq(),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", _MOMENT, nullable=False),
        sa.Column("ended_at", _MOMENT, nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_runs")),
        sa.UniqueConstraint("id", name=op.f("uq_runs_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_runs_task_id"), "runs", ["task_id"], unique=False)


def _steps() -> None:
    op.create_table(
        "steps",
        _seq(),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("started_at", _MOMENT, nullable=False),
        sa.Column("ended_at", _MOMENT, nullable=True),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("output", sa.Text(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_steps")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_steps_run_id_name_round", "steps", ["run_id", "name", "round"], unique=True)


def _trace_events() -> None:
    op.create_table(
        "trace_events",
        _seq(),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_trace_events")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_trace_events_run_id_seq", "trace_events", ["run_id", "seq"], unique=False)


def _artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "name", name=op.f("pk_artifacts")),
    )


def _patches() -> None:
    op.create_table(
        "patches",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("patch", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "name", name=op.f("pk_patches")),
    )
