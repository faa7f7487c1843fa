"""What the engine calls for a run: moves the task along its states, and names every failure."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ai_ops.core import retry
from ai_ops.core.identity import run_id
from ai_ops.core.orchestrator.ending import Ending
from ai_ops.core.orchestrator.prompt import prompt
from ai_ops.core.orchestrator.repair import publish_approved, repair
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Outcome, Steps
from ai_ops.errors import AiOpsError, PermanentError, TemporaryError
from ai_ops.flow.run import Run
from ai_ops.flow.task import Proof, Task, TaskKind, TaskState

log = logging.getLogger(__name__)

LIMIT_CODES = frozenset({"model_session_limit", "model_rate_limited", "model_overloaded"})
"""Failures that mean: Claude is there, but not for us now."""
DEFAULT_LIMIT_SECONDS = 3600.0


class Worker:
    """The entry of the orchestrator."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def __call__(self, task_id: str, run_number: int, steps: Steps) -> None:
        """Work on one run of a task until it has ended, one way or the other."""
        tools = self._tools
        task = await tools.tasks.find(task_id)
        if task is None or task.run_number != run_number:
            return
        run = run_id(task_id, run_number)
        await tools.trace.run_started(Run(run, task_id, run_number, tools.clock.now()))
        task = await self._begin(task, run)
        try:
            ending = await self._work(task, run, Persistent(tools, task.id, steps))
        except AiOpsError as failure:
            ending = _failed(failure)
        except asyncio.CancelledError:
            # Cancelled by a person, or the server stops: every step makes its folders anew.
            await tools.workspaces.discard(run)
            raise
        await self._finish(task, run, ending)

    async def _begin(self, task: Task, run: str) -> Task:
        """Say that the task is being worked on; after a crash it says so already."""
        if task.state is TaskState.PROCESSING:
            return await self._tools.tasks.update(task.id, trace_id=run)
        return await self._tools.tasks.move(task.id, TaskState.PROCESSING, trace_id=run)

    async def _work(self, task: Task, run: str, steps: Steps) -> Ending:
        if task.kind is TaskKind.PROMPT:
            return await prompt(self._tools, steps, task, run)
        if task.action == "publish":
            return await publish_approved(self._tools, steps, task, run)
        return await repair(self._tools, steps, task, run)

    async def _finish(self, task: Task, run: str, ending: Ending) -> None:
        """Commit the ending. The run's folder goes first: nothing of it is needed any more."""
        tools = self._tools
        await tools.workspaces.discard(run)
        recorded = await tools.trace.find_run(run)
        cost = recorded.usage.cost_usd if recorded else 0.0
        changes = dict(ending.changes)
        try:
            await tools.tasks.move(
                task.id,
                ending.state,
                outcome_reason=ending.reason,
                proof=ending.proof,
                cost_usd=task.cost_usd + cost,
                **changes,
            )
        except PermanentError as refused:
            # A person was faster: the task was cancelled meanwhile.
            log.info("task %s: %s", task.id, refused)
        current = await tools.tasks.find(task.id)
        await tools.trace.run_ended(run, current.state if current else ending.state)


def _failed(failure: AiOpsError) -> Ending:
    return Ending(
        TaskState.FAILED,
        f"{failure.code}: {failure.message}",
        Proof(),
        {"failure": failure.as_dict()},
    )


class Persistent:
    """Steps that are tried again when what failed may pass by itself, with the wait in the task's state."""

    def __init__(self, tools: Tools, task_id: str, steps: Steps) -> None:
        self._tools = tools
        self._task_id = task_id
        self._steps = steps

    async def run(self, name: str, round: int, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Run a step; a temporary failure waits durably and tries again."""
        tries = 0
        while True:
            tries += 1
            try:
                return await self._steps.run(name, round, work)
            except TemporaryError as failure:
                decision = retry.decide(_with_limit_delay(failure), tries, spread=self._task_id)
                if not decision.retry:
                    raise PermanentError(
                        failure.code, failure.message, next_step=failure.next_step
                    ) from failure
                await self._pause(failure, decision)

    async def wait(self, seconds: float) -> None:
        """Wait durably."""
        await self._steps.wait(seconds)

    async def _pause(self, failure: TemporaryError, decision: retry.RetryDecision) -> None:
        limited = failure.code in LIMIT_CODES
        state = TaskState.WAITING_UNBAN if limited else TaskState.RETRYING
        tasks = self._tools.tasks
        task = await tasks.find(self._task_id)
        if task is not None and task.state is TaskState.PROCESSING:
            await tasks.move(self._task_id, state, outcome_reason=decision.reason, attempts=task.attempts + 1)
        await self._steps.wait(decision.delay_seconds)
        task = await tasks.find(self._task_id)
        if task is None or task.state.final:
            raise asyncio.CancelledError
        if task.state in (TaskState.WAITING_UNBAN, TaskState.RETRYING):
            await tasks.move(self._task_id, TaskState.PROCESSING, outcome_reason="")


def _with_limit_delay(failure: TemporaryError) -> TemporaryError:
    """Give a session limit that names no reset an hour."""
    if failure.code == "model_session_limit" and failure.delay is None:
        return TemporaryError(
            failure.code, failure.message, next_step=failure.next_step, delay=DEFAULT_LIMIT_SECONDS
        )
    return failure
