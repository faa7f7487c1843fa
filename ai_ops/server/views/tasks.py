"""Tasks and their traces as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ai_ops.core.diagnosis import Diagnosis
from ai_ops.core.links import absolute
from ai_ops.core.pausing import Pause
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.run import Artifact, Run, Step, Usage
from ai_ops.flow.task import Task, TaskState, status_word
from ai_ops.server.views.common import moment, proof


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
