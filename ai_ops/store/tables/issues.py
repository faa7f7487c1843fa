"""Errors: issues, their fingerprints and events, and what people decided of them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from ai_ops.store.tables.columns import JsonText, UtcDateTime, metadata, seq, table

issues = table(
    "issues",
    seq(),
    Column("id", String(36), nullable=False, unique=True),
    Column("repo_key", String(2100), nullable=False),
    Column("repo_url", String(2100), nullable=False),
    Column("code_host", String(16), nullable=False),
    Column("fingerprint", String(128), nullable=False),
    Column("grouping_version", String(32), nullable=False),
    Column("episode", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("resolved_at", UtcDateTime),
    Column("title", String(300), nullable=False),
    Column("language", String(64), nullable=False),
    Column("exception_type", String(300), nullable=False),
    Column("culprit", String(300), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("payloads", Integer, nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    Column("triage_class", String(16), nullable=False),
    Column("triage_repair", Boolean, nullable=False),
    Column("triage_reason", Text, nullable=False),
    Column("triage_judge", String(16), nullable=False, server_default="rules"),
    Column("sample", JsonText, nullable=False),
    # Of its first event, by the server's clock: what a deploy storm is recognised by.
    Column("created_at", UtcDateTime),
    Column("node", String(256), nullable=False, server_default=""),
    Column("service", String(256), nullable=False, server_default=""),
    Column("environment", String(256), nullable=False, server_default=""),
    Column("release", String(256), nullable=False, server_default=""),
    # The minute whose events are counted against the limit, and how many were only counted in all.
    Column("minute_at", UtcDateTime),
    Column("minute_events", Integer, nullable=False, server_default="0"),
    Column("only_counted", BigInteger, nullable=False, server_default="0"),
    # "spike", "place", or "storm:" and the id of the task that stands for all; empty: it waits for nothing.
    Column("waiting_for", String(64), nullable=False, server_default=""),
    Column("waiting_reason", Text, nullable=False, server_default=""),
    Column("merged_into", String(36)),
    Index("uq_issues_fingerprint_repo_key", "fingerprint", "repo_key", unique=True),
    Index("ix_issues_state_seq", "state", "seq"),
    Index("ix_issues_waiting_for_seq", "waiting_for", "seq"),
    Index("ix_issues_repo_key_release", "repo_key", "release"),
)

# Which issue a fingerprint belongs to. At first its own; people merge and split.
issue_fingerprints = Table(
    "issue_fingerprints",
    metadata,
    Column("fingerprint", String(128), primary_key=True),
    Column("repo_key", String(2100), primary_key=True),
    Column("issue_id", String(36), ForeignKey("issues.id"), nullable=False),
    # The fingerprint of an earlier grouping version through which this one found its issue.
    Column("through", String(128), nullable=False),
    Index("ix_issue_fingerprints_issue_id", "issue_id"),
)

# The newest sample of an issue's own errors, from when another was merged into it: later ones are of both.
own_samples = Table(
    "own_samples",
    metadata,
    Column("issue_id", String(36), ForeignKey("issues.id"), primary_key=True),
    Column("sample", JsonText, nullable=False),
)

issue_decisions = table(
    "issue_decisions",
    seq(),
    Column("issue_id", String(36), ForeignKey("issues.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("who", String(256), nullable=False),
    Column("verb", String(16), nullable=False),
    Column("detail", JsonText, nullable=False),
    Index("ix_issue_decisions_issue_id_seq", "issue_id", "seq"),
)

releases = table(
    "releases",
    seq(),
    Column("repo_key", String(2100), nullable=False),
    Column("service", String(256), nullable=False),
    Column("environment", String(256), nullable=False),
    Column("release", String(256), nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime),
    Index("uq_releases_place", "repo_key", "service", "environment", "release", unique=True),
)

events = table(
    "events",
    seq(),
    Column("event_id", String(64), nullable=False, unique=True),
    Column("issue_id", String(36), ForeignKey("issues.id"), nullable=False),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("node", String(256), nullable=False),
    Column("service", String(256), nullable=False),
    Column("environment", String(256), nullable=False),
    Column("release", String(256), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("payload", JsonText),  # only the first ones of an issue keep theirs
    Index("ix_events_issue_id_seq", "issue_id", "seq"),
)

# Events above their issue's limit: counted, and known again when they come twice; nothing else is kept.
counted_events = table(
    "counted_events",
    seq(),
    Column("event_id", String(64), nullable=False, unique=True),
    Column("received_at", UtcDateTime, nullable=False),
)
