"""Pull requests as JSON, and whether their fixes hold."""

from __future__ import annotations

from typing import Any

from ai_ops.core.links import absolute
from ai_ops.flow.ci import CiStatus
from ai_ops.flow.fix_watch import FixWatch
from ai_ops.flow.pull_request import HostedComment, PullRequest, Reviewer
from ai_ops.server.views.common import moment, proof


def pull_request(value: PullRequest, public_url: str) -> dict[str, Any]:
    """Return a pull request with its diff and proof."""
    return {
        "pull_request_id": value.id,
        "number": value.number,
        "url": absolute(value.url, public_url),
        "state": value.state,
        "draft": value.draft,
        "title": value.title,
        "body": value.body,
        "repo_key": value.repo_key,
        "repo_url": value.repo_url,
        "code_host": value.code_host,
        "branch": value.branch,
        "base": value.base,
        "base_sha": value.base_sha,
        "head_sha": value.head_sha,
        "cause": value.cause,
        "summary": value.summary,
        "diff": value.diff,
        "proof": proof(value.proof),
        "reviewers": [reviewer(each) for each in value.reviewers],
        "task_id": value.task_id,
        "trace_id": value.run_id,
        "issue_id": value.issue_id,
        "fingerprint": value.fingerprint,
        "episode": value.episode,
        "held": value.held or None,
        "revision": value.revision,
        "ready_when_green": value.ready_when_green,
        "ci": ci(value.ci) if value.code_host != "local" else None,
        "expired_at": moment(value.expired_at),
        "created_at": moment(value.created_at),
        "updated_at": moment(value.updated_at),
    }


def comment(value: HostedComment) -> dict[str, Any]:
    """Return what somebody wrote on a pull request."""
    return {
        "comment_id": value.id,
        "kind": value.kind,
        "author": value.author,
        "body": value.body,
        "ours": value.ours,
        "may_write": value.may_write,
        "wants_changes": value.wants_changes,
        "thread": value.thread,
        "path": value.path or None,
        "line": value.line or None,
        "url": value.url or None,
        "created_at": moment(value.created_at),
    }


def ci(value: CiStatus) -> dict[str, Any] | None:
    """Return how CI stood at the head of a pull request; null before it was first looked at."""
    if not value.sha:
        return None
    return {
        "verdict": value.verdict,
        "words": value.words,
        "head_sha": value.sha,
        "since": moment(value.since),
        "failed": list(value.failed),
        "follow_ups": list(value.asked.values()),
    }


def pull_request_of_issue(value: PullRequest, public_url: str) -> dict[str, Any]:
    """Return what an issue says of its pull request."""
    url = absolute(value.url, public_url)
    return {
        "pull_request_id": value.id,
        "url": url,
        "state": value.state,
        "expired": value.expired_at is not None,
    }


def reviewer(value: Reviewer) -> dict[str, Any]:
    """Return who should look at a pull request, and why; addresses stay with the mail."""
    return {"login": value.login, "name": value.name, "reason": value.reason, "asked": value.asked}


def fix_watch(value: FixWatch, public_url: str) -> dict[str, Any]:
    """Return whether a merged fix holds, as far as its builds have shown."""
    return {
        "pull_request_id": value.pull_request_id,
        "issue_id": value.issue_id,
        "episode": value.episode,
        "state": value.state,
        "since": moment(value.since),
        "until": moment(value.until),
        "reason": value.reason,
        "by_time": value.by_time,
        "merge_sha": value.merge_sha,
        "merged_at": moment(value.merged_at),
        "places": [
            {
                "service": place.service,
                "environment": place.environment,
                "per_day": round(place.rate * 86_400, 3),
                "old_build_at": moment(place.old_last),
            }
            for place in value.places
        ],
        "old_build_events": value.old_events,
        "old_build": value.old_release,
        "recurred_in": value.recurred_release,
        "recurred_at": moment(value.recurred_at),
        "revert_url": absolute(value.revert_url, public_url) or None,
    }
