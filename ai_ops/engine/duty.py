"""One run from its first to its last moment, the same under every engine.

The worker handles the failures it knows and leaves its task in a state that says so. What is done
here is the edge around it: no work for a task that no longer wants it, and no task left standing
when the worker fails in a way that nobody foresaw.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ai_ops.core import retry
from ai_ops.core.identity import run_id
from ai_ops.core.ports import Fail, Steps, Tasks, Trace, Worker
from ai_ops.core.verbs import Change
from ai_ops.engine.reconcile import WORKABLE, WORKER_LOST
from ai_ops.errors import AiOpsError, PermanentError, TemporaryError
from ai_ops.flow.task import Task, TaskState

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Duty:
    """What an engine needs besides its queue. Without ``failing`` a task that fails is moved and no more."""

    tasks: Tasks
    trace: Trace
    worker: Worker
    failing: Fail | None = None

    async def wanted(self, task_id: str, run_number: int) -> Task | None:
        """Return the task when this run of it is still to be worked on."""
        task = await self.tasks.find(task_id)
        return task if task is not None and _wants(task, run_number) else None

    async def work(self, task: Task, steps: Steps) -> None:
        """Let the worker do the run; what it does not handle fails the task and goes no further.

        A temporary failure that the worker lets through (our tables did not answer) calls it again: the
        steps it had committed are not done twice.

        Raises:
            CancelledError: this run was interrupted from outside. A worker that raises it by itself has
                given up, which is a failure only while the task still wants a result.
        """
        tries = 0
        while True:
            tries += 1
            try:
                await self.worker(task.id, task.run_number, steps)
            except TemporaryError as error:
                decision = retry.decide(error, tries, spread=task.id)
                if decision.retry:
                    _LOG.warning("task %s: %s", task.id, decision.reason)
                    await asyncio.sleep(decision.delay_seconds)
                    continue
                await self.fail(task, error.as_dict())
            except asyncio.CancelledError:
                here = asyncio.current_task()
                if here is None or here.cancelling():
                    raise
                await self._given_up(task)
            except Exception as error:  # noqa: BLE001 - the edge: any error must end in a state of the task
                _LOG.exception("the worker of task %s failed", task.id)
                await self.fail(task, _failure(error))
            return

    async def _given_up(self, task: Task) -> None:
        if await self.wanted(task.id, task.run_number):
            _LOG.error("the worker of task %s gave up", task.id)
            await self.fail(task, WORKER_LOST)
        else:
            await self.close(task)

    async def reopened(self, task: Task, **changes: Any) -> Task | None:
        """Return the task, pending again, whose run was interrupted; None when the run is not wanted.

        Decided where it is written: a verb of a person that came before is not undone.
        """

        def again(now: Task) -> Change:
            at_work = now.run_number == task.run_number and now.state is TaskState.PROCESSING
            return Change(TaskState.PENDING, changes) if at_work else Change(None)

        now, _ = await self.tasks.act(task.id, again)
        return now if _wants(now, task.run_number) else None

    async def fail(self, task: Task, failure: Mapping[str, str]) -> None:
        """Move the task to ``failed``; harmless when it is over already."""
        if self.failing is not None:
            await self.failing(task, failure)
        else:
            await self.move(task, TaskState.FAILED, failure=dict(failure), outcome_reason=failure["message"])
        await self.close(task)

    async def move(self, task: Task, to: TaskState, **changes: Any) -> None:
        """Move the task, unless it has moved on meanwhile, or another run has begun."""
        try:
            await self.tasks.move(task.id, to, only_run=task.run_number, **changes)
        except PermanentError as error:
            _LOG.info("task %s was not moved to %s: %s", task.id, to, error.message)

    async def close(self, task: Task) -> None:
        """End the run of a task that is over, so that nobody goes on watching it."""
        await self.close_run(task.id, task.run_number)

    async def close_run(self, task_id: str, run_number: int) -> None:
        """End a run whose task is over or in a later run; a kill may have come between the two."""
        run = run_id(task_id, run_number)
        known = await self.trace.find_run(run)
        task = await self.tasks.find(task_id)
        if known is None or known.ended_at is not None or task is None:
            return
        if task.run_number != run_number:
            await self.trace.run_ended(run, TaskState.CANCELLED.value)
        elif task.state.final or task.state is TaskState.NEEDS_HUMAN_REVIEW:
            await self.trace.run_ended(run, task.state.value)


def _wants(task: Task, run_number: int) -> bool:
    return task.run_number == run_number and task.state in WORKABLE


def _failure(error: Exception) -> dict[str, str]:
    """Name an error for the task. Its own words may quote anything, so they stay in the log."""
    if isinstance(error, AiOpsError):
        return error.as_dict()
    return {
        "code": "internal_error",
        "message": f"The worker failed with {type(error).__name__}.",
        "next_step": "Look into the server's log, then retry the task.",
    }
