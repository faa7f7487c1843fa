"""Where a repair stands: the ports, the task and its issue, the repository at its base commit."""

from __future__ import annotations

from dataclasses import dataclass

from ai_ops.core.orchestrator.project import Project
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Steps
from ai_ops.flow.event import ErrorDetail
from ai_ops.flow.fixing import FixMode
from ai_ops.flow.issue import Issue
from ai_ops.flow.repository import Base, Repository
from ai_ops.flow.run import Usage
from ai_ops.flow.task import Task


@dataclass(frozen=True, slots=True)
class Scene:
    """What every stage of one repair needs. ``project`` is None when only publishing."""

    tools: Tools
    steps: Steps
    task: Task
    issue: Issue
    run_id: str
    project: Project | None

    @property
    def known(self) -> Project:
        """The repository at its base; only asked for where there is one."""
        if self.project is None:
            raise RuntimeError("this run has no project")
        return self.project

    @property
    def repository(self) -> Repository:
        """The repository."""
        return self.known.repository

    @property
    def base(self) -> Base:
        """The base commit."""
        return self.known.base

    @property
    def error(self) -> ErrorDetail:
        """The newest error of the issue."""
        return self.issue.sample.error

    @property
    def mode(self) -> FixMode:
        """How fixes are made: the task's word, then the repository's, then the server's."""
        asked = self.task.payload.get("fix_mode")
        if asked:
            return FixMode(asked)
        return self.known.settings.mode or self.tools.policy.fix_mode

    @property
    def own_limit(self) -> float | None:
        """The task's or the repository's own budget in US dollars, which only narrows."""
        limits = [self.task.payload.get("budget_usd"), self.known.settings.budget_usd]
        given = [float(limit) for limit in limits if limit]
        return min(given) if given else None

    async def spent(self) -> Usage:
        """Return what the run has used so far."""
        run = await self.tools.trace.find_run(self.run_id)
        return run.usage if run else Usage()
