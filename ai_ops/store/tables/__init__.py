"""The tables. Lists are paged by ``seq``, which only grows; ``id`` is what the outside knows a row by."""

from __future__ import annotations

from ai_ops.store.tables.columns import JsonText, UtcDateTime, metadata
from ai_ops.store.tables.crew import alerts, worker_losses
from ai_ops.store.tables.issues import (
    counted_events,
    events,
    issue_decisions,
    issue_fingerprints,
    issues,
    own_samples,
    releases,
)
from ai_ops.store.tables.outcomes import bug_cases, fix_builds, fix_watches
from ai_ops.store.tables.publishing import (
    comments,
    notifications,
    places,
    pull_requests,
    refusals,
    seen_comments,
    webhook_deliveries,
)
from ai_ops.store.tables.security import audit_log, secrets, security_findings
from ai_ops.store.tables.tasks import idempotency_keys, queue_gates, schedule_ticks, schedules, tasks
from ai_ops.store.tables.trace import artifacts, model_calls, model_pauses, patches, runs, steps, trace_events
from ai_ops.store.tables.workflows import workflows

__all__ = [
    "JsonText",
    "UtcDateTime",
    "alerts",
    "artifacts",
    "audit_log",
    "bug_cases",
    "comments",
    "counted_events",
    "events",
    "fix_builds",
    "fix_watches",
    "idempotency_keys",
    "issue_decisions",
    "issue_fingerprints",
    "issues",
    "metadata",
    "model_calls",
    "model_pauses",
    "notifications",
    "own_samples",
    "patches",
    "places",
    "pull_requests",
    "queue_gates",
    "refusals",
    "releases",
    "runs",
    "schedule_ticks",
    "schedules",
    "secrets",
    "security_findings",
    "seen_comments",
    "steps",
    "tasks",
    "trace_events",
    "webhook_deliveries",
    "worker_losses",
    "workflows",
]
