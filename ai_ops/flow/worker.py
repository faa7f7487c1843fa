"""Worker: a place to work with the processes that its run has started, and why one was replaced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class WorkerState(StrEnum):
    """``replacing``: its run was taken from it, and it has not let go yet."""

    IDLE = "idle"
    WORKING = "working"
    REPLACING = "replacing"


class LossReason(StrEnum):
    """Why a run was taken from its worker: it outgrew its memory, showed no life, or a person asked."""

    MEMORY = "memory"
    HUNG = "hung"
    ASKED = "asked"


@dataclass(frozen=True, slots=True)
class Loss:
    """A run that was taken from its worker, at once and with its processes. ``detail`` is for people."""

    reason: LossReason
    detail: str


@dataclass(frozen=True, slots=True)
class RecordedLoss:
    """A loss as it is kept. ``number`` is the worker's."""

    run_id: str
    task_id: str
    number: int
    at: datetime
    loss: Loss


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker as it was last looked at.

    ``heartbeat_seconds`` is how long ago it showed life: a step begun or ended, output, a word of the model,
    or use of the processor. ``cpu_percent`` is of one processor. ``replaced`` counts since the start.
    """

    number: int
    state: WorkerState = WorkerState.IDLE
    task_id: str = ""
    run_id: str = ""
    kind: str = ""
    step: str = ""
    since: datetime | None = None
    heartbeat_seconds: float = 0.0
    memory_bytes: int = 0
    cpu_percent: float = 0.0
    processes: int = 0
    replaced: int = 0
    last_loss: Loss | None = None
