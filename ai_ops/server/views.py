"""The nouns as JSON, exactly as ``interfaces`` names their fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from ai_ops.core.bug_cases import Match, Retrieval, quality
from ai_ops.core.diagnosis import Diagnosis
from ai_ops.core.links import absolute
from ai_ops.core.pausing import Pause
from ai_ops.core.schedules import Cron, words
from ai_ops.core.workflows import as_written
from ai_ops.flow.bug_case import BugCase, Likeness, Reach
from ai_ops.flow.ci import CiStatus
from ai_ops.flow.fix_watch import FixWatch
from ai_ops.flow.issue import Issue, IssueDecision
from ai_ops.flow.notification import Notification
from ai_ops.flow.pull_request import HostedComment, PullRequest, PullRequestState, Reviewer
from ai_ops.flow.run import Artifact, Run, Step, Usage
from ai_ops.flow.schedule import Schedule, Tick
from ai_ops.flow.task import Proof, Task, TaskState, status_word
from ai_ops.flow.workflow import Template, Workflow


def moment(value: datetime | None) -> str | None:
    """Return a time as RFC 3339 in UTC."""
    return value.isoformat().replace("+00:00", "Z") if value else None


def proof(value: Proof) -> dict[str, Any]:
    """Return ``{verdict, reasons: [{rule, place, text}]}``; the guard's findings have a ``severity`` too."""
    reasons = [asdict(reason) for reason in value.reasons]
    shown = [{key: each for key, each in reason.items() if key != "severity" or each} for reason in reasons]
    return {"verdict": value.verdict, "reasons": shown}


def task(
    value: Task, public_url: str, pull_request_state: PullRequestState | None, issue_title: str = ""
) -> dict[str, Any]:
    """Return a task, with what its pull request is now, as far as we know; its title is its issue's."""
    payload = value.payload
    pr_url = absolute(value.pr_url, public_url) or None
    waits = value.state in (TaskState.RETRYING, TaskState.WAITING_UNBAN, TaskState.NEEDS_HUMAN_REVIEW)
    return {
        "task_id": value.id,
        "kind": value.kind,
        "state": value.state,
        "status": status_word(value.state),
        "outcome_reason": value.outcome_reason,
        "proof": proof(value.proof),
        "priority": value.priority,
        "attempts": value.attempts,
        "run_number": value.run_number,
        "issue_id": value.issue_id,
        "episode": value.episode,
        "repo_url": value.repo_url,
        "repo_key": value.repo_key,
        "code_host": value.code_host,
        "fix_mode": payload.get("fix_mode"),
        "title": issue_title or payload.get("name", ""),
        "name": payload.get("name", ""),
        "description": payload.get("description", ""),
        "type": payload.get("type"),
        "folder": payload.get("folder"),
        "storm": payload.get("storm"),
        "schedule_id": payload.get("schedule_id"),
        "workflow_id": payload.get("workflow_id"),
        "workflow_step": payload.get("workflow_step"),
        "trace_id": value.trace_id,
        "pull_request_id": value.pull_request_id,
        "pull_request_state": pull_request_state,
        "has_change": bool(payload.get("candidate_run")),
        "pr_url": pr_url,
        "mr_url": pr_url,
        "error": value.failure,
        "waiting_for": (value.waiting_for or None) if waits else None,
        "waiting_until": moment(value.waiting_until) if waits else None,
        "cost_usd": round(value.cost_usd, 6),
        "created_at": moment(value.created_at),
        "updated_at": moment(value.updated_at),
    }


def pause(value: Pause, now: datetime) -> dict[str, Any]:
    """Return the pause of the queue: which limit, until when, and the seconds left."""
    return {
        "code": value.code,
        "since": moment(value.since),
        "until": moment(value.until),
        "seconds_left": max(0, round((value.until - now).total_seconds())),
        "probing": bool(value.prober),
        "failures": value.failures,
    }


def diagnosis(value: Diagnosis) -> dict[str, Any] | None:
    """Return what a run found so far; null while that is nothing."""
    if not value:
        return None
    return {"cause": value.cause, "reproduction": list(value.reproduction), "tried": list(value.tried)}


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


def usage(value: Usage) -> dict[str, Any]:
    """Return tokens and money."""
    return {
        "input_tokens": value.input_tokens,
        "output_tokens": value.output_tokens,
        "cost_usd": round(value.cost_usd, 6),
    }


def run(value: Run) -> dict[str, Any]:
    """Return a run as the head of its trace."""
    return {
        "trace_id": value.id,
        "task_id": value.task_id,
        "run_number": value.number,
        "started_at": moment(value.started_at),
        "ended_at": moment(value.ended_at),
        "outcome": value.outcome or None,
        "usage": usage(value.usage),
    }


def step(value: Step) -> dict[str, Any]:
    """Return a step."""
    ended = value.ended_at
    return {
        "name": value.name,
        "round": value.round,
        "state": value.state,
        "entries": value.entries,
        "started_at": moment(value.started_at),
        "ended_at": moment(ended),
        "duration_seconds": (ended - value.started_at).total_seconds() if ended else None,
        "output": value.output,
        "error": value.failure,
        "usage": usage(value.usage),
    }


def artifact(value: Artifact) -> dict[str, Any]:
    """Return an artifact's head."""
    return {
        "name": value.name,
        "media_type": value.media_type,
        "created_at": moment(value.created_at),
        "href": f"/v1/traces/{value.run_id}/artifacts/{value.name}",
    }


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


def bug_case(value: BugCase, public_url: str) -> dict[str, Any]:
    """Return a bug case as a list shows it."""
    return {
        "bug_case_id": value.id,
        "title": value.title,
        "repo_key": value.repo_key,
        "repo_url": value.repo_url,
        "issue_id": value.issue_id,
        "episode": value.episode,
        "fingerprint": value.fingerprint,
        "exception_type": value.error.exception_type,
        "outcome": value.outcome,
        "resolved": value.resolved,
        "recurrences": value.recurrences,
        "last_recurred_at": moment(value.last_recurred_at),
        "quality": quality(value.outcome, value.recurrences, resolved=value.resolved),
        "verdict": value.proof.verdict,
        "cause": value.cause,
        "summary": value.summary,
        "task_id": value.task_id,
        "pull_request_id": value.pull_request_id,
        "pr_url": absolute(value.pr_url, public_url) or None,
        "cost_usd": round(value.cost_usd, 6),
        "created_at": moment(value.created_at),
        "updated_at": moment(value.updated_at),
    }


def whole_bug_case(value: BugCase, public_url: str) -> dict[str, Any]:
    """Return a bug case with its error, proof and diff."""
    return bug_case(value, public_url) | {
        "error": asdict(value.error),
        "likeness": asdict(value.likeness),
        "proof": proof(value.proof),
        "diff": value.diff,
    }


def match(value: Match) -> dict[str, Any]:
    """Return a case that was found for an error, with its score and what that is made of."""
    known = value.bug
    return {
        "bug_case_id": known.id,
        "title": known.title,
        "repo_key": known.repo_key,
        "issue_id": known.issue_id,
        "episode": known.episode,
        "outcome": known.outcome,
        "recurrences": known.recurrences,
        "score": value.score,
        "similarity": value.similarity.score,
        "parts": {name: getattr(value.similarity, name) for name in ("type", "message", "frames")},
        "quality": value.quality,
        "shown": value.shown,
        "reason": value.reason,
    }


def retrieval(value: Retrieval, wanted: Likeness, repo_key: str, reach: Reach) -> dict[str, Any]:
    """Return what a search for an error found, and what it looked for."""
    return {
        "repo_key": repo_key,
        "reach": reach,
        "likeness": asdict(wanted),
        "looked_at": value.looked_at,
        "items": [match(one) for one in value.matches],
    }


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


def schedule(value: Schedule, cron: Cron, next_runs: Sequence[datetime]) -> dict[str, Any]:
    """Return a schedule with its times in words and the next of them."""
    payload = value.task["payload"]
    return {
        "schedule_id": value.id,
        "name": value.name,
        "cron": value.cron,
        "timezone": value.timezone,
        "words": words(cron),
        "enabled": value.enabled,
        "missed": value.missed,
        "overlap": value.overlap,
        "next_run": moment(value.next_at),
        "next_runs": [moment(each) for each in next_runs],
        "last_run": moment(value.last_at),
        "last_outcome": value.last_outcome,
        "last_reason": value.last_reason,
        "last_task_id": value.last_task_id,
        "external_id": value.external_id,
        "task": {
            **{name: payload.get(name) for name in _OF_A_SCHEDULED_TASK},
            "pull_request": bool(payload.get("pull_request")),
            "priority": value.task["priority"],
            "repo_url": value.task["repo_url"],
            "code_host": value.task["code_host"] or None,
        },
        "created_at": moment(value.created_at),
        "updated_at": moment(value.updated_at),
    }


_OF_A_SCHEDULED_TASK = (
    "prompt",
    "name",
    "description",
    "type",
    "folder",
    "allowed_tools",
    "budget_usd",
    "timeout_seconds",
)


def template(value: Template, *, whole: bool = False) -> dict[str, Any]:
    """Return a template with its parameters; ``whole``: with the fields of its task too."""
    shown = {
        "name": value.name,
        "description": value.description,
        "parameters": [asdict(each) for each in value.parameters],
    }
    return shown | ({"task": as_written(value.task)} if whole else {})


def workflow(value: Workflow, tasks: Mapping[str, TaskState] | None = None) -> dict[str, Any]:
    """Return a workflow with its steps; ``tasks`` says how their tasks stand."""
    return {
        "workflow_id": value.id,
        "name": value.name,
        "state": value.state,
        "reason": value.reason,
        "cancel_requested": value.cancel_requested,
        "steps": [
            {
                "id": step.id,
                "state": step.state,
                "reason": step.reason,
                "task_id": step.task_id,
                "task_state": (tasks or {}).get(step.task_id or ""),
                "needs": list(step.needs),
                "on_failed_need": step.on_failed_need,
            }
            for step in value.steps
        ],
        "created_at": moment(value.created_at),
        "updated_at": moment(value.updated_at),
        "ended_at": moment(value.ended_at),
    }


def tick(value: Tick) -> dict[str, Any]:
    """Return what became of one time of a schedule."""
    return {
        "due_at": moment(value.due_at),
        "at": moment(value.at),
        "outcome": value.outcome,
        "reason": value.reason,
        "task_id": value.task_id,
        "covers": value.covers,
        "by_hand": value.by_hand,
    }
