"""Upkeep: what waited is handed to the engine, and a failure of one turn ends no duty."""

import asyncio
import contextlib

from ai_ops.core.orchestrator import upkeep as module
from ai_ops.core.orchestrator.upkeep import Upkeep
from ai_ops.errors import TemporaryError
from tests.support.memory_ports import a_task


class Waiting:
    """Issues of which some waited."""

    def __init__(self, *turns):
        self.turns = list(turns)

    async def release_waiting(self):
        turn = self.turns.pop(0) if self.turns else []
        if isinstance(turn, Exception):
            raise turn
        return turn


class Queue:
    """An engine that remembers."""

    def __init__(self):
        self.tasks = []

    async def enqueue(self, task):
        self.tasks.append(task)


class Sweeper:
    """A retention whose first turn fails."""

    def __init__(self):
        self.turns = 0

    async def sweep(self):
        self.turns += 1
        if self.turns == 1:
            raise TemporaryError("storage_unavailable", "away")


async def test_what_waited_is_queued_and_told(caplog):
    queue = Queue()
    caplog.set_level("INFO", "ai_ops")
    await Upkeep(Waiting([a_task("a"), a_task("b")]), queue, Sweeper(), str).release()
    assert [task.id for task in queue.tasks] == ["a", "b"]
    assert [message.partition(":")[0] for message in caplog.messages] == ["task a queued", "task b queued"]


async def test_further_begins_and_duties_have_their_turn_whatever_another_one_does(monkeypatch):
    monkeypatch.setattr(module, "_RELEASE_SECONDS", 0)
    queue, cleared = Queue(), asyncio.Event()

    async def fails():
        raise TemporaryError("storage_unavailable", "away")

    async def begins():
        return [] if queue.tasks else [a_task("c")]

    async def clears():
        cleared.set()

    upkeep = Upkeep(Waiting(), queue, Sweeper(), str, begins=(fails, begins), duties=(fails, clears))
    running = asyncio.create_task(upkeep.run())
    async with asyncio.timeout(10):
        await cleared.wait()
        while not queue.tasks:
            await asyncio.sleep(0)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert [task.id for task in queue.tasks] == ["c"]


async def test_a_failure_is_tried_again_at_the_next_turn(monkeypatch):
    monkeypatch.setattr(module, "_RELEASE_SECONDS", 0)
    monkeypatch.setattr(module, "_SWEEP_SECONDS", 0)
    queue, sweeper = Queue(), Sweeper()
    away = TemporaryError("storage_unavailable", "away")
    running = asyncio.create_task(Upkeep(Waiting(away, [a_task("a")]), queue, sweeper, str).run())
    async with asyncio.timeout(10):
        while not queue.tasks or sweeper.turns < 2:
            await asyncio.sleep(0)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert [task.id for task in queue.tasks] == ["a"]


async def test_a_turn_that_breaks_in_a_way_nobody_foresaw_ends_no_duty(monkeypatch, caplog):
    monkeypatch.setattr(module, "_RELEASE_SECONDS", 0)
    issues, broken = Waiting([], [], [a_task("a")]), asyncio.Event()

    class Broken:
        async def sweep(self):
            broken.set()
            raise PermissionError("a folder of somebody else")

    queue = Queue()
    running = asyncio.create_task(Upkeep(issues, queue, Broken(), str).run())
    async with asyncio.timeout(10):
        await broken.wait()
        while not queue.tasks:
            await asyncio.sleep(0)
    assert not running.done() and "upkeep: a turn broke" in caplog.text
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
