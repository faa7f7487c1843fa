"""The table of workflows. What a step is made of never changes; how far it is stands apart, and is small."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Text

from ai_ops.store.tables.columns import JsonText, UtcDateTime, seq, table

workflows = table(
    "workflows",
    seq(),
    Column("id", String(36), nullable=False, unique=True),
    Column("name", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("steps", JsonText, nullable=False),
    Column("progress", JsonText, nullable=False),
    Column("version", Integer, nullable=False),
    Column("key", String(64), unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Index("ix_workflows_state_seq", "state", "seq"),
    Index("ix_workflows_ended_at", "ended_at"),
)
