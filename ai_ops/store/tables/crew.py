"""The tables of workers that were replaced, and of alerts."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Text

from ai_ops.store.tables.columns import UtcDateTime, seq, table

# Runs that were taken from their workers, and why; how many of them decides whether a run is begun again.
worker_losses = table(
    "worker_losses",
    seq(),
    Column("run_id", String(36), nullable=False),
    Column("task_id", String(36), nullable=False),
    Column("number", Integer, nullable=False),
    Column("reason", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_worker_losses_run_id", "run_id"),
    Index("ix_worker_losses_number_seq", "number", "seq"),
    Index("ix_worker_losses_at", "at"),
)

# What is or was wrong with this installation. Of one that is not resolved there is one row for each key.
alerts = table(
    "alerts",
    seq(),
    Column("id", String(36), nullable=False, unique=True),
    Column("key", String(200), nullable=False),
    Column("severity", String(2), nullable=False),
    Column("state", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("next_step", Text, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("well", Integer, nullable=False),
    Column("repair", Text, nullable=False),
    Column("resolved_at", UtcDateTime),
    Index("ix_alerts_state_seq", "state", "seq"),
    Index("ix_alerts_resolved_at", "resolved_at"),
)
