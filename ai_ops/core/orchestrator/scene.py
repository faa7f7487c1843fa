"""Where a repair stands: the ports, the task and its issue, the repository at its base commit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ai_ops.core.orchestrator.project import Project
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Steps
from ai_ops.core.suspects import lines_of
from ai_ops.flow.event import ErrorDetail
from ai_ops.flow.fixing import FixMode
from ai_ops.flow.issue import Issue
from ai_ops.flow.repository import Repository
from ai_ops.flow.suspects import Suspects
from ai_ops.flow.task import Task


class Doing(Protocol):
    """One run of any task about a repository."""

    @property
    def tools(self) -> Tools:
        """The ports."""
        ...

    @property
    def steps(self) -> Steps:
        """Its steps."""
        ...

    @property
    def run_id(self) -> str:
        """Its id."""
        ...

    @property
    def repository(self) -> Repository:
        """The repository."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a repair task. The issue's sample is redacted with what this server knows."""

    tools: Tools
    steps: Steps
    task: Task
    issue: Issue
    run_id: str

    @property
    def repository(self) -> Repository:
        """The repository."""
        return Repository(self.task.repo_key, self.task.repo_url, self.task.code_host)

    @property
    def error(self) -> ErrorDetail:
        """The newest error of the issue."""
        return self.issue.sample.error


@dataclass(frozen=True, slots=True)
class Scene(Job):
    """A job whose repository is checked out: what every stage up to the verdict needs."""

    project: Project
    suspects: Suspects = field(default_factory=Suspects)

    @property
    def mode(self) -> FixMode:
        """How fixes are made: the task's word, then the repository's, then the server's."""
        asked = self.task.payload.get("fix_mode")
        if asked:
            return FixMode(asked)
        return self.project.settings.mode or self.tools.policy.fix_mode

    @property
    def where(self) -> str:
        """The innermost line of the trace in the repository, ``path:line``; empty when no file is like it."""
        lines = lines_of(self.error.frames, self.project.files)
        return f"{lines[0][0]}:{lines[0][1]}" if lines else ""

    @property
    def own_limit(self) -> float | None:
        """The task's or the repository's own budget in US dollars, which only narrows."""
        limits = [self.task.payload.get("budget_usd"), self.project.settings.budget_usd]
        given = [float(limit) for limit in limits if limit]
        return min(given) if given else None
