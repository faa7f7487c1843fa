"""Task: a unit of queued work, its states, and the table of legal transitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class TaskKind(StrEnum):
    """``repair`` an issue, ``follow_up`` a comment on its pull request, or run a ``prompt``."""

    REPAIR = "repair"
    FOLLOW_UP = "follow_up"
    PROMPT = "prompt"


class TaskType(StrEnum):
    """How much a prompt task may do."""

    LIGHTWEIGHT = "lightweight"
    MEDIUM_CONTEXT = "medium_context"
    HEAVY_CONTEXT = "heavy_context"


class Priority(StrEnum):
    """Order of work within the queue."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class TaskState(StrEnum):
    """Where a task stands; ``TRANSITIONS`` says what may follow."""

    PENDING = "pending"
    PROCESSING = "processing"
    PAUSED = "paused"
    WAITING_UNBAN = "waiting_unban"
    RETRYING = "retrying"
    NEEDS_HUMAN_REVIEW = "needs_human_review"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether the task is over; a review is not, a person still has the word."""
        return self in (TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELLED)


UNFINISHED = frozenset(TaskState) - {
    TaskState.COMPLETED,
    TaskState.FAILED,
    TaskState.CANCELLED,
    TaskState.NEEDS_HUMAN_REVIEW,
}
"""The states of a task that something is still to be done for, without a person's word."""

_S = TaskState
TRANSITIONS: dict[TaskState, frozenset[TaskState]] = {
    _S.PENDING: frozenset({_S.PROCESSING, _S.PAUSED, _S.CANCELLED, _S.FAILED}),
    _S.PROCESSING: frozenset(
        {
            _S.COMPLETED,
            _S.FAILED,
            _S.RETRYING,
            _S.WAITING_UNBAN,
            _S.NEEDS_HUMAN_REVIEW,
            _S.PAUSED,
            _S.CANCELLED,
            _S.PENDING,
        }
    ),
    _S.RETRYING: frozenset({_S.PROCESSING, _S.PAUSED, _S.CANCELLED, _S.FAILED}),
    _S.WAITING_UNBAN: frozenset({_S.PROCESSING, _S.PAUSED, _S.CANCELLED, _S.FAILED}),
    _S.PAUSED: frozenset({_S.PENDING, _S.CANCELLED}),
    _S.NEEDS_HUMAN_REVIEW: frozenset({_S.PENDING, _S.COMPLETED, _S.CANCELLED}),
    _S.FAILED: frozenset({_S.PENDING}),
    _S.CANCELLED: frozenset({_S.PENDING}),
    _S.COMPLETED: frozenset(),
}

_STATUS_WORD = {
    _S.PENDING: "QUEUED",
    _S.PAUSED: "QUEUED",
    _S.RETRYING: "QUEUED",
    _S.WAITING_UNBAN: "QUEUED",
    _S.PROCESSING: "RUNNING",
    _S.COMPLETED: "DONE",
    _S.FAILED: "FAILED",
    _S.CANCELLED: "FAILED",
    _S.NEEDS_HUMAN_REVIEW: "FAILED",
}


def status_word(state: TaskState) -> str:
    """Return the old word for a state: QUEUED, RUNNING, DONE or FAILED."""
    return _STATUS_WORD[state]


class Verdict(StrEnum):
    """What the evidence says about a fix. ``BLOCKED`` is the guard's, and it is asked first."""

    PROVED = "proved"
    UNPROVED = "unproved"
    REFUTED = "refuted"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Reason:
    """One ground of a verdict: a stable rule name, a place (path, test id or empty), and words.

    ``severity`` is that of a finding of the guard, ``blocked`` or ``warning``; empty for all others.
    """

    rule: str
    place: str
    text: str
    severity: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """A verdict with its reasons; ``verdict`` is None while nothing was judged."""

    verdict: Verdict | None = None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A unit of queued work.

    ``payload`` holds what the kind needs: for a repair ``{"fix_mode", "requested_by", "first_run"}`` (the run
    that an event began, where that is not the first); for a prompt
    ``{"prompt", "name", "description", "type", "folder", "allowed_tools", "budget_usd",
    "timeout_seconds"}``; for a follow-up what ``FollowUp`` says. ``run_number`` counts the runs (1 is the
    first), ``trace_id`` is the id of the newest run. ``action`` says what the next run does: ``work``, or
    ``publish`` after an approval.
    ``failure`` is ``{"code", "message", "next_step"}`` or None. While the state is ``retrying`` or
    ``waiting_unban``, ``waiting_for`` is the code of what has to pass, and ``waiting_until`` when it goes on.
    In ``needs_human_review`` it is there where the task goes on by itself as well.
    """

    id: str
    kind: TaskKind
    state: TaskState
    priority: Priority
    created_at: datetime
    updated_at: datetime
    repo_key: str = ""
    repo_url: str = ""
    code_host: str = ""
    issue_id: str | None = None
    fingerprint: str = ""
    episode: int = 0
    payload: dict[str, Any] = field(default_factory=dict)
    action: str = "work"
    run_number: int = 1
    attempts: int = 0
    trace_id: str | None = None
    outcome_reason: str = ""
    proof: Proof = field(default_factory=Proof)
    pull_request_id: str | None = None
    pr_url: str = ""
    failure: dict[str, str] | None = None
    cost_usd: float = 0.0
    cancel_requested: bool = False
    waiting_for: str = ""
    waiting_until: datetime | None = None
