"""The words that the server's log has for the way of a task, each one line."""

from __future__ import annotations

from collections.abc import Callable

from ai_ops.core.untrusted import clean
from ai_ops.flow.task import Task

_LIMIT = 500


def told(text: str) -> str:
    """Return redacted text as one line of at most 500 characters, without what a reader would not see."""
    return " ".join(clean(text).text.split())[:_LIMIT]


def queued(task: Task, redact: Callable[[str], str]) -> str:
    """Return what is said when a task joins the queue: which one, what for, and in which repository."""
    what = f"{task.kind} of issue {task.issue_id}" if task.issue_id else str(task.kind)
    where = f" in {redact(task.repo_key)}" if task.repo_key else ""
    return f"task {task.id} queued: {told(what + where)}"
