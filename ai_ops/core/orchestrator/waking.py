"""Wakes tasks that wait longer than they have to: what they waited for is over, and they could not know."""

from __future__ import annotations

import logging
from collections.abc import Set
from datetime import timedelta

from ai_ops.core.budgets import BUDGET_CODES
from ai_ops.core.orchestrator.duty_rounds import again_and_again
from ai_ops.core.pausing import LIMIT_CODES
from ai_ops.core.ports import Clock, Engine, Pauses, Tasks
from ai_ops.flow.task import TaskState

log = logging.getLogger(__name__)

_LOOK_SECONDS = 30.0
_SOON = timedelta(seconds=60)


class Waking:
    """Looks from time to time.

    A limit may end early, or belong to a credential that is no longer used; budgets are raised only by a
    start of the server.
    """

    def __init__(self, tasks: Tasks, pauses: Pauses, engine: Engine, clock: Clock) -> None:
        self._tasks = tasks
        self._pauses = pauses
        self._engine = engine
        self._clock = clock

    async def run(self) -> None:
        """Look until cancelled."""
        codes: Set[str] = LIMIT_CODES | BUDGET_CODES

        async def look() -> None:
            nonlocal codes
            await self.wake(codes)
            codes = LIMIT_CODES

        await again_and_again("tasks that wait are not looked at", _LOOK_SECONDS, look)

    async def wake(self, codes: Set[str]) -> None:
        """Let the tasks go on that wait for one of ``codes`` although nothing pauses the queue.

        Those whose time comes soon are left alone.
        """
        if await self._pauses.current() is not None:
            codes = codes - LIMIT_CODES
        late = self._clock.now() + _SOON
        for task in await self._tasks.unfinished():
            waits = task.state is TaskState.WAITING_UNBAN and task.waiting_for in codes
            if waits and task.waiting_until is not None and task.waiting_until > late:
                now = await self._tasks.find(task.id)  # the others before it took their time
                if now is None or now.state is not TaskState.WAITING_UNBAN:
                    continue
                log.info("task %s goes on: it no longer has to wait (%s)", task.id, task.waiting_for)
                await self._engine.cancel(task)
                await self._engine.enqueue(task)
