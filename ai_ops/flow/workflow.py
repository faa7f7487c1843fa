"""Workflow: prompt tasks that wait for one another, as a file asks for them and as one run of it stands.

A template is the same for a single task: a file with parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class ParameterType(StrEnum):
    """What a parameter's value is."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a file is asked for with. ``default`` is None where a value is needed or may be left out.

    ``choices`` are the values that there are; empty: any of the type.
    """

    name: str
    type: ParameterType = ParameterType.TEXT
    description: str = ""
    required: bool = True
    default: Any = None
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """A file that makes one prompt task. ``task`` are its fields, texts as words with places for values."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    task: Mapping[str, Any]


class OnFailedNeed(StrEnum):
    """What becomes of a step when one that it needs was not completed: ``skip`` it, or ``run`` it."""

    SKIP = "skip"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step as its file says: fields of a task, or the name of a template and what it is given.

    ``line`` is where it stands in the file, from 1.
    """

    id: str
    line: int
    task: Mapping[str, Any]
    template: str = ""
    given: Mapping[str, Any] | None = None
    needs: tuple[str, ...] = ()
    on_failed_need: OnFailedNeed = OnFailedNeed.SKIP


@dataclass(frozen=True, slots=True)
class WorkflowPlan:
    """A workflow's file. The steps stand so that each comes after what it needs."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    steps: tuple[PlannedStep, ...]


class WorkflowStepState(StrEnum):
    """Where a step stands. ``queued`` covers all of its task's life up to its end."""

    WAITING = "waiting"
    QUEUED = "queued"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing more becomes of it."""
        return self not in (WorkflowStepState.WAITING, WorkflowStepState.QUEUED)


class WorkflowState(StrEnum):
    """Where a workflow stands: ``failed`` when any step was not completed."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class WorkflowStep:
    """A step of a workflow that runs.

    ``task`` is what its task is made of: ``{"payload", "priority", "repo_url", "code_host"}``, checked and
    without secrets. ``answers`` names the steps whose answers go into its prompt, as data. A queued step
    without a ``task_id`` is about to get its task.
    """

    id: str
    task: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    on_failed_need: OnFailedNeed = OnFailedNeed.SKIP
    answers: tuple[str, ...] = ()
    state: WorkflowStepState = WorkflowStepState.WAITING
    task_id: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Workflow:
    """One run of a workflow's file: its steps, each after what it needs.

    ``version`` counts its changes: a change is kept only on top of the one it was made from.
    """

    id: str
    name: str
    steps: tuple[WorkflowStep, ...]
    created_at: datetime
    updated_at: datetime
    state: WorkflowState = WorkflowState.RUNNING
    reason: str = ""
    cancel_requested: bool = False
    ended_at: datetime | None = None
    version: int = 0
