"""Work to do, and what keeps it from being asked for twice."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, text

from ai_ops.store.tables.columns import JsonText, UtcDateTime, metadata, seq, table

tasks = table(
    "tasks",
    seq(),
    Column("id", String(36), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(32), nullable=False),
    Column("priority", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("repo_key", String(2100), nullable=False),
    Column("repo_url", String(2100), nullable=False),
    Column("code_host", String(16), nullable=False),
    Column("issue_id", String(36), ForeignKey("issues.id")),
    Column("fingerprint", String(128), nullable=False),
    Column("episode", Integer, nullable=False),
    Column("payload", JsonText, nullable=False),
    Column("action", String(16), nullable=False),
    Column("run_number", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("trace_id", String(36)),
    Column("outcome_reason", Text, nullable=False),
    Column("proof", JsonText, nullable=False),
    Column("pull_request_id", String(36)),
    Column("pr_url", Text, nullable=False),
    Column("failure", JsonText),
    Column("cost_usd", Float, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("waiting_for", String(64), nullable=False, server_default=""),
    Column("waiting_until", UtcDateTime),
    # An error has one repair an episode, whatever happens at the same time.
    Index(
        "uq_tasks_repair",
        "fingerprint",
        "repo_key",
        "episode",
        unique=True,
        sqlite_where=text("kind = 'repair'"),
        postgresql_where=text("kind = 'repair'"),
    ),
    Index("ix_tasks_state_seq", "state", "seq"),
    Index("ix_tasks_kind_seq", "kind", "seq"),
    Index("ix_tasks_issue_id_seq", "issue_id", "seq"),
    Index("ix_tasks_pull_request_id_seq", "pull_request_id", "seq"),
    Index("ix_tasks_created_at", "created_at"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("task_id", String(36), ForeignKey("tasks.id"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

queue_gates = Table(
    "queue_gates",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("closed", Boolean, nullable=False),
    Column("since", UtcDateTime),
    Column("refused", Integer, nullable=False),
    Column("told", Boolean, nullable=False),
)

schedules = table(
    "schedules",
    seq(),
    Column("id", String(36), nullable=False, unique=True),
    Column("external_id", String(200), unique=True),  # that of the file it was imported from
    Column("name", String(512), nullable=False),
    Column("cron", String(200), nullable=False),
    Column("timezone", String(100), nullable=False),
    Column("task", JsonText, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("missed", String(16), nullable=False),
    Column("overlap", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime, index=True),
    Column("last_at", UtcDateTime),
    Column("last_outcome", String(16)),
    Column("last_reason", Text, nullable=False),
    Column("last_task_id", String(36)),
)

schedule_ticks = table(
    "schedule_ticks",
    seq(),
    Column("schedule_id", String(36), nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("task_id", String(36)),
    Column("covers", Integer, nullable=False),
    Column("by_hand", Boolean, nullable=False),
    Index("uq_schedule_ticks_schedule_id_due_at", "schedule_id", "due_at", unique=True),
)
