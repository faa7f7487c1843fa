"""How a workflow that runs goes on: what its steps' tasks became, and which steps may begin. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from ai_ops.flow.task import Task, TaskState
from ai_ops.flow.workflow import OnFailedNeed, Workflow, WorkflowState, WorkflowStep, WorkflowStepState

_ENDS = {
    TaskState.COMPLETED: WorkflowStepState.COMPLETED,
    TaskState.FAILED: WorkflowStepState.FAILED,
    TaskState.CANCELLED: WorkflowStepState.CANCELLED,
}
_LOST = frozenset({WorkflowStepState.FAILED, WorkflowStepState.CANCELLED})
_REVIEW = "its task waits for a person's review"


def with_step(workflow: Workflow, step: WorkflowStep) -> Workflow:
    """Return a workflow with a step in the place of the one of its id."""
    return replace(workflow, steps=tuple(step if each.id == step.id else each for each in workflow.steps))


def taken_over(workflow: Workflow, tasks: Mapping[str, Task | None]) -> Workflow:
    """Return a workflow whose queued steps are as their tasks are, as far as ``tasks`` has them."""
    for step in workflow.steps:
        if step.state is WorkflowStepState.QUEUED and step.task_id is not None and step.task_id in tasks:
            workflow = with_step(workflow, _as_its_task(step, tasks[step.task_id]))
    return workflow


def without_hope(workflow: Workflow) -> Workflow:
    """Return a workflow whose steps are skipped that wait for what did not come."""
    for step in workflow.steps:  # each stands after what it needs, so one pass sees all
        if step.state is not WorkflowStepState.WAITING or step.on_failed_need is OnFailedNeed.RUN:
            continue
        states = {each.id: each.state for each in workflow.steps}
        lost = [need for need in step.needs if states[need].final and not _completed(states[need])]
        if lost:
            reason = f"the step {lost[0]} that it needs is {states[lost[0]]}"
            workflow = with_step(workflow, replace(step, state=WorkflowStepState.SKIPPED, reason=reason))
    return workflow


def ready(workflow: Workflow) -> tuple[WorkflowStep, ...]:
    """Return the steps that wait for nothing more."""
    states = {each.id: each.state for each in workflow.steps}
    waiting = (each for each in workflow.steps if each.state is WorkflowStepState.WAITING)
    return tuple(each for each in waiting if all(states[need].final for need in each.needs))


def queued(workflow: Workflow, steps: Iterable[WorkflowStep]) -> Workflow:
    """Return a workflow in which steps are about to get their tasks."""
    for step in steps:
        workflow = with_step(workflow, replace(step, state=WorkflowStepState.QUEUED, reason=""))
    return workflow


def about_to_begin(workflow: Workflow) -> tuple[WorkflowStep, ...]:
    """Return the steps that are to have tasks and may have none yet."""
    return tuple(
        each for each in workflow.steps if each.state is WorkflowStepState.QUEUED and each.task_id is None
    )


def ended(workflow: Workflow, now: datetime) -> Workflow:
    """Return a workflow with its end, when every step has come to its own."""
    if workflow.state is not WorkflowState.RUNNING or not all(each.state.final for each in workflow.steps):
        return workflow
    lost = [each for each in workflow.steps if not _completed(each.state)]
    if not lost:
        return replace(workflow, state=WorkflowState.COMPLETED, reason="", ended_at=now)
    if workflow.cancel_requested:
        reason = "cancelled by a person"
        return replace(workflow, state=WorkflowState.CANCELLED, reason=reason, ended_at=now)
    first = next((each for each in lost if each.state is not WorkflowStepState.SKIPPED), lost[0])
    reason = f"the step {first.id} is {first.state}" + (f": {first.reason}" if first.reason else "")
    return replace(workflow, state=WorkflowState.FAILED, reason=reason, ended_at=now)


def revived(workflow: Workflow, task_id: str) -> Workflow:
    """Return a workflow as it goes on when the task of a step that was lost is tried again.

    The step has its task once more, and what was skipped waits anew; what ran or was cancelled stays.
    Nothing changes when a person cancelled the workflow, or when no step was lost with this task.
    """
    lost = [each for each in workflow.steps if each.task_id == task_id and each.state in _LOST]
    if workflow.cancel_requested or not lost:
        return workflow
    workflow = with_step(workflow, replace(lost[0], state=WorkflowStepState.QUEUED, reason=""))
    for step in workflow.steps:
        if step.state is WorkflowStepState.SKIPPED:
            workflow = with_step(workflow, replace(step, state=WorkflowStepState.WAITING, reason=""))
    return without_hope(replace(workflow, state=WorkflowState.RUNNING, reason="", ended_at=None))


def _completed(state: WorkflowStepState) -> bool:
    return state is WorkflowStepState.COMPLETED


def _as_its_task(step: WorkflowStep, task: Task | None) -> WorkflowStep:
    if task is None:
        return replace(step, state=WorkflowStepState.FAILED, reason="its task is no longer there")
    if task.state not in _ENDS:
        return replace(step, reason=_REVIEW if task.state is TaskState.NEEDS_HUMAN_REVIEW else "")
    failure = task.failure["message"] if task.failure and task.state is TaskState.FAILED else ""
    reason = "" if task.state is TaskState.COMPLETED else failure or task.outcome_reason
    return replace(step, state=_ENDS[task.state], reason=reason)
