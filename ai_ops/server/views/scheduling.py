"""Schedules, templates and workflows as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from ai_ops.core.schedules import Cron, words
from ai_ops.core.workflows import as_written
from ai_ops.flow.schedule import Schedule, Tick
from ai_ops.flow.task import TaskState
from ai_ops.flow.workflow import Template, Workflow
from ai_ops.server.views.common import moment


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
