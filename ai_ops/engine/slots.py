"""Whose turn it is: a number of places, given by priority and then by time of asking.

The durable queue keeps one task per repository at work; it cannot compare priorities across
repositories, and a task that waits for a reset should not keep others from working. So the places
themselves are counted here, in the process that runs the work.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ai_ops.flow.task import Priority, Task, TaskKind, TaskType

_RANKS = {Priority.URGENT: 1, Priority.HIGH: 2, Priority.NORMAL: 3, Priority.LOW: 4}


def rank(task: Task) -> int:
    """Return a task's place in the order of work: 1 is served first."""
    return _RANKS[task.priority]


def workflow_id(task: Task) -> str:
    """Return the engine's name of a task's present run. Enqueued twice, it is one piece of work."""
    return f"{task.kind.value}:{task.id}:{task.run_number}"


def task_id_of(workflow: str) -> tuple[str, int]:
    """Return the task id and the run number that ``workflow_id`` was made from."""
    name, _, number = workflow.partition(":")[2].rpartition(":")
    return name, int(number)


def turn(task: Task) -> str:
    """Return what the task takes its turn on: its repository, or only itself when it writes nothing there."""
    reads_only = task.kind is TaskKind.PROMPT and task.payload.get("type") == TaskType.LIGHTWEIGHT.value
    return f"task:{task.id}" if reads_only or not task.repo_key else f"repo:{task.repo_key}"


class Slots:
    """``capacity`` places to work at."""

    def __init__(self, capacity: int) -> None:
        self._free = capacity
        self._asking: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    @property
    def waiting(self) -> int:
        """How many ask for a place and have none."""
        return sum(not place.done() for _, _, place in self._asking)

    async def take(self, rank: int) -> None:
        """Wait for a place and take it; a smaller rank is served first."""
        place = asyncio.get_running_loop().create_future()
        heapq.heappush(self._asking, (rank, next(self._order), place))
        self._hand_out()
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it was ours already
                self.give()
            raise

    def give(self) -> None:
        """Give a place back."""
        self._free += 1
        self._hand_out()

    def _hand_out(self) -> None:
        while self._free and self._asking:
            place = heapq.heappop(self._asking)[2]
            if not place.done():
                self._free -= 1
                place.set_result(None)


class Seat:
    """One run's place: held while it works, given up while it waits."""

    def __init__(self, slots: Slots, rank: int) -> None:
        self._slots = slots
        self._rank = rank
        self._held = False

    async def __aenter__(self) -> Seat:
        await self._take()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._give()

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Give the place up for a while, and wait for one again afterwards."""
        self._give()
        yield
        await self._take()

    async def _take(self) -> None:
        await self._slots.take(self._rank)
        self._held = True

    def _give(self) -> None:
        if self._held:
            self._held = False
            self._slots.give()
