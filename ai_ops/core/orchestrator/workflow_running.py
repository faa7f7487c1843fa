"""Takes workflows from step to step, each step's task made once, whatever dies in between.

That a step begins is committed before its task is made, and the task is made under a key that names workflow
and step: a step that was begun is begun again after a crash, and finds its task. So a cancelled workflow
leaves no task behind that it does not know.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ai_ops.core.admission import capped
from ai_ops.core.orchestrator.duty_rounds import again_and_again
from ai_ops.core.orchestrator.guarding import Guarding
from ai_ops.core.orchestrator.steering import Steering
from ai_ops.core.ports import Clock, Created, Engine, NewTask, QueueGate, Tasks, Trace
from ai_ops.core.ports.workflows import Workflows
from ai_ops.core.wording import shortened
from ai_ops.core.workflows import progress
from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.judgement import Role
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Task, TaskKind, TaskState
from ai_ops.flow.workflow import Workflow, WorkflowState, WorkflowStep, WorkflowStepState

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_MOST_ANSWER = 20_000
_FULL = "the queue is full; it begins when the queue takes new work again"


@dataclass(frozen=True, slots=True)
class WorkflowRunning:
    """Looks what became of the tasks of workflows, and begins the steps whose turn has come.

    Args:
        workflows: which there are.
        tasks: where their tasks are made.
        trace: has the answers.
        engine: is given each task.
        steering: cancels them.
        gate: the cap on prompt tasks.
        guarding: is asked before a task is made.
        clock: the time.
        repository: returns the repository that an address means, or raises why it may not be worked on.
    """

    workflows: Workflows
    tasks: Tasks
    trace: Trace
    engine: Engine
    steering: Steering
    gate: QueueGate
    guarding: Guarding
    clock: Clock
    repository: Callable[[str, str], Repository]
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Look until cancelled."""
        await again_and_again("workflows", _LOOK_SECONDS, self.look)

    async def look(self) -> None:
        """See to every workflow that is not over."""
        async with self._turn:
            for workflow in await self.workflows.running():
                await self._see_to(workflow)

    async def begin(self, workflow: Workflow, key: str | None) -> tuple[Workflow, bool]:
        """Keep a workflow and begin its first steps; made again under its key, it is the one there is.

        Raises:
            PermanentError: ``too_many_workflows``; ``policy_violated`` or ``command_blocked`` for any step.
        """
        for step in workflow.steps:
            await self._admit(step)
        made, new = await self.workflows.create(workflow, key)
        return await self._seen(made), new

    async def cancel(self, workflow_id: str) -> Workflow:
        """Cancel what waits and what works of a workflow, at once.

        Raises:
            PermanentError: ``workflow_not_found``, ``illegal_transition``.
        """
        return await self._seen(await self.workflows.ask_cancel(workflow_id))

    @asynccontextmanager
    async def going_on(self, task: Task) -> AsyncIterator[None]:
        """Let the workflow of a task go on that is tried again inside: its step, and what was skipped.

        The workflow is on record first. Should the new run never begin, the next look finds the task as it
        was, and ends the workflow again; so may another server's look in between, hence the second time.

        Raises:
            PermanentError: ``too_many_workflows``.
        """
        async with self._turn:
            await self._reopened(task)
            yield
            await self._reopened(task)

    async def _reopened(self, task: Task) -> None:
        while known := await self.workflows.find(str(task.payload.get("workflow_id") or "")):
            revived = progress.revived(known, task.id)
            if revived == known:
                return
            if await self.workflows.reopen(revived):  # else somebody changed it meanwhile
                log.info("workflow %s goes on: its task %s is tried again", known.id, task.id)
                return

    async def _seen(self, workflow: Workflow) -> Workflow:
        async with self._turn:
            newest = await self.workflows.find(workflow.id) or workflow
            if newest.state is WorkflowState.RUNNING:
                await self._see_to(newest)
        return await self.workflows.find(workflow.id) or workflow

    async def _see_to(self, workflow: Workflow) -> None:
        """Do what there is to do now. When another server was faster, that is looked at next time."""
        tasks = {
            step.task_id: await self.tasks.find(step.task_id)
            for step in workflow.steps
            if step.task_id is not None and not step.state.final
        }
        now = progress.without_hope(progress.taken_over(workflow, tasks))
        if workflow.cancel_requested:
            now = await self._cancelled(now)
        else:
            begun = progress.queued(now, await self._admitted_by_queue(now))
            if begun != now:  # on record before any task is made
                kept = await self.workflows.save(begun)
                if kept is None:
                    return
                workflow = now = kept
            for step in progress.about_to_begin(now):
                now = progress.with_step(now, await self._begun(now, step))
            now = progress.without_hope(now)
        now = progress.ended(now, self.clock.now())
        if now != workflow and await self.workflows.save(now) and now.state is not WorkflowState.RUNNING:
            log.info("workflow %s is %s%s", now.id, now.state, f": {now.reason}" if now.reason else "")

    async def _admitted_by_queue(self, workflow: Workflow) -> tuple[WorkflowStep, ...]:
        """Return the steps that may begin: the urgent ones, and others as far as the queue has room."""
        steps = progress.ready(workflow)
        capped_ones = [step for step in steps if _is_capped(step)]
        room = await self.gate.room() if capped_ones else None
        held = frozenset(step.id for step in capped_ones[room:]) if room is not None else frozenset()
        return tuple(step for step in steps if step.id not in held)

    async def _begun(self, workflow: Workflow, step: WorkflowStep) -> WorkflowStep:
        """Make and queue a step's task; what forbids it is how the step ends."""
        try:
            await self._admit(step)
            created = await self._task_of(workflow, step)
        except AiOpsError as refused:
            if refused.code == "queue_full":
                return replace(step, state=WorkflowStepState.WAITING, reason=_FULL)
            if not isinstance(refused, PermanentError):
                raise
            return replace(step, state=WorkflowStepState.FAILED, reason=str(refused))
        if created.task.state is TaskState.PENDING:
            await self.engine.enqueue(created.task)
        return replace(step, task_id=created.task.id, reason="")

    async def _admit(self, step: WorkflowStep) -> None:
        repo_url, code_host = step.task["repo_url"], step.task["code_host"]
        key = self.repository(repo_url, code_host).key if repo_url else ""
        await self.guarding.admit(step.task["payload"], key, Role.ADMIN)

    async def _task_of(self, workflow: Workflow, step: WorkflowStep) -> Created:
        """Make the task of a step, or find it."""
        wanted = step.task
        repository = self.repository(wanted["repo_url"], wanted["code_host"]) if wanted["repo_url"] else None
        payload: dict[str, Any] = {
            **wanted["payload"],
            "workflow_id": workflow.id,
            "workflow_step": step.id,
            "inputs": [await self._answer(workflow, each) for each in step.answers],
        }
        key = f"workflow:{workflow.id}:{step.id}"
        return await self.tasks.create(
            NewTask(TaskKind.PROMPT, repository, wanted["priority"], payload, None, key)
        )

    async def _answer(self, workflow: Workflow, step_id: str) -> dict[str, str]:
        """Return the answer of a step that is over: a model's words, masked when they were kept."""
        step = next(each for each in workflow.steps if each.id == step_id)
        task = await self.tasks.find(step.task_id) if step.task_id else None
        name = f"answer of {step_id}"
        if task is None or step.state is not WorkflowStepState.COMPLETED:
            return {"name": name, "text": f"There is none: the step is {step.state}. {step.reason}".strip()}
        kept = None
        for run in (task.trace_id, task.payload.get("candidate_run")):  # an approval's run has no answer
            kept = kept or (await self.trace.artifact(run, "answer") if run else None)
        text = (
            shortened(kept.text, _MOST_ANSWER, line_limit=_MOST_ANSWER) if kept else "It is no longer kept."
        )
        return {"name": name, "text": text}

    async def _cancelled(self, workflow: Workflow) -> Workflow:
        """Cancel whatever is not over; tasks are dead when this returns."""
        for step in workflow.steps:
            if step.state is WorkflowStepState.QUEUED:
                workflow = progress.with_step(workflow, await self._stopped(workflow, step))
            elif step.state is WorkflowStepState.WAITING:
                stopped = replace(
                    step, state=WorkflowStepState.CANCELLED, reason="the workflow was cancelled"
                )
                workflow = progress.with_step(workflow, stopped)
        return workflow

    async def _stopped(self, workflow: Workflow, step: WorkflowStep) -> WorkflowStep:
        """Return a step as its task is once it was told to stop."""
        gone = replace(step, state=WorkflowStepState.CANCELLED, reason="the workflow was cancelled")
        if step.task_id is None:  # its task may have been made just before a crash: its key finds it
            try:
                step = replace(step, task_id=(await self._task_of(workflow, step)).task.id)
            except AiOpsError as refused:
                if refused.code == "queue_full" or isinstance(refused, PermanentError):
                    return gone
                raise
        task = await self._stop(step.task_id or "")
        if task is None:
            return replace(gone, task_id=step.task_id)
        known = progress.taken_over(progress.with_step(workflow, step), {task.id: task})
        return next(each for each in known.steps if each.id == step.id)

    async def _stop(self, task_id: str) -> Task | None:
        try:
            return await self.steering.steer(task_id, "cancel")
        except PermanentError:  # it came to its end just before
            return await self.tasks.find(task_id)


def _is_capped(step: WorkflowStep) -> bool:
    return capped(TaskKind.PROMPT, step.task["priority"])
