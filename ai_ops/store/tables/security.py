"""The tables of guarding: findings, the audit log (triggers keep it append-only), and secrets, encrypted."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from ai_ops.store.tables.columns import JsonText, UtcDateTime, metadata, seq, table

_NUMBER = BigInteger().with_variant(Integer, "sqlite")

audit_log = Table(
    "audit_log",
    metadata,
    Column("seq", _NUMBER, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("who", String(200), nullable=False),
    Column("verb", String(200), nullable=False),
    Column("subject", String(500), nullable=False),
    Column("detail", JsonText, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

security_findings = table(
    "security_findings",
    seq(),
    Column("id", String(36), nullable=False, unique=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("rule", String(100), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("decision", String(16), nullable=False),
    Column("place", String(100), nullable=False),
    Column("text", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("task_id", String(36), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("unblocked_by", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Index(
        "uq_security_findings_run_id_place_rule_digest",
        "run_id",
        "place",
        "rule",
        "digest",
        "task_id",
        unique=True,
    ),
    Index("ix_security_findings_task_id", "task_id"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("key_id", String(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)
