"""Pull requests, what people say of them, and the mail about it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from ai_ops.store.tables.columns import JsonText, UtcDateTime, metadata, seq, table

pull_requests = table(
    "pull_requests",
    seq(),
    Column("id", String(36), nullable=False, unique=True),
    Column("repo_key", String(2100), nullable=False),
    Column("repo_url", String(2100), nullable=False),
    Column("code_host", String(16), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("url", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("branch", String(300), nullable=False),
    Column("base", String(300), nullable=False),
    Column("base_sha", String(64), nullable=False),
    Column("head_sha", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("diff", Text, nullable=False),
    Column("task_id", String(36), nullable=False),
    Column("run_id", String(36), nullable=False),
    Column("issue_id", String(36)),
    Column("fingerprint", String(128), nullable=False),
    Column("episode", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("draft", Boolean, nullable=False),
    Column("proof", JsonText, nullable=False),
    Column("cause", Text, nullable=False, server_default=""),
    Column("summary", Text, nullable=False, server_default=""),
    Column("reviewers", JsonText, nullable=False, server_default="[]"),
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("held", Text, nullable=False, server_default=""),
    Column("merge_sha", String(64), nullable=False, server_default=""),
    Column("merged_at", UtcDateTime),
    Column("closed_at", UtcDateTime),
    Column("ready_when_green", Boolean, nullable=False, server_default=text("false")),
    Column("ci", JsonText, nullable=False, server_default="{}"),
    Column("reproduction", JsonText, nullable=False, server_default="[]"),
    Column("expired_at", UtcDateTime),
    Index("uq_pull_requests_branch_repo_key", "branch", "repo_key", unique=True),
    Index("ix_pull_requests_repo_key_state", "repo_key", "state"),
    Index("ix_pull_requests_state_seq", "state", "seq"),
    Index("ix_pull_requests_fingerprint_repo_key", "fingerprint", "repo_key"),
    Index("ix_pull_requests_state_id", "state", "id"),
)

# Taken before a pull request is opened, so that no two count on the same room. With its pull request a place
# is only the hour and the day that it was opened in.
places = Table(
    "places",
    metadata,
    Column("branch", String(300), primary_key=True),
    Column("repo_key", String(2100), primary_key=True),
    Column("base", String(300), nullable=False),
    Column("task_id", String(36), nullable=False),
    Column("taken_at", UtcDateTime, nullable=False),
    Index("ix_places_taken_at", "taken_at"),
)

# What was known of an error when its pull request was closed unmerged, and what came since: events up to
# ``looked_to`` are counted in.
refusals = Table(
    "refusals",
    metadata,
    Column("issue_id", String(36), ForeignKey("issues.id"), primary_key=True),
    Column("episode", Integer, primary_key=True, autoincrement=False),
    Column("closed_at", UtcDateTime, nullable=False),
    Column("releases", JsonText, nullable=False),
    Column("before", BigInteger, nullable=False),
    Column("before_seconds", Float, nullable=False),
    Column("looked_to", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("releases_since", JsonText, nullable=False),
)

# What was written on a local pull request; hosts keep their own.
comments = table(
    "comments",
    seq(),
    Column("id", String(36), nullable=False, unique=True),
    Column("pull_request_id", String(36), ForeignKey("pull_requests.id"), nullable=False),
    Column("author", String(256), nullable=False),
    Column("body", Text, nullable=False),
    Column("ours", Boolean, nullable=False),
    Column("thread", String(36), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_comments_pull_request_id_created_at", "pull_request_id", "created_at"),
)

# Comments that were looked at; those that are not done wait for another follow-up to end.
seen_comments = Table(
    "seen_comments",
    metadata,
    Column("pull_request_id", String(36), ForeignKey("pull_requests.id"), primary_key=True),
    Column("comment_id", String(128), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("done", Boolean, nullable=False),
)

# Webhooks that were taken. ``key`` is a digest of who sent it and the sender's id for it.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
    Index("ix_webhook_deliveries_received_at", "received_at"),
)

# One row for each receiver of a message.
notifications = table(
    "notifications",
    seq(),
    Column("id", String(36), nullable=False),
    Column("key", String(255), nullable=False),
    Column("way", String(16), nullable=False),
    Column("recipient", String(512), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("urgent", Boolean, nullable=False),
    Column("message_id", String(255), nullable=False),
    Column("thread", String(64), nullable=False),
    Column("in_reply_to", String(255), nullable=False),
    Column("recipients", JsonText, nullable=False),
    Column("why", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("data", JsonText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", UtcDateTime),
    Column("released_at", UtcDateTime),
    Column("sent_at", UtcDateTime),
    Column("digest", String(255), nullable=False),
    Column("last_error", Text, nullable=False),
    Index("uq_notifications_id", "id", unique=True),
    Index("ix_notifications_state_seq", "state", "seq"),
    Index("ix_notifications_thread_recipient_seq", "thread", "recipient", "seq"),
    Index("ix_notifications_released_at", "released_at"),
    Index("ix_notifications_digest", "digest"),
)
