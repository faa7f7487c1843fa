"""The tables. Lists are paged by ``seq``, which only grows; ``id`` is what the outside knows a row by.

JSON is kept as text: the same on both databases, read as a whole, never searched inside.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment; kept in UTC, and returned aware. A naive one is a fault of the caller.

    SQLite keeps it as text without a zone, so that text order is time order.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """Return what writes it, on SQLite without the steps between."""
        return _moment_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        """Return what reads it."""
        return _moment_of if dialect.name == "sqlite" else super().result_processor(dialect, coltype)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Bring to UTC."""
        return None if value is None else _in_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return it in UTC."""
        return None if value is None else value.astimezone(UTC)


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.astimezone(UTC)


def _moment_text(moment: datetime | None) -> str | None:
    return None if moment is None else _in_utc(moment).replace(tzinfo=None).isoformat(" ", "microseconds")


def _moment_of(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


_ENCODE = json.JSONEncoder(separators=(",", ":")).encode


class JsonText(TypeDecorator[Any]):
    """A JSON value as ASCII text, so that any string a program can hold survives on any database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Write as text."""
        if value is None:
            return None
        try:
            fast = orjson.dumps(value)
        except TypeError:  # lone surrogates, and numbers beyond 64 bits
            return _ENCODE(value)
        return fast.decode() if fast.isascii() else _ENCODE(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read from text."""
        return None if value is None else json.loads(value)


def _seq() -> Column[int]:
    # SQLite numbers only INTEGER primary keys by itself.
    return Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


def _table(name: str, *parts: Any) -> Table:
    return Table(name, metadata, *parts, sqlite_autoincrement=True)


issues = _table(
    "issues",
    _seq(),
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

issue_decisions = _table(
    "issue_decisions",
    _seq(),
    Column("issue_id", String(36), ForeignKey("issues.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("who", String(256), nullable=False),
    Column("verb", String(16), nullable=False),
    Column("detail", JsonText, nullable=False),
    Index("ix_issue_decisions_issue_id_seq", "issue_id", "seq"),
)

releases = _table(
    "releases",
    _seq(),
    Column("repo_key", String(2100), nullable=False),
    Column("service", String(256), nullable=False),
    Column("environment", String(256), nullable=False),
    Column("release", String(256), nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime),
    Index("uq_releases_place", "repo_key", "service", "environment", "release", unique=True),
)

events = _table(
    "events",
    _seq(),
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
counted_events = _table(
    "counted_events",
    _seq(),
    Column("event_id", String(64), nullable=False, unique=True),
    Column("received_at", UtcDateTime, nullable=False),
)

tasks = _table(
    "tasks",
    _seq(),
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

pull_requests = _table(
    "pull_requests",
    _seq(),
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
comments = _table(
    "comments",
    _seq(),
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

# Whether a merged fix holds, for each issue that it was to mend. Made when it is missing.
fix_watches = _table(
    "fix_watches",
    _seq(),
    Column("pull_request_id", String(36), ForeignKey("pull_requests.id"), nullable=False),
    Column("issue_id", String(36), ForeignKey("issues.id"), nullable=False),
    Column("episode", Integer, nullable=False),
    Column("repo_key", String(2100), nullable=False),
    Column("merge_sha", String(64), nullable=False),
    Column("merged_at", UtcDateTime, nullable=False),
    Column("state", String(32), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime),
    Column("begun_at", UtcDateTime),
    Column("by_time", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("places", JsonText, nullable=False),
    Column("old_events", BigInteger, nullable=False),
    Column("old_release", String(256), nullable=False),
    Column("recurred_release", String(256), nullable=False),
    Column("recurred_at", UtcDateTime),
    # How far the issue's events were looked at, and how many it had counted then.
    Column("seen_seq", BigInteger, nullable=False),
    Column("seen_count", BigInteger, nullable=False),
    Column("proposed_at", UtcDateTime),
    Column("revert_url", Text, nullable=False),
    Index("uq_fix_watches_pull_request_id_issue_id", "pull_request_id", "issue_id", unique=True),
    Index("ix_fix_watches_state_seq", "state", "seq"),
    Index("ix_fix_watches_issue_id_seq", "issue_id", "seq"),
)

# Whether the build of a release holds a merge commit, as git said; NULL: git knows no such build yet.
fix_builds = Table(
    "fix_builds",
    metadata,
    Column("repo_key", String(2100), primary_key=True),
    Column("merge_sha", String(64), primary_key=True),
    Column("release", String(256), primary_key=True),
    Column("holds", Boolean),
    Column("asked_at", UtcDateTime, nullable=False),
)

# Cases are searched by what they share with an error: ``kind`` is the short name of its type, ``place`` file
# and function where it broke, ``words`` a digest of its message's template. The rest is compared in memory.
bug_cases = _table(
    "bug_cases",
    _seq(),
    Column("id", String(36), nullable=False, unique=True),
    Column("repo_key", String(2100), nullable=False),
    Column("repo_url", String(2100), nullable=False),
    Column("owner", String(2100), nullable=False),
    Column("issue_id", String(36), ForeignKey("issues.id"), nullable=False),
    Column("episode", Integer, nullable=False),
    Column("fingerprint", String(128), nullable=False),
    Column("kind", String(200), nullable=False),
    Column("place", String(300), nullable=False),
    Column("words", String(32), nullable=False),
    Column("likeness", JsonText, nullable=False),
    Column("title", String(300), nullable=False),
    Column("error", JsonText, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("cause", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("diff", Text, nullable=False),
    Column("proof", JsonText, nullable=False),
    Column("resolved", Boolean, nullable=False),
    Column("recurrences", Integer, nullable=False),
    Column("last_recurred_at", UtcDateTime),
    Column("task_id", String(36)),
    Column("pull_request_id", String(36)),
    Column("pr_url", Text, nullable=False),
    Column("cost_usd", Float, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("uq_bug_cases_issue_id_episode", "issue_id", "episode", unique=True),
    Index("ix_bug_cases_repo_key_seq", "repo_key", "seq"),
    Index("ix_bug_cases_repo_key_fingerprint", "repo_key", "fingerprint"),
    Index("ix_bug_cases_repo_key_kind_seq", "repo_key", "kind", "seq"),
    Index("ix_bug_cases_repo_key_place_seq", "repo_key", "place", "seq"),
    Index("ix_bug_cases_repo_key_words_seq", "repo_key", "words", "seq"),
    Index("ix_bug_cases_owner_kind_seq", "owner", "kind", "seq"),
    Index("ix_bug_cases_owner_words_seq", "owner", "words", "seq"),
    Index("ix_bug_cases_kind_seq", "kind", "seq"),
    Index("ix_bug_cases_words_seq", "words", "seq"),
    Index("ix_bug_cases_outcome_seq", "outcome", "seq"),
    Index("ix_bug_cases_fingerprint", "fingerprint"),
)

# One row for each receiver of a message.
notifications = _table(
    "notifications",
    _seq(),
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

runs = _table(
    "runs",
    _seq(),
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

steps = _table(
    "steps",
    _seq(),
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

trace_events = _table(
    "trace_events",
    _seq(),
    Column("run_id", String(36), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("data", JsonText, nullable=False),
    Index("ix_trace_events_run_id_seq", "run_id", "seq"),
)

# What each call to the model may cost, written before it is made, and did cost; None: nobody saw its end.
model_calls = _table(
    "model_calls",
    _seq(),
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

queue_gates = Table(
    "queue_gates",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("closed", Boolean, nullable=False),
    Column("since", UtcDateTime),
    Column("refused", Integer, nullable=False),
    Column("told", Boolean, nullable=False),
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

schedules = _table(
    "schedules",
    _seq(),
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

schedule_ticks = _table(
    "schedule_ticks",
    _seq(),
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
