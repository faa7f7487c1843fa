"""What a person's word does to a task: the decision is committed first, then the run obeys it.

Words may come at the same time, each with its commit before its effect. So what the run is made to do
follows from the task as it is by then, one word at a time: the last commit has the last effect.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from weakref import WeakValueDictionary

from ai_ops.core.pausing import LIMIT_CODES
from ai_ops.core.ports import Engine, Pauses, Tasks
from ai_ops.core.telling import queued
from ai_ops.core.verbs import Change, decide
from ai_ops.flow.task import UNFINISHED, Task, TaskState

log = logging.getLogger(__name__)

_AT_WORK = UNFINISHED - {TaskState.PAUSED}


class Steering:
    """Does the verbs.

    Args:
        tasks: where decisions are committed.
        engine: has the runs.
        pauses: the pause of the queue, which a person may end.
        redact: masks what is told.
    """

    def __init__(self, tasks: Tasks, engine: Engine, pauses: Pauses, redact: Callable[[str], str]) -> None:
        self._tasks = tasks
        self._engine = engine
        self._pauses = pauses
        self._redact = redact
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def steer(self, task_id: str, verb: str) -> Task:
        """Do a verb of ``core.verbs`` and return the task; its child is dead when it should be.

        Raises:
            PermanentError: ``task_not_found``, ``illegal_transition``.
        """
        task, change = await self._tasks.act(task_id, partial(decide, verb))
        if change.to is not None:
            said = queued(task, self._redact) if change.to is TaskState.PENDING else f"task {task_id}: {verb}"
            log.info("%s", said)
        if change.wake and task.waiting_for in LIMIT_CODES:
            await self._pauses.lift()
        return await self._obey(task, change)

    async def resume_queue(self) -> int:
        """End the pause of the queue: one of the tasks that wait for it looks whether the limit is over.

        The others follow when it is. Returns how many wait.
        """
        await self._pauses.lift()
        waiting = [
            task
            for task in await self._tasks.unfinished()
            if task.state is TaskState.WAITING_UNBAN and task.waiting_for in LIMIT_CODES
        ]
        if waiting:
            await self._obey(waiting[0], Change(None, wake=True))
        return len(waiting)

    async def _obey(self, task: Task, change: Change) -> Task:
        """Make the runs do as the task now says; ``task`` is as ``change`` left it."""
        lock = self._turns.setdefault(task.id, asyncio.Lock())
        async with lock:
            now = await self._tasks.find(task.id) or task
            if (met := task.run_number - ("run_number" in change.changes)) != now.run_number:
                await self._engine.cancel(replace(task, run_number=met))
            elif _ends_its_run(now, change):
                await self._engine.cancel(now)
            if now.state in _AT_WORK:
                await self._engine.enqueue(now)
        return await self._tasks.find(task.id) or now


def _ends_its_run(now: Task, change: Change) -> bool:
    """Whether a task's present run must not go on as it is, if it is at work at all."""
    if now.state not in _AT_WORK:
        return True
    if now.state is TaskState.PENDING:  # a pause came before, whose run may still be at work
        return change.to is not None
    return change.wake and now.state in (TaskState.WAITING_UNBAN, TaskState.RETRYING)
