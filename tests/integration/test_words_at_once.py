"""Words of people that come at the same time, on a real engine and real tables: no run is left behind."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from ai_ops import process
from ai_ops.core.clock import SystemClock
from ai_ops.core.identity import run_id
from ai_ops.core.orchestrator.steering import Steering
from ai_ops.core.ports import NewTask
from ai_ops.core.redaction import Redactor
from ai_ops.engine.durable import DurableEngine
from ai_ops.engine.memory import MemoryEngine
from ai_ops.flow.run import Run
from ai_ops.flow.task import TaskKind, TaskState
from ai_ops.store.database import open_database
from ai_ops.store.pauses import PauseRepository
from ai_ops.store.tasks import TaskRepository
from ai_ops.trace.trace_store import TraceStore
from tests.integration.test_engine import alive, until
from tests.support.store import sqlite_url


class Tasks(TaskRepository):
    """Real tables; ``then`` is said when the next word is committed, and is committed before that acts."""

    then = None
    said = None

    async def act(self, task_id, rule):
        done = await super().act(task_id, rule)
        if self.then is not None:
            follows, self.then = self.then, None
            self.said = asyncio.create_task(follows)
            while (await self.find(task_id)).state is done[0].state:
                await asyncio.sleep(0)
        return done


class House:
    """A worker that runs a child in each run, and says who it is."""

    def __init__(self, kind, folder, database):
        clock = SystemClock()
        self.tasks, self.trace = Tasks(database, clock), TraceStore(database, clock, Redactor())
        self.pids, self.began = [], []
        if kind == "memory":
            self.engine = MemoryEngine(self.work, self.tasks, self.trace)
        else:
            url = f"sqlite:///{folder}/engine.db"
            self.engine = DurableEngine(
                url, folder, self.work, self.tasks, self.trace, reconcile_seconds=3600.0
            )
        pauses = PauseRepository(database, clock, "account")
        self.steering = Steering(self.tasks, self.engine, pauses, str)

    async def work(self, task_id, run_number, steps):
        task = await self.tasks.find(task_id)
        if task.state is not TaskState.PROCESSING:
            await self.tasks.move(task_id, TaskState.PROCESSING)
        run = run_id(task_id, run_number)
        await self.trace.run_started(Run(run, task_id, run_number, datetime.now(UTC)))

        async def child():
            self.began.append(run_number)
            await process.run(["sleep", "60"], env=process.clean_environment(), on_start=self.pids.append)
            return {}

        await steps.run("work", 1, child)

    async def begin(self):
        payload = {"prompt": "Look", "type": "lightweight"}
        task = (await self.tasks.create(NewTask(TaskKind.PROMPT, None, "normal", payload, None, None))).task
        await self.engine.enqueue(task)
        await until(lambda: len(self.pids) == 1)
        return task.id


@pytest.fixture(params=["memory", "durable"])
async def house(request, tmp_path):
    database = await open_database(sqlite_url(tmp_path))
    house = House(request.param, tmp_path, database)
    await house.engine.start()
    yield house
    await house.engine.stop()
    await database.close()


@pytest.mark.parametrize(
    ("word", "then", "runs"),
    [("cancel", "retry", [1, 2]), ("pause", "resume", [1, 1])],
    ids=["cancelled and retried", "paused and resumed"],
)
async def test_a_word_that_another_follows_at_once_still_ends_the_run_it_was_meant_for(
    house, word, then, runs
):
    task_id = await house.begin()
    house.tasks.then = house.steering.steer(task_id, then)
    await house.steering.steer(task_id, word)
    await house.tasks.said
    assert not alive(house.pids[0])
    await until(lambda: house.began == runs)
    await until(lambda: len(house.pids) == 2)
    task = await house.tasks.find(task_id)
    assert (task.state, task.run_number) == (TaskState.PROCESSING, runs[-1])
    assert alive(house.pids[1])
    if runs[-1] == 2:
        first = await house.trace.find_run(run_id(task_id, 1))
        assert first.ended_at is not None and first.outcome == "cancelled"


async def test_to_wake_a_task_that_works_already_does_not_interrupt_it(house):
    task_id = await house.begin()
    await house.tasks.move(task_id, TaskState.WAITING_UNBAN, waiting_for="model_overloaded")

    async def goes_on(task_id, rule):  # its wait is over just then
        done = await TaskRepository.act(house.tasks, task_id, rule)
        await house.tasks.move(task_id, TaskState.PROCESSING, waiting_for="")
        return done

    house.tasks.act = goes_on
    await house.steering.steer(task_id, "resume")
    assert alive(house.pids[0])
    await asyncio.sleep(0.2)
    assert house.began == [1]
