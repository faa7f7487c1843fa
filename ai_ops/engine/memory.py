"""The engine's honest twin: the same order, turns and steps on plain asyncio tasks.

It forgets its queue with the process. The tables do not, so starting it again begins what was
unfinished, and the committed steps of a run are still not done twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ai_ops.core.identity import run_id
from ai_ops.core.ports import Fail, Outcome, Tasks, Trace, Worker
from ai_ops.engine.duty import Duty
from ai_ops.engine.line import Line, rank, workflow_id
from ai_ops.engine.recorded import recorded
from ai_ops.engine.slots import Seat, Slots
from ai_ops.flow.task import Task, TaskState


class MemorySteps:
    """Steps whose outcomes are in the trace; a wait lasts as long as the process.

    Args:
        seat: the place that is given up during a wait, under an engine.
    """

    def __init__(self, trace: Trace, run_id: str, seat: Seat | None = None) -> None:
        self._trace = trace
        self._run_id = run_id
        self._seat = seat

    async def run(self, name: str, round: int, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Do ``work`` once for (run, name, round) and return its outcome; entered again, return that."""
        return await recorded(self._trace, self._run_id, name, round, work)

    async def wait(self, seconds: float) -> None:
        """Wait; other runs may take the place meanwhile."""
        if self._seat is None:
            await asyncio.sleep(seconds)
            return
        async with self._seat.away():
            await asyncio.sleep(seconds)


class MemoryEngine:
    """Implements ``core.ports.Engine`` in this process."""

    def __init__(
        self,
        worker: Worker,
        tasks: Tasks,
        trace: Trace,
        max_concurrent: int = 2,
        failing: Fail | None = None,
    ) -> None:
        self._duty = Duty(tasks, trace, worker, failing)
        self._line = Line(self._begin)
        self._slots = Slots(max_concurrent, self._line)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._seated: set[str] = set()  # begun, and not yet come to their place
        self._held = False

    async def start(self) -> None:
        """Begin what the tables say is unfinished; as it was held, so it stays."""
        self._slots.hold(self._held)
        for task in await self._duty.tasks.unfinished():
            if task.state is TaskState.PROCESSING:
                await self._duty.move(task, TaskState.PENDING)
            await self.enqueue(task)

    async def stop(self) -> None:
        """Interrupt what runs; the tables keep saying that it is unfinished."""
        self._slots.hold(True)
        running = list(self._running.values())
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def enqueue(self, task: Task) -> None:
        """Queue the task's present run; harmless when it is queued, or over."""
        name = workflow_id(task)
        wanted = await self._duty.wanted(task.id, task.run_number)
        if wanted and name not in self._running:
            self._line.add(wanted)
            self._slots.hand_out()

    async def cancel(self, task: Task) -> None:
        """Interrupt the task's present run, and return when it has stopped."""
        name = workflow_id(task)
        self._line.drop(name)
        if one := self._running.get(name):
            one.cancel()
            await asyncio.wait({one})
        await self._duty.close(task)

    async def restart(self, task: Task, reason: str) -> None:
        """Interrupt the task's present run, and queue it again if the task still wants it."""
        if one := self._running.get(workflow_id(task)):
            one.cancel()
            await asyncio.wait({one})
        if await self._duty.reopened(task, outcome_reason=reason):
            await self.enqueue(task)

    def hold(self, held: bool) -> None:
        """Begin nothing while held; what works goes on to its end."""
        self._held = held
        self._slots.hold(held)

    async def queue_depth(self) -> int:
        """Return how many runs wait for their turn or a place."""
        return self._slots.waiting

    def _begin(self, task: Task) -> None:
        """Begin a run whose turn has come; the line calls it, with a place taken."""
        name = workflow_id(task)
        self._seated.add(name)
        one = asyncio.create_task(self._work(name, task), name=name)
        self._running[name] = one
        one.add_done_callback(lambda _: self._left(name))

    def _left(self, name: str) -> None:
        del self._running[name]
        self._line.leave(name)
        if name in self._seated:  # it was interrupted before it sat down
            self._seated.discard(name)
            self._slots.give()
        self._slots.hand_out()

    async def _work(self, name: str, task: Task) -> None:
        self._seated.discard(name)
        async with Seat(self._slots, rank(task), taken=True) as seat:
            wanted = await self._duty.wanted(task.id, task.run_number)
            if wanted is not None:
                steps = MemorySteps(self._duty.trace, run_id(task.id, task.run_number), seat)
                await self._duty.work(wanted, steps)
