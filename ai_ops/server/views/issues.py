"""Issues, what people decided about them, and what was told of them, as JSON."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from ai_ops.flow.issue import Issue, IssueDecision
from ai_ops.flow.notification import Notification
from ai_ops.server.views.common import moment


def issue(value: Issue) -> dict[str, Any]:
    """Return an issue with its newest event's error."""
    return {
        "issue_id": value.id,
        "repo_key": value.repo_key,
        "repo_url": value.repo_url,
        "code_host": value.code_host,
        "fingerprint": value.fingerprint,
        "grouping_version": value.grouping_version,
        "episode": value.episode,
        "state": value.state,
        "title": value.title,
        "language": value.language,
        "exception_type": value.exception_type,
        "culprit": value.culprit,
        "count": value.count,
        "first_seen": moment(value.first_seen),
        "last_seen": moment(value.last_seen),
        "only_counted": value.only_counted,
        "release": value.release,
        "waiting_reason": value.waiting_reason,
        "merged_into": value.merged_into,
        "triage": asdict(value.triage),
        "sample": {
            "service": value.sample.service,
            "environment": value.sample.environment,
            "release": value.sample.release,
            "node": value.sample.node,
            "level": value.sample.level,
            "context": list(value.sample.context),
            "error": asdict(value.sample.error),
        },
    }


def decision(value: IssueDecision) -> dict[str, Any]:
    """Return what a person decided about an issue."""
    return {"at": moment(value.at), "who": value.who, "verb": value.verb, "detail": value.detail}


def notification(value: Notification) -> dict[str, Any]:
    """Return a notification without its texts; ``digest_id`` is that of the digest it goes out with."""
    return {
        "notification_id": value.id,
        "kind": value.kind,
        "urgent": value.urgent,
        "way": value.way,
        "recipient": value.recipient,
        "subject": value.subject,
        "url": value.url,
        "issue_id": value.thread or None,
        "message_id": value.message_id,
        "state": value.state,
        "reason": value.last_error,
        "attempts": value.attempts,
        "created_at": moment(value.created_at),
        "next_attempt_at": moment(value.next_attempt_at),
        "sent_at": moment(value.sent_at),
        "digest_id": replace(value, key=value.digest).id if value.digest else None,
    }
