"""Whether a worker has to be replaced, and what becomes of its run. It decides; ``Supervisor`` acts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError
from ai_ops.flow.worker import Loss, LossReason, WorkerState, WorkerStatus


@dataclass(frozen=True, slots=True)
class WorkerRules:
    """What a worker may use, and how often a run may lose one.

    Args:
        memory_bytes: of all its processes together, shared pages once.
        silent_seconds: how long it may show no life.
        most_losses: a run that lost so many workers is left to a person.
    """

    memory_bytes: int
    silent_seconds: float
    most_losses: int


class NextRun(StrEnum):
    """What becomes of a run without its worker."""

    BEGIN_AGAIN = "begin_again"
    ASK_A_PERSON = "ask_a_person"


def judge(worker: WorkerStatus, rules: WorkerRules) -> Loss | None:
    """Return why a worker has to be replaced, None when it need not be."""
    if worker.state is not WorkerState.WORKING:
        return None
    if worker.memory_bytes > rules.memory_bytes:
        used, allowed = worker.memory_bytes // 2**20, rules.memory_bytes // 2**20
        words = f"its processes used {used} MB of memory, and may use {allowed} MB"
        return Loss(LossReason.MEMORY, words)
    if worker.heartbeat_seconds > rules.silent_seconds:
        step = f" in the step {worker.step}" if worker.step else ""
        words = f"it showed no life for {worker.heartbeat_seconds:.0f} s{step}"
        return Loss(LossReason.HUNG, words)
    return None


def next_run(losses: int, rules: WorkerRules) -> NextRun:
    """Return what becomes of a run that has lost so many workers, those a person asked for not counted."""
    return NextRun.ASK_A_PERSON if losses >= rules.most_losses else NextRun.BEGIN_AGAIN


def poisoned(losses: int, loss: Loss) -> AiOpsError:
    """Return the failure of a run that is not begun again."""
    return failed(
        "worker_poisoned",
        f"The run was taken from {losses} workers, the last time because {loss.detail}.",
        next_step="Look at the step in the trace; raise WORKER_MEMORY_MB or WORKER_SILENT_SECONDS if it "
        "needs more, then retry the task, or reject it.",
    )
