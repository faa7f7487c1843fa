"""What to do with a task when the engine and our tables disagree. It decides; ``durable`` acts.

Our tables are the truth. They and the engine's own are written one after the other, so a crash can
leave a task without its workflow, a workflow without its task, or a task that nobody works on.
"""

from __future__ import annotations

from enum import StrEnum

from ai_ops.flow.task import TaskState

WORKABLE = frozenset(
    {TaskState.PENDING, TaskState.PROCESSING, TaskState.RETRYING, TaskState.WAITING_UNBAN},
)
"""The states in which a worker has the task, or should."""

WORKER_LOST = {
    "code": "worker_lost",
    "message": "The worker ended without a result.",
    "next_step": "Look into the server's log, then retry the task.",
}


class Life(StrEnum):
    """What the engine knows about a task's present run. ``WORN_OUT``: too many processes died with it."""

    UNKNOWN = "unknown"
    LIVE = "live"
    LOST = "lost"
    FINISHED = "finished"
    BROKEN = "broken"
    WORN_OUT = "worn_out"
    CANCELLED = "cancelled"


class Fate(StrEnum):
    """What to do. ``RESTART`` gives the task to the engine anew; its committed steps are kept."""

    LEAVE = "leave"
    RESTART = "restart"
    FAIL = "fail"
    CANCEL = "cancel"


def fate(state: TaskState, life: Life, cancel_requested: bool) -> Fate:
    """Return what to do with an unfinished task, given what the engine knows of its run.

    A run that finished or broke under a task that is not over has lost its result: trying it again
    unasked could go on for ever, so that fails. A run that is gone, or was interrupted, is begun again; so
    is one that only waited while process after process ended: it took none of them down.
    """
    if life is Life.LIVE or state not in WORKABLE:
        return Fate.LEAVE
    if life is Life.BROKEN or (life is Life.WORN_OUT and state is TaskState.PROCESSING):
        return Fate.FAIL
    if life is Life.FINISHED and state is not TaskState.PENDING:
        return Fate.FAIL
    if life is Life.CANCELLED and cancel_requested:
        return Fate.CANCEL
    return Fate.RESTART
