"""What a prompt task asks for, read from its payload once, and the run that does it."""

from __future__ import annotations

from dataclasses import dataclass

from ai_ops.core.identity import task_branch
from ai_ops.core.orchestrator.planning import type_of
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Steps
from ai_ops.core.task_commands import Powers, powers
from ai_ops.core.task_recovery import BY_TYPE, Recovery
from ai_ops.flow.repository import Base, Repository
from ai_ops.flow.task import Task, TaskType


@dataclass(frozen=True, slots=True)
class Errand:
    """One run of a prompt task."""

    tools: Tools
    steps: Steps
    task: Task
    run_id: str

    @property
    def kind(self) -> TaskType:
        """The task's type."""
        return type_of(self.task.payload)

    @property
    def powers(self) -> Powers:
        """What it may do."""
        return powers(self.kind, self.task.payload.get("allowed_tools"))

    @property
    def recovery(self) -> Recovery:
        """How it goes on when it was cut off."""
        return BY_TYPE[self.kind]

    @property
    def repository(self) -> Repository | None:
        """The repository it is about, if any."""
        task = self.task
        return Repository(task.repo_key, task.repo_url, task.code_host) if task.repo_url else None

    @property
    def folder(self) -> str:
        """The folder of the server that it works in; empty for none."""
        return str(self.task.payload.get("folder") or "")

    @property
    def proposes(self) -> bool:
        """Whether what it writes shall become a pull request."""
        return bool(self.task.payload.get("pull_request")) and self.repository is not None

    @property
    def branch(self) -> str:
        """The branch of its pull request: the same after every restart of this run."""
        return task_branch(self.task.id, self.task.run_number)

    @property
    def name(self) -> str:
        """The task's name, as its person gave it."""
        return str(self.task.payload.get("name") or "")


@dataclass(frozen=True, slots=True)
class Prepared:
    """An errand whose repository was looked at: ``base`` is None without one."""

    errand: Errand
    base: Base | None
