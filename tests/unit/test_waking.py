"""Tasks that wait for what is over are woken; those that have to wait, or are about to go on, are not."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import pytest

from ai_ops.core.budgets import BUDGET_CODES
from ai_ops.core.orchestrator import waking as module
from ai_ops.core.orchestrator.waking import Waking
from ai_ops.core.pausing import LIMIT_CODES
from ai_ops.errors import TemporaryError
from ai_ops.flow.task import TaskState
from ai_ops.store.memory import MemoryPauses
from tests.support.memory_ports import MemoryTasks, a_task
from tests.support.store import START, FixedClock


class Queue:
    """An engine that remembers."""

    def __init__(self):
        self.done = []

    async def cancel(self, task):
        self.done.append(("cancel", task.id))

    async def enqueue(self, task):
        self.done.append(("enqueue", task.id))


WOKEN = [("cancel", "t1"), ("enqueue", "t1")]


def waits(code="model_session_limit", seconds=3600, state=TaskState.WAITING_UNBAN):
    return a_task(state=state, waiting_for=code, waiting_until=START + timedelta(seconds=seconds))


def waking(*tasks):
    clock, queue = FixedClock(), Queue()
    pauses = MemoryPauses(clock)
    return Waking(MemoryTasks(*tasks), pauses, queue, clock), pauses, queue


async def test_a_task_whose_limit_is_over_goes_on_before_its_time():
    it, _, queue = waking(waits())
    await it.wake(LIMIT_CODES)
    assert queue.done == WOKEN


@pytest.mark.parametrize(
    "task",
    [
        waits(seconds=20),
        waits(code="daily_budget_spent"),
        waits(state=TaskState.RETRYING),
        waits(state=TaskState.PROCESSING),
        a_task(state=TaskState.WAITING_UNBAN),
    ],
    ids=[
        "goes on soon",
        "waits for money",
        "waits for a failure to pass",
        "works again",
        "from an older release",
    ],
)
async def test_other_tasks_are_left_alone(task):
    it, _, queue = waking(task)
    await it.wake(LIMIT_CODES)
    assert queue.done == []


async def test_nobody_is_woken_while_the_queue_is_paused():
    it, pauses, queue = waking(waits())
    await pauses.meet("r1", TemporaryError("model_session_limit", "limited", delay=60.0))
    await it.wake(LIMIT_CODES)
    assert queue.done == []


async def test_a_start_wakes_who_waits_for_money_once_and_a_failure_ends_nothing(monkeypatch):
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0)
    it, _, queue = waking(waits(code="daily_budget_spent"))
    unfinished, looked = it._tasks.unfinished, 0

    async def counted():
        nonlocal looked
        looked += 1
        if looked == 1:
            raise TemporaryError("storage_unavailable", "away")
        return await unfinished()

    it._tasks.unfinished = counted
    running = asyncio.create_task(it.run())
    while looked < 5:
        await asyncio.sleep(0)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert queue.done == WOKEN
    assert "daily_budget_spent" in BUDGET_CODES
