"""What runs did: steps, events, what they kept, and what models cost."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, String, Table, Text

from ai_ops.store.tables.columns import JsonText, UtcDateTime, metadata, seq, table

runs = table(
    "runs",
    seq(),
    Column("id", String(36), nullable=False, unique=True),
    Column("task_id", String(36), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("outcome", String(32), nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_usd", Float, nullable=False),
)

steps = table(
    "steps",
    seq(),
    Column("run_id", String(36), nullable=False),
    Column("name", String(64), nullable=False),
    Column("round", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("entries", Integer, nullable=False),
    Column("output", JsonText),
    Column("failure", JsonText),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_usd", Float, nullable=False),
    Index("uq_steps_run_id_name_round", "run_id", "name", "round", unique=True),
)

trace_events = table(
    "trace_events",
    seq(),
    Column("run_id", String(36), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("data", JsonText, nullable=False),
    Index("ix_trace_events_run_id_seq", "run_id", "seq"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("run_id", String(36), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("media_type", String(100), nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

patches = Table(
    "patches",
    metadata,
    Column("run_id", String(36), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("patch", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

# What each call to the model may cost, written before it is made, and did cost; None: nobody saw its end.
model_calls = table(
    "model_calls",
    seq(),
    Column("run_id", String(36), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("model", String(200), nullable=False),
    Column("least_usd", Float, nullable=False),
    Column("reserved_usd", Float, nullable=False),
    Column("actual_usd", Float),
    # Sums are read from the indexes alone.
    Index("ix_model_calls_run_id", "run_id", "reserved_usd", "actual_usd"),
    Index("ix_model_calls_at", "at", "reserved_usd", "actual_usd"),
)

# While a limit of the model's API lasts, nobody asks. ``account`` is a digest: whose limit it is.
model_pauses = Table(
    "model_pauses",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("code", String(64), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("prober", String(36), nullable=False),
    Column("probe_until", UtcDateTime),
)
