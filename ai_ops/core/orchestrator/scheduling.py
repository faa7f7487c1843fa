"""Makes the tasks of schedules at their times, once for each time, whatever dies in between.

A task is made under a key that names the schedule and the time, so that making it again finds it; only then
is the time put on record and the next one worked out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from ai_ops.core.orchestrator.duty_rounds import again_and_again
from ai_ops.core.ports import Clock, Engine, NewTask, Schedules, Tasks
from ai_ops.core.schedules import parse, plan
from ai_ops.core.verbs import Change, decide
from ai_ops.core.wording import counted
from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.repository import Repository
from ai_ops.flow.schedule import Overlap, Schedule, Tick, TickOutcome
from ai_ops.flow.task import Priority, Task, TaskKind, TaskState

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0


class Scheduling:
    """Looks for what is due.

    Args:
        schedules: which there are.
        tasks: where their tasks are made.
        engine: is given each.
        clock: the time.
        repository: returns the repository that an address means, or raises why it may not be worked on.
    """

    def __init__(
        self,
        schedules: Schedules,
        tasks: Tasks,
        engine: Engine,
        clock: Clock,
        repository: Callable[[str, str], Repository],
    ) -> None:
        self._schedules = schedules
        self._tasks = tasks
        self._engine = engine
        self._clock = clock
        self._repository = repository

    async def run(self) -> None:
        """Look until cancelled."""
        await again_and_again("schedules", _LOOK_SECONDS, self.look)

    async def look(self) -> None:
        """See to everything that is due now."""
        for schedule in await self._schedules.due(self._clock.now()):
            await self._see_to(schedule)

    async def run_now(self, schedule: Schedule, key: str) -> Tick:
        """Make a schedule's task because a person asked; its times are as before.

        ``key`` names the wish: asked again under it, the same task is answered.

        Raises:
            AiOpsError: as ``Tasks.create``, and why the repository may not be worked on.
        """
        now = self._clock.now()
        task = await self._make(schedule, now, f"schedule:{schedule.id}:{key}")
        tick = Tick(schedule.id, now, now, TickOutcome.CREATED, "a person asked", task.id, by_hand=True)
        await self._schedules.record(schedule, [tick])
        return tick

    async def _see_to(self, schedule: Schedule) -> None:
        now = self._clock.now()
        try:
            cron = parse(schedule.cron, schedule.timezone)
        except PermanentError as failure:  # its time zone went with an update of the system
            log.warning("schedule %s is disabled: %s", schedule.id, failure)
            await self._schedules.update(schedule.id, enabled=False, next_at=None, last_reason=str(failure))
            return
        wanted = plan(cron, schedule.next_at or now, now, schedule.missed)
        ticks = [
            Tick(schedule.id, due_at, now, TickOutcome.MISSED, "the server did not run")
            for due_at in wanted.missed
        ]
        covered, last = wanted.covered, schedule.last_task_id
        for due_at in wanted.run:
            tick = await self._tick(schedule, due_at, now, last, covered)
            covered, last = 0, tick.task_id or last
            ticks.append(tick)
        await self._schedules.record(schedule, ticks, next_at=wanted.next_at)

    async def _tick(
        self, schedule: Schedule, due_at: datetime, now: datetime, last: str | None, covered: int
    ) -> Tick:
        """Make the task of one time, or say why not."""

        def tick(outcome: TickOutcome, reason: str, task_id: str | None = None) -> Tick:
            return Tick(schedule.id, due_at, now, outcome, reason, task_id, covered)

        key = f"schedule:{schedule.id}:{due_at.isoformat()}"
        try:
            before = await self._before(schedule, last, key)
            if before is not None:
                return tick(TickOutcome.OVERLAPPED, f"the task of the time before is {before.state}")
            task = await self._make(schedule, due_at, key)
        except AiOpsError as refused:
            if not isinstance(refused, PermanentError) and refused.code != "queue_full":
                raise
            log.warning("schedule %s: no task for %s: %s", schedule.id, due_at.isoformat(), refused)
            return tick(TickOutcome.REFUSED, str(refused))
        reason = f"stands for {counted(covered + 1, 'time')} that passed without a server" if covered else ""
        return tick(TickOutcome.CREATED, reason, task.id)

    async def _before(self, schedule: Schedule, last: str | None, key: str) -> Task | None:
        """Return the task of the time before if it forbids another one now; cancel it where it may be."""
        task = await self._tasks.find(last) if last else None
        if task is None or task.state.final or task.state is TaskState.NEEDS_HUMAN_REVIEW:
            return None
        if task.payload.get("schedule_key") == key or schedule.overlap is Overlap.QUEUE:
            return None  # made for this very time before a crash; or both may be
        if schedule.overlap is Overlap.SKIP:
            return task
        stopped, change = await self._tasks.act(task.id, _replaced)
        if change.to is not None:
            await self._engine.cancel(stopped)
        return None

    async def _make(self, schedule: Schedule, due_at: datetime, key: str) -> Task:
        wanted = schedule.task
        repository = (
            self._repository(wanted["repo_url"], wanted.get("code_host", ""))
            if wanted.get("repo_url")
            else None
        )
        payload: dict[str, Any] = {
            **wanted["payload"],
            "schedule_id": schedule.id,
            "schedule_key": key,
            "due_at": due_at.isoformat(),
        }
        priority = Priority(wanted.get("priority", Priority.NORMAL))
        created = await self._tasks.create(NewTask(TaskKind.PROMPT, repository, priority, payload, None, key))
        if created.task.state is TaskState.PENDING:
            await self._engine.enqueue(created.task)
        return created.task


def _replaced(task: Task) -> Change:
    """Cancel a task whose schedule's next time came, if it has not ended meanwhile."""
    if task.state.final or task.state is TaskState.NEEDS_HUMAN_REVIEW:
        return Change(None)
    change = decide("cancel", task)
    return replace(change, changes={**change.changes, "outcome_reason": "its schedule's next time came"})
