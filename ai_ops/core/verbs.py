"""What a person may do to a task, as pure decisions: the next state and the fields that change.

A verb whose wish is fulfilled already changes nothing, so that each may be said again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ai_ops.core.failures import failed
from ai_ops.core.publishable import publishable
from ai_ops.core.publishing_limits import NO_PLACE
from ai_ops.flow.task import TRANSITIONS, Proof, Task, TaskState, Verdict

_WHY_NOT = {
    Verdict.REFUTED: "the evidence speaks against it",
    Verdict.BLOCKED: "the guard withheld it",
}


@dataclass(frozen=True, slots=True)
class Change:
    """Move to ``to`` (None: nothing to do, the wish is fulfilled already) and change fields.

    ``wake``: the task waits for something, and is to look at once whether it is over.
    """

    to: TaskState | None
    changes: Mapping[str, Any] = field(default_factory=dict)
    wake: bool = False


VERBS = ("cancel", "pause", "resume", "retry", "approve", "reject")


def decide(verb: str, task: Task) -> Change:
    """Return what a verb of ``VERBS`` does to a task.

    Raises:
        PermanentError: ``illegal_transition`` when the task's state does not allow it.
    """
    return {
        "cancel": _cancel,
        "pause": _pause,
        "resume": _resume,
        "retry": _retry,
        "approve": _approve,
        "reject": _reject,
    }[verb](task)


def _require(task: Task, verb: str, states: frozenset[TaskState]) -> None:
    if task.state not in states:
        allowed = ", ".join(sorted(states))
        raise failed(
            "illegal_transition",
            f"a task that is {task.state} cannot be {_PAST[verb]}",
            next_step=f"`{verb}` applies to tasks that are: {allowed}",
        )


_PAST = {
    "cancel": "cancelled",
    "pause": "paused",
    "resume": "resumed",
    "retry": "retried",
    "approve": "approved",
    "reject": "rejected",
}
_PAUSABLE = frozenset(state for state, targets in TRANSITIONS.items() if TaskState.PAUSED in targets)
_WAITING = frozenset({TaskState.RETRYING, TaskState.WAITING_UNBAN})
_RESUMABLE = frozenset({TaskState.PAUSED, *_WAITING})
_CANCELLABLE = frozenset(state for state, targets in TRANSITIONS.items() if TaskState.CANCELLED in targets)
_RETRIABLE = frozenset({TaskState.FAILED, TaskState.CANCELLED, TaskState.NEEDS_HUMAN_REVIEW, *_WAITING})
_REVIEW = frozenset({TaskState.NEEDS_HUMAN_REVIEW})


def _cancel(task: Task) -> Change:
    if task.state is TaskState.CANCELLED:
        return Change(None)
    if task.state is TaskState.NEEDS_HUMAN_REVIEW:
        return _reject(task)
    _require(task, "cancel", _CANCELLABLE)
    return Change(TaskState.CANCELLED, {"outcome_reason": "cancelled by a person"})


def _pause(task: Task) -> Change:
    if task.state is TaskState.PAUSED:
        return Change(None)
    _require(task, "pause", _PAUSABLE)
    words = {"outcome_reason": "paused by a person", "waiting_for": "", "waiting_until": None}
    return Change(TaskState.PAUSED, words)


def _resume(task: Task) -> Change:
    """Go on with the same run; what it has done is not done again."""
    if task.state in (TaskState.PENDING, TaskState.PROCESSING):
        return Change(None)
    if task.state in _WAITING:
        return Change(None, wake=True)
    _require(task, "resume", _RESUMABLE)
    return Change(TaskState.PENDING, {"outcome_reason": ""})


def _retry(task: Task) -> Change:
    if task.state is TaskState.PENDING:  # its run waits for its turn already
        return Change(None)
    if task.state in _WAITING:
        return Change(None, wake=True)
    _require(task, "retry", _RETRIABLE)
    return Change(
        TaskState.PENDING,
        {
            "run_number": task.run_number + 1,
            "action": "work",
            "attempts": 0,
            "proof": Proof(),
            "failure": None,
            "outcome_reason": "",
            # The next run is judged anew; an approval must never find the change of an earlier one.
            "payload": {name: value for name, value in task.payload.items() if name != "candidate_run"},
        },
    )


def _approve(task: Task) -> Change:
    _require(task, "approve", _REVIEW)
    if task.failure and task.failure["code"] == "command_held":
        raise failed(
            "illegal_transition",
            "a command of this task waits for a person; to approve is for changes",
            next_step=task.failure["next_step"],
        )
    if approval_publishes(task):
        return Change(
            TaskState.PENDING,
            {
                "run_number": task.run_number + 1,
                "action": "publish",
                "outcome_reason": "approved by a person",
            },
        )
    if task.waiting_for == NO_PLACE:
        return Change(
            TaskState.PENDING,
            {
                "run_number": task.run_number + 1,
                "action": "work",
                "outcome_reason": "approved by a person, whatever the limit of pull requests",
                "payload": {**task.payload, "beyond_limits": True},
            },
        )
    why = _WHY_NOT.get(task.proof.verdict or Verdict.UNPROVED, "there is none to publish")
    return Change(TaskState.COMPLETED, {"outcome_reason": f"accepted without a change: {why}"})


def approval_publishes(task: Task) -> bool:
    """Whether a task in review holds a change of its last run that an approval would publish."""
    candidate = task.payload.get("candidate_run")
    return (
        bool(candidate)
        and candidate == task.trace_id
        and publishable(task.proof.verdict, require_proof=False)
    )


def _reject(task: Task) -> Change:
    _require(task, "reject", _REVIEW)
    return Change(TaskState.CANCELLED, {"outcome_reason": "rejected by a person", "failure": None})
