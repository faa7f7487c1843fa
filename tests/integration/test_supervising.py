"""Workers that outgrow their memory or show no life are replaced, with real processes and tables."""

import asyncio
import os
import sys

import pytest

from ai_ops import process
from ai_ops.core.clock import SystemClock
from ai_ops.core.orchestrator.crew import Crew, WatchedWorker
from ai_ops.core.orchestrator.supervising import Supervisor
from ai_ops.core.supervision import WorkerRules
from ai_ops.core.tally import Tally
from ai_ops.engine.durable import DurableEngine
from ai_ops.engine.memory import MemoryEngine
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.task import TaskState
from ai_ops.flow.worker import WorkerState
from ai_ops.store.database import open_database
from ai_ops.store.worker_losses import WorkerLossRepository
from ai_ops.workspace.process_trees import ProcessNursery
from tests.support.memory_ports import MemoryTasks, MemoryTrace, a_task
from tests.support.store import sqlite_url

GREEDY = "import time; kept = bytearray(90_000_000); print('full', flush=True); time.sleep(600)"
SILENT = "import time; print('begun', flush=True); time.sleep(600)"
GRANDCHILD = (
    "import subprocess, sys, time; "
    "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid, flush=True); "
    "time.sleep(600)"
)


async def until(true):
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Told:
    """What failing needs of the tools, with nobody to be told."""

    def __init__(self, tasks):
        self.tasks = tasks
        self.clock = SystemClock()
        self.redact = str
        self.policy = type("Policy", (), {"recipients": ()})()


class House:
    """An engine whose worker runs ``program`` in its first ``bad`` tries, and a crew with one worker."""

    def __init__(self, kind, folder, database, rules, size):
        self.tasks, self.trace, self.tally = MemoryTasks(), MemoryTrace(), Tally()
        self.crew = Crew(size, SystemClock(), ProcessNursery(), self.tally)
        self.program, self.bad, self.tries, self.pids, self.said = SILENT, 1, 0, [], []
        worker = WatchedWorker(self.work, self.tasks, self.crew)
        if kind == "memory":
            self.engine = MemoryEngine(worker, self.tasks, self.trace, size)
        else:
            self.engine = DurableEngine(
                f"sqlite:///{folder}/engine.db",
                folder,
                worker,
                self.tasks,
                self.trace,
                max_concurrent=size,
            )
        losses = WorkerLossRepository(database)
        self.supervisor = Supervisor(Told(self.tasks), self.engine, self.crew, losses, rules)

    async def work(self, task_id, run_number, steps):
        self.tries += 1
        await self.tasks.move(task_id, TaskState.PROCESSING)

        async def first():
            return {"try": self.tries}

        async def second():
            if self.tries <= self.bad:
                await process.run(
                    [sys.executable, "-c", self.program],
                    env=process.clean_environment(),
                    on_start=self.pids.append,
                    on_output=self.said.append,
                )
            return {}

        kept = await steps.run("first", 1, first)
        assert kept == {"try": 1}, "a committed step is not done again"
        await steps.run("second", 1, second)
        await self.tasks.move(task_id, TaskState.COMPLETED)

    async def begin(self):
        task = self.tasks.add(a_task())
        await self.engine.enqueue(task)
        await until(lambda: self.said)
        return task.id

    def state(self, task_id):
        return self.tasks.rows[task_id].state


@pytest.fixture(params=["memory", "durable"])
async def house_of(request, tmp_path):
    made = []
    database = await open_database(sqlite_url(tmp_path))

    async def make(memory_mb=500, silent_seconds=3600.0, most_losses=3, size=1):
        rules = WorkerRules(memory_mb * 2**20, silent_seconds, most_losses)
        house = House(request.param, tmp_path, database, rules, size)
        await house.engine.start()
        made.append(house)
        return house

    yield make
    for house in made:
        await house.engine.stop()
    await database.close()


async def test_a_worker_that_outgrows_its_memory_is_replaced_and_its_run_goes_on(house_of):
    house = await house_of(memory_mb=60)
    house.program = GREEDY
    task = await house.begin()
    await until(lambda: house.supervisor.statuses()[0].step == "second")
    await house.supervisor.look()
    assert not alive(house.pids[0])
    await until(lambda: house.state(task) is TaskState.COMPLETED)
    assert house.tries == 2
    [worker] = house.supervisor.statuses()
    assert (worker.state, worker.replaced, worker.last_loss.reason) == (WorkerState.IDLE, 1, "memory")
    [kept] = await house.supervisor.recent_losses(1)
    assert kept.task_id == task and "60 MB" in kept.loss.detail
    assert house.tally.losses == {("memory",): 1}


async def test_a_worker_within_its_memory_is_left_alone(house_of):
    house = await house_of(memory_mb=500)
    house.program = GREEDY
    await house.begin()
    await house.supervisor.look()
    [worker] = house.supervisor.statuses()
    assert worker.memory_bytes > 80_000_000 and worker.processes >= 1
    assert (worker.state, worker.step, worker.replaced) == (WorkerState.WORKING, "second", 0)
    assert alive(house.pids[0])


async def test_a_worker_without_a_sign_of_life_is_replaced(house_of):
    house = await house_of(silent_seconds=0.3)
    task = await house.begin()
    await house.supervisor.look()  # what it did until now counts as life
    await until(lambda: house.supervisor.statuses()[0].heartbeat_seconds > 0.4)
    await house.supervisor.look()
    assert not alive(house.pids[0])
    await until(lambda: house.state(task) is TaskState.COMPLETED)
    assert house.tally.losses == {("hung",): 1}


async def test_a_worker_that_prints_or_computes_is_alive(house_of):
    house = await house_of(silent_seconds=1.0)
    house.program = "while True: pass"
    task = house.tasks.add(a_task())
    await house.engine.enqueue(task)
    await until(lambda: house.pids)
    began = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() - began < 2.5:
        await house.supervisor.look()
        await asyncio.sleep(0.2)
    assert house.supervisor.statuses()[0].replaced == 0 and alive(house.pids[0])


async def test_a_run_that_loses_too_many_workers_is_left_to_a_person_with_the_reason(house_of):
    house = await house_of(memory_mb=60, most_losses=2)
    house.program, house.bad = GREEDY, 99
    task = await house.begin()
    await house.supervisor.look()
    await until(lambda: len(house.said) == 2)
    await house.supervisor.look()
    assert house.state(task) is TaskState.NEEDS_HUMAN_REVIEW
    left = house.tasks.rows[task]
    assert left.failure["code"] == "worker_poisoned" and "2 workers" in left.failure["message"]
    assert "60 MB" in left.outcome_reason
    assert [alive(pid) for pid in house.pids] == [False, False]
    assert house.supervisor.statuses()[0].state is WorkerState.IDLE


async def test_a_person_may_replace_a_worker_as_often_as_they_like(house_of):
    house = await house_of(most_losses=1)
    house.program, house.bad = GRANDCHILD, 2
    task = await house.begin()
    grandchild = int(house.said[0])
    assert (await house.supervisor.restart(1)).replaced == 1
    await until(lambda: not alive(grandchild))
    await until(lambda: len(house.said) == 2)
    await house.supervisor.restart(1)
    await until(lambda: house.state(task) is TaskState.COMPLETED)
    assert house.tries == 3


async def test_an_idle_worker_stays_as_it_is_and_one_that_is_not_there_is_not_found(house_of):
    house = await house_of(size=2)
    assert (await house.supervisor.restart(2)).state is WorkerState.IDLE
    for number in (0, 3):
        with pytest.raises(PermanentError, match="worker_not_found"):
            await house.supervisor.restart(number)


async def test_a_run_that_ended_meanwhile_is_not_begun_again(house_of):
    house = await house_of()
    task = await house.begin()
    await house.tasks.move(task, TaskState.CANCELLED)
    await house.supervisor.restart(1)
    assert house.state(task) is TaskState.CANCELLED
    assert house.tries == 1 and not alive(house.pids[0])


async def test_steps_and_runs_are_counted(house_of):
    house = await house_of()
    house.bad = 0
    task = house.tasks.add(a_task())
    await house.engine.enqueue(task)
    await until(lambda: house.state(task.id) is TaskState.COMPLETED)
    await until(lambda: house.tally.runs)
    assert house.tally.runs == {(task.kind.value, "completed"): 1}
    assert house.tally.steps["second", "done"].buckets()[-1] == ("+Inf", 1)


async def test_a_worker_that_is_replaced_twice_at_once_is_replaced_once(house_of):
    house = await house_of()
    house.bad = 99
    await house.begin()
    await asyncio.gather(*(house.supervisor.restart(1) for _ in range(3)))
    await until(lambda: len(house.said) == 2)
    assert (house.tries, len(await house.supervisor.recent_losses(1))) == (2, 1)
    assert [alive(pid) for pid in house.pids] == [False, True]


async def test_a_run_that_sat_down_meanwhile_is_not_taken_for_the_one_looked_at(house_of, monkeypatch):
    house = await house_of(silent_seconds=0.5)
    house.bad = 99
    await house.begin()
    look, kept = house.crew.look, house.crew.posts()[0]

    async def slow(post):
        await look(post)
        await house.supervisor.restart(1)  # by a person, just then
        await until(lambda: len(house.said) == 2)
        house.crew.posts()[0].alive_at -= 1.0

    monkeypatch.setattr(house.crew, "look", slow)
    await house.supervisor.look()
    assert house.crew.posts()[0] is not kept
    assert [loss.loss.reason for loss in await house.supervisor.recent_losses(1)] == ["asked"]


async def test_a_worker_whose_replacing_failed_is_judged_again(house_of, monkeypatch):
    house = await house_of(silent_seconds=0.1, most_losses=1)
    house.bad = 99
    await house.begin()
    leave = house.supervisor._leave

    async def away(*_):
        raise TemporaryError("storage_unavailable", "away")

    monkeypatch.setattr(house.supervisor, "_leave", away)
    house.crew.posts()[0].alive_at -= 3600.0
    await house.crew.look(house.crew.posts()[0])
    house.crew.posts()[0].alive_at -= 3600.0
    with pytest.raises(TemporaryError):
        await house.supervisor.look()
    monkeypatch.setattr(house.supervisor, "_leave", leave)
    assert house.supervisor.statuses()[0].state is not WorkerState.REPLACING
