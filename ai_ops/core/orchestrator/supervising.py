"""Replaces workers: one that outgrew its memory or shows no life, and one that a person wants replaced.

The run is taken from the worker: its task goes back to the queue, or to a person when that happened too
often; what was at work is interrupted and its processes are killed. The steps that the run had committed are
kept, so it goes on as its kind of task does after any interruption.
"""

from __future__ import annotations

import logging

from ai_ops.core.failures import failed
from ai_ops.core.orchestrator.crew import Crew, Post
from ai_ops.core.orchestrator.duty_rounds import again_and_again
from ai_ops.core.orchestrator.failing import fail
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Engine, WorkerLosses
from ai_ops.core.supervision import NextRun, WorkerRules, judge, next_run, poisoned
from ai_ops.flow.task import Task, TaskState
from ai_ops.flow.worker import Loss, LossReason, RecordedLoss, WorkerStatus

log = logging.getLogger(__name__)


class Supervisor:
    """Looks at the crew and acts on what it sees.

    Args:
        tools: what the runs work with.
        engine: interrupts runs and begins them again.
        crew: the workers.
        losses: what happened to runs before.
        rules: what a worker may use.
        every_seconds: how often it looks.
    """

    def __init__(
        self,
        tools: Tools,
        engine: Engine,
        crew: Crew,
        losses: WorkerLosses,
        rules: WorkerRules,
        *,
        every_seconds: float = 30.0,
    ) -> None:
        self._tools = tools
        self._engine = engine
        self._crew = crew
        self._losses = losses
        self._rules = rules
        self._every_seconds = every_seconds

    @property
    def rules(self) -> WorkerRules:
        """What a worker may use."""
        return self._rules

    async def run(self) -> None:
        """Look until cancelled. A failure is told, and the next look is another try."""
        await again_and_again("workers", self._every_seconds, self.look)

    async def look(self) -> None:
        """Look at every worker once, and replace those that have to be."""
        for post in self._crew.posts():
            await self._crew.look(post)
            if post not in self._crew.posts():  # its run has ended meanwhile
                continue
            if loss := judge(self._crew.status(post.number), self._rules):
                await self._replace(post, loss)

    def statuses(self) -> list[WorkerStatus]:
        """Return the workers as they were last looked at."""
        return list(self._crew.statuses())

    async def recent_losses(self, number: int) -> list[RecordedLoss]:
        """Return a worker's newest losses, newest first."""
        return list(await self._losses.recent(number))

    async def restart(self, number: int) -> WorkerStatus:
        """Replace a worker because a person asks; the run goes on with another. An idle one stays as it is.

        Raises:
            PermanentError: ``worker_not_found``.
        """
        if not 1 <= number <= len(self._crew.statuses()):
            raise failed("worker_not_found", f"There is no worker {number}.")
        post = next((post for post in self._crew.posts() if post.number == number), None)
        if post is not None and not post.replacing:
            await self._replace(post, Loss(LossReason.ASKED, "a person asked"))
        return self._crew.status(number)

    async def _replace(self, post: Post, loss: Loss) -> None:
        log.warning("worker %d with task %s is replaced: %s", post.number, post.task.id, loss.detail)
        now = self._tools.clock.now()
        post.replacing = True  # before anything is waited for: nobody else replaces it
        try:
            losses = await self._losses.record(RecordedLoss(post.run, post.task.id, post.number, now, loss))
            self._crew.lose(post, loss)
            asked = loss.reason is LossReason.ASKED
            leave = not asked and next_run(losses, self._rules) is NextRun.ASK_A_PERSON
            try:
                if leave:
                    await self._leave(post.task, poisoned(losses, loss).as_dict())
                else:
                    await self._engine.restart(post.task, f"its worker was replaced: {loss.detail}")
            finally:
                post.children.kill()  # also those of a run that is deaf to its interruption
        except BaseException:
            post.replacing = False  # it still works, and is judged again
            raise

    async def _leave(self, task: Task, failure: dict[str, str]) -> None:
        await fail(self._tools, task, failure, to=TaskState.NEEDS_HUMAN_REVIEW)
        await self._engine.cancel(task)
