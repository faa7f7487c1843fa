"""Turns, places, interruption, and what the reconciler mends, on a real engine."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ai_ops import process
from ai_ops.core.identity import run_id
from ai_ops.core.ports import Engine, Outcome, Steps, Worker
from ai_ops.engine import dbos_adapter
from ai_ops.engine.durable import DurableEngine
from ai_ops.engine.memory import MemoryEngine
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.run import Run
from ai_ops.flow.task import Priority, Task, TaskKind, TaskState
from tests.support.memory_ports import MemoryTasks, MemoryTrace, a_task


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not true():
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class House:
    """Tables, and engines of one kind over them; ``do`` is what the worker does between its moves."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.tasks, self.trace = MemoryTasks(), MemoryTrace()
        self.kind = kind
        self.folder = folder
        self.do: Callable[[str, Steps], Awaitable[None]] = self.nothing
        self.engine: Engine | None = None

    async def nothing(self, task_id: str, steps: Steps) -> None:
        pass

    async def work(self, task_id: str, run_number: int, steps: Steps) -> None:
        if self.tasks.rows[task_id].state is TaskState.PENDING:
            await self.tasks.move(task_id, TaskState.PROCESSING)
        await self.trace.run_started(Run(run_id(task_id, run_number), task_id, run_number, datetime.now(UTC)))
        await self.do(task_id, steps)
        await self.tasks.move(task_id, TaskState.COMPLETED)

    def build(
        self, worker: Worker | None = None, max_concurrent: int = 2, reconcile_seconds: float = 0.1
    ) -> Engine:
        worker = worker or self.work
        if self.kind == "memory":
            return MemoryEngine(worker, self.tasks, self.trace, max_concurrent)
        return DurableEngine(
            self.url,
            self.folder,
            worker,
            self.tasks,
            self.trace,
            max_concurrent=max_concurrent,
            reconcile_seconds=reconcile_seconds,
        )

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder}/engine.db"

    async def open(self, **options: Any) -> Engine:
        self.engine = self.build(**options)
        await self.engine.start()
        return self.engine

    async def close(self) -> None:
        if self.engine:
            await self.engine.stop()
            self.engine = None

    async def add(self, *tasks: Task) -> None:
        for task in tasks:
            await self.engine.enqueue(self.tasks.add(task))

    def state(self, task_id: str) -> TaskState:
        return self.tasks.rows[task_id].state

    async def all_over(self) -> None:
        await until(lambda: all(task.state.final for task in self.tasks.rows.values()))

    def workflow(self, task_id: str) -> str | None:
        with closing(sqlite3.connect(self.folder / "engine.db")) as db:
            rows = db.execute(
                "SELECT status FROM workflow_status WHERE workflow_uuid LIKE ?", [f"%:{task_id}:%"]
            )
            return next((row[0] for row in rows), None)


@pytest.fixture(params=["memory", "durable"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    house = House(request.param, tmp_path)
    yield house
    await house.close()


@pytest.fixture
async def durable(tmp_path: Path) -> AsyncIterator[House]:
    house = House("durable", tmp_path)
    yield house
    await house.close()


class Meeting:
    """Who is at work at the same time as whom."""

    def __init__(self) -> None:
        self.present: set[str] = set()
        self.met: set[frozenset[str]] = set()
        self.most = 0
        self.order: list[str] = []

    async def attend(self, task_id: str, steps: Steps) -> None:
        async def work() -> Outcome:
            self.order.append(task_id)
            self.met |= {frozenset({task_id, other}) for other in self.present}
            self.present.add(task_id)
            self.most = max(self.most, len(self.present))
            await asyncio.sleep(0.25)
            self.present.discard(task_id)
            return {}

        await steps.run("work", 1, work)


async def test_tasks_of_one_repository_never_overlap_and_those_of_two_do(house: House):
    meeting = Meeting()
    house.do = meeting.attend
    await house.open(max_concurrent=4)
    await house.add(a_task("a1", repo_key="x/a"), a_task("a2", repo_key="x/a"), a_task("b1", repo_key="x/b"))
    await house.all_over()
    assert frozenset({"a1", "a2"}) not in meeting.met
    assert {frozenset({"a1", "b1"}), frozenset({"a2", "b1"})} & meeting.met


async def test_a_prompt_that_only_reads_takes_no_turn(house: House):
    meeting = Meeting()
    house.do = meeting.attend
    await house.open()
    reading = a_task("p1", kind=TaskKind.PROMPT, payload={"type": "lightweight"})
    await house.add(a_task("r1"), reading)
    await house.all_over()
    assert meeting.met == {frozenset({"r1", "p1"})}


async def test_no_more_run_at_once_than_there_are_places(house: House):
    meeting = Meeting()
    house.do = meeting.attend
    await house.open(max_concurrent=2)
    await house.add(*[a_task(f"t{n}", repo_key=f"x/{n}") for n in range(5)])
    await house.all_over()
    assert meeting.most == 2
    assert await house.engine.queue_depth() == 0


async def test_what_is_urgent_is_served_first_over_all_repositories(house: House):
    meeting = Meeting()
    house.do = meeting.attend
    await house.open(max_concurrent=1)
    await house.add(a_task("first", repo_key="x/0"))
    await until(lambda: meeting.order == ["first"])
    await house.add(a_task("low", repo_key="x/1", priority=Priority.LOW))
    await house.add(a_task("urgent", repo_key="x/2", priority=Priority.URGENT))
    await house.all_over()
    assert meeting.order == ["first", "urgent", "low"]


async def test_a_task_enqueued_twice_runs_once_and_not_again_when_it_is_over(house: House):
    meeting = Meeting()
    house.do = meeting.attend
    await house.open()
    task = a_task()
    await house.add(task, task)
    await house.all_over()
    await house.engine.enqueue(task)
    await house.add(a_task("t2"))
    await house.all_over()
    assert meeting.order == ["t1", "t2"]


@pytest.mark.parametrize("to", [TaskState.CANCELLED, TaskState.PAUSED])
async def test_a_cancelled_step_takes_its_child_process_with_it(house: House, to: TaskState):
    pids: list[int] = []
    house.do = sleep_in_a_child(pids)
    await house.open()
    await house.add(a_task())
    await until(lambda: bool(pids))
    task = await house.tasks.move("t1", to)
    async with asyncio.timeout(10):
        await house.engine.cancel(task)
        assert not alive(pids[0])
    assert house.state("t1") is to
    run = await house.trace.find_run(run_id("t1", 1))
    assert run.outcome == ("cancelled" if to is TaskState.CANCELLED else "")
    assert house.trace.failures[(run.id, "work", 1)][0]["code"] == "cancelled"


def sleep_in_a_child(pids: list[int]) -> Callable[[str, Steps], Awaitable[None]]:
    async def do(task_id: str, steps: Steps) -> None:
        async def work() -> Outcome:
            await process.run(["sleep", "60"], env=process.clean_environment(), on_start=pids.append)
            return {}

        await steps.run("work", 1, work)

    return do


async def test_a_paused_task_goes_on_where_it_was_when_it_is_resumed(house: House):
    pids: list[int] = []
    done: list[str] = []

    async def do(task_id: str, steps: Steps) -> None:
        async def checkout() -> Outcome:
            done.append("checkout")
            return {}

        await steps.run("checkout", 1, checkout)
        await sleep_in_a_child(pids)(task_id, steps)

    house.do = do
    await house.open()
    await house.add(a_task())
    await until(lambda: bool(pids))
    await house.engine.cancel(await house.tasks.move("t1", TaskState.PAUSED))

    async def quick(task_id: str, steps: Steps) -> None:
        async def checkout() -> Outcome:
            done.append("checkout again")
            return {}

        await steps.run("checkout", 1, checkout)

    house.do = quick
    await house.engine.enqueue(await house.tasks.move("t1", TaskState.PENDING))
    await house.all_over()
    assert done == ["checkout"]


async def test_a_queued_task_that_is_cancelled_never_begins(house: House):
    meeting = Meeting()
    house.do = meeting.attend
    await house.open(max_concurrent=1)
    await house.add(a_task("t1"), a_task("t2"), a_task("t3", repo_key="x/other"))
    for name in ("t2", "t3"):
        await house.engine.cancel(await house.tasks.move(name, TaskState.CANCELLED))
    await house.all_over()
    assert meeting.order == ["t1"]


async def test_a_stop_interrupts_what_runs_and_the_next_start_goes_on(house: House):
    pids: list[int] = []
    house.do = sleep_in_a_child(pids)
    await house.open()
    await house.add(a_task("t1"), a_task("t2"))
    await until(lambda: bool(pids))
    async with asyncio.timeout(20):
        await house.close()
    assert not alive(pids[0])
    assert house.state("t1") is TaskState.PROCESSING
    if house.kind == "durable":
        assert house.workflow("t1") == "PENDING"
    assert await asyncio.to_thread(lambda: "threads still work") == "threads still work"

    house.do = house.nothing
    await house.open()
    await house.all_over()
    assert {house.state("t1"), house.state("t2")} == {TaskState.COMPLETED}


async def test_a_run_that_waits_leaves_its_place_to_others(house: House):
    waits: list[str] = []

    async def do(task_id: str, steps: Steps) -> None:
        if task_id == "patient":
            waits.append(task_id)
            await steps.wait(3600)

    house.do = do
    await house.open(max_concurrent=1)
    await house.add(a_task("patient", repo_key="x/1"))
    await until(lambda: bool(waits))
    await house.add(a_task("other", repo_key="x/2"))
    await until(lambda: house.state("other") is TaskState.COMPLETED)
    assert house.state("patient") is TaskState.PROCESSING
    await house.engine.cancel(await house.tasks.move("patient", TaskState.CANCELLED))


@pytest.mark.parametrize(
    ("error", "code"),
    [(ZeroDivisionError("oops"), "internal_error"), (asyncio.CancelledError(), "worker_lost")],
    ids=["an unforeseen error", "a cancellation nobody asked for"],
)
async def test_a_worker_that_fails_by_itself_leaves_a_failed_task(
    house: House, error: BaseException, code: str
):
    async def do(task_id: str, steps: Steps) -> None:
        raise error

    house.do = do
    await house.open()
    await house.add(a_task())
    await house.all_over()
    assert house.state("t1") is TaskState.FAILED
    assert house.tasks.rows["t1"].failure["code"] == code
    await until(lambda: house.trace.runs_by_id[run_id("t1", 1)].outcome == "failed")


async def test_a_wait_goes_on_with_the_time_that_remains(durable: House):
    began = asyncio.Event()

    async def do(task_id: str, steps: Steps) -> None:
        began.set()
        await steps.wait(1.0)

    def wake_times() -> list[str]:
        with closing(sqlite3.connect(durable.folder / "engine.db")) as db:
            return [
                row[0]
                for row in db.execute(
                    "SELECT output FROM operation_outputs WHERE function_name = 'DBOS.sleep'"
                )
            ]

    durable.do = do
    await durable.open()
    await durable.add(a_task())
    await began.wait()
    await until(lambda: len(wake_times()) == 1)
    await durable.close()
    first = wake_times()
    await durable.open()
    await durable.all_over()
    assert wake_times() == first


async def test_a_task_that_was_committed_but_never_enqueued_is_found(durable: House):
    await durable.open()
    durable.tasks.add(a_task())
    await durable.all_over()
    assert durable.state("t1") is TaskState.COMPLETED


async def test_a_run_that_ended_without_a_result_does_not_leave_its_task_processing(durable: House):
    async def forgetful(task_id: str, run_number: int, steps: Steps) -> None:
        await durable.tasks.move(task_id, TaskState.PROCESSING)

    durable.engine = durable.build(forgetful)
    await durable.engine.start()
    await durable.add(a_task())
    await durable.all_over()
    assert durable.tasks.rows["t1"].failure["code"] == "worker_lost"


async def test_a_run_whose_process_died_too_often_fails_its_task(durable: House):
    pids: list[int] = []
    durable.do = sleep_in_a_child(pids)
    await durable.open()
    await durable.add(a_task())
    await until(lambda: bool(pids))
    await durable.close()
    with closing(sqlite3.connect(durable.folder / "engine.db")) as db, db:
        db.execute("UPDATE workflow_status SET recovery_attempts = 1000")
    await durable.open()
    await durable.all_over()
    assert durable.tasks.rows["t1"].failure["code"] == "worker_lost"


async def test_a_claim_that_nobody_works_on_is_worked_on_again(durable: House):
    await durable.open()
    await durable.close()
    durable.tasks.add(a_task("t1", state=TaskState.PROCESSING))
    with closing(sqlite3.connect(durable.folder / "engine.db")) as db, db:
        row = {
            "workflow_uuid": "repair:t1:1",
            "status": "PENDING",
            "name": "run",
            "executor_id": "ai-ops",
            "application_version": "another",
            "application_name": "ai-ops",
            "created_at": 1,
            "updated_at": 1,
            "recovery_attempts": 1,
            "priority": 0,
        }
        places = ",".join("?" * len(row))
        db.execute(f"INSERT INTO workflow_status ({','.join(row)}) VALUES ({places})", [*row.values()])
    await durable.open()
    await durable.all_over()
    assert durable.state("t1") is TaskState.COMPLETED


async def test_a_task_that_was_cancelled_while_the_engine_was_down_is_not_worked_on(durable: House):
    pids: list[int] = []
    durable.do = sleep_in_a_child(pids)
    await durable.open()
    await durable.add(a_task("t1"), a_task("t2"))
    await until(lambda: bool(pids))
    await durable.close()
    for name in ("t1", "t2"):
        await durable.tasks.move(name, TaskState.CANCELLED)
    await durable.open()
    await until(lambda: durable.workflow("t1") != "PENDING" and durable.workflow("t2") != "ENQUEUED")
    assert len(pids) == 1


@pytest.mark.parametrize("state", [TaskState.COMPLETED, TaskState.NEEDS_HUMAN_REVIEW])
async def test_a_run_whose_task_ended_just_before_the_kill_is_ended_at_the_next_start(
    durable: House, state: TaskState
):
    pids: list[int] = []
    durable.do = sleep_in_a_child(pids)
    await durable.open()
    await durable.add(a_task("t1"))
    await until(lambda: bool(pids))
    await durable.close()
    await durable.tasks.move("t1", state)
    await durable.open()
    await until(lambda: durable.trace.runs_by_id[run_id("t1", 1)].outcome == state)


async def test_a_task_that_was_cancelled_without_the_engine_being_told_is_interrupted(durable: House):
    pids: list[int] = []
    durable.do = sleep_in_a_child(pids)
    await durable.open()
    await durable.add(a_task("t1"))
    await until(lambda: bool(pids))
    await durable.tasks.move("t1", TaskState.CANCELLED)
    await until(lambda: not alive(pids[0]))
    await until(lambda: durable.workflow("t1") == "CANCELLED")


async def test_a_run_takes_the_same_way_again_after_an_interruption_failures_included(durable: House):
    tries: list[str] = []
    way: list[Any] = []

    async def do(task_id: str, steps: Steps) -> None:
        async def push() -> Outcome:
            tries.append("push")
            if len(tries) == 1:
                failure = TemporaryError("git_unreachable", "gone", next_step="wait", delay=7.0)
                failure.cost_usd = 0.25
                raise failure
            return {}

        try:
            await steps.run("push", 1, push)
        except TemporaryError as error:
            way.append((error.as_dict(), error.delay, error.cost_usd))
        if len(way) == 1:
            await asyncio.Event().wait()
        await steps.run("push", 1, push)

    durable.do = do
    await durable.open()
    await durable.add(a_task("t1"))
    await until(lambda: bool(way))
    await durable.close()
    await durable.open()
    await durable.all_over()
    failure = {"code": "git_unreachable", "message": "gone", "next_step": "wait"}
    assert way == [(failure, 7.0, 0.25)] * 2
    assert tries == ["push", "push"]


async def test_a_second_process_on_the_same_data_is_refused(durable: House):
    await durable.open()
    with pytest.raises(PermanentError) as refused:
        await durable.build().start()
    assert refused.value.code == "data_dir_in_use"
    await durable.add(a_task())
    await durable.all_over()


async def test_a_second_engine_in_one_process_is_refused(durable: House, tmp_path: Path):
    await durable.open()
    other = House("durable", tmp_path / "other")
    for _ in range(2):
        with pytest.raises(PermanentError) as refused:
            await other.build().start()
        assert refused.value.code == "engine_running"
    await durable.add(a_task())
    await durable.all_over()


async def test_a_database_that_cannot_be_opened_is_named(durable: House):
    (durable.folder / "engine.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(PermanentError) as refused:
        await durable.build().start()
    assert refused.value.code == "engine_unusable"
    (durable.folder / "engine.db").unlink()
    await durable.open()


async def test_work_that_an_older_release_had_queued_is_taken_up(durable: House):
    await durable.open()
    await durable.close()
    durable.tasks.add(a_task("t1"))
    with closing(sqlite3.connect(durable.folder / "engine.db")) as db, db:
        row = {
            "workflow_uuid": "repair:t1:1",
            "status": "ENQUEUED",
            "name": "run",
            "queue_name": "work",
            "queue_partition_key": "repo:x",
            "application_version": "1",
            "application_name": "ai-ops",
            "created_at": 1,
            "updated_at": 1,
            "recovery_attempts": 0,
            "priority": 3,
        }
        places = ",".join("?" * len(row))
        db.execute(f"INSERT INTO workflow_status ({','.join(row)}) VALUES ({places})", [*row.values()])
    await durable.open()
    await durable.all_over()
    assert durable.state("t1") is TaskState.COMPLETED


async def test_nothing_begins_while_the_queue_is_held_and_what_works_ends(house: House):
    meeting = Meeting()
    house.do = meeting.attend
    await house.open()
    await house.add(a_task("works", repo_key="x/1"))
    await until(lambda: meeting.order == ["works"])
    house.engine.hold(True)
    await house.add(a_task("waits", repo_key="x/2", priority=Priority.URGENT))
    await until(lambda: house.state("works") is TaskState.COMPLETED)
    assert (meeting.order, await house.engine.queue_depth()) == (["works"], 1)
    house.engine.hold(False)
    await house.all_over()
    assert meeting.order == ["works", "waits"]


async def test_a_hold_is_kept_by_an_engine_that_starts_with_it(durable: House):
    durable.tasks.add(a_task("t1"))
    durable.engine = durable.build()
    durable.engine.hold(True)
    await durable.engine.start()
    assert (await durable.engine.queue_depth(), durable.workflow("t1")) == (1, None)
    durable.engine.hold(False)
    await durable.all_over()


async def test_repositories_share_the_places_evenly_and_prompts_are_one_of_them(house: House):
    meeting = Meeting()
    house.do = meeting.attend
    await house.open(max_concurrent=1)
    house.engine.hold(True)
    prompt = {"kind": TaskKind.PROMPT, "repo_key": "", "payload": {"type": "heavy_context"}}
    await house.add(*[a_task(f"p{n}", **prompt) for n in range(3)])
    await house.add(*[a_task(f"a{n}", repo_key="x/a") for n in range(2)], a_task("b0", repo_key="x/b"))
    house.engine.hold(False)
    await house.all_over()
    assert meeting.order == ["p0", "a0", "b0", "p1", "a1", "p2"]


async def test_a_word_that_comes_while_a_run_begins_stops_it_and_leaves_its_place_to_others(house: House):
    async def stay(task_id: str, steps: Steps) -> None:
        await asyncio.Event().wait()

    house.do = stay
    await house.open(max_concurrent=1)
    for number in range(10):
        task = a_task(f"t{number}", repo_key=f"x/{number}")
        await house.add(task)
        for _ in range(number):
            await asyncio.sleep(0)
        await house.engine.cancel(await house.tasks.move(task.id, TaskState.CANCELLED))
    house.do = house.nothing
    await house.add(a_task("last", repo_key="x/last"))
    await until(lambda: house.state("last") is TaskState.COMPLETED)


async def test_what_was_cancelled_is_not_remembered_for_ever(durable: House):
    pids: list[int] = []
    durable.do = sleep_in_a_child(pids)
    await durable.open()
    for name in ("t1", "t2"):
        await durable.add(a_task(name))
        await until(lambda name=name: durable.state(name) is TaskState.PROCESSING)
        await durable.engine.cancel(await durable.tasks.move(name, TaskState.CANCELLED))
    assert durable.engine._cancelled == set()


@pytest.mark.parametrize("state", [TaskState.WAITING_UNBAN, TaskState.RETRYING, TaskState.PROCESSING])
async def test_a_run_that_only_waits_outlives_any_number_of_restarts(durable: House, monkeypatch, state):
    monkeypatch.setattr(dbos_adapter, "_MOST_RECOVERIES", 2)
    waits: list[str] = []

    async def do(task_id: str, steps: Steps) -> None:
        if durable.state(task_id) is not state:
            await durable.tasks.move(task_id, state)
        waits.append(task_id)
        await steps.wait(3600)

    durable.do = do
    await durable.open()
    await durable.add(a_task())
    for number in range(1, 6):
        await until(lambda number=number: len(waits) >= number or durable.state("t1").final)
        await durable.close()
        await durable.open()
    await until(lambda: len(waits) >= 6 or durable.state("t1").final)
    assert durable.state("t1") is (TaskState.FAILED if state is TaskState.PROCESSING else state)


async def test_a_run_that_ends_while_the_tables_are_compared_frees_its_repository(durable: House):
    ends = {name: asyncio.Event() for name in ("a1", "a2", "a3")}

    async def wait(task_id: str, _steps: Steps) -> None:
        await ends[task_id].wait()

    durable.do = wait
    engine: Any = await durable.open(reconcile_seconds=600.0)
    await durable.add(*[a_task(name, repo_key="x/a") for name in ends])
    await until(lambda: durable.state("a1") is TaskState.PROCESSING)
    live = engine._dbos.live

    async def live_a_moment_ago() -> Any:
        found = await live()
        ends["a1"].set()
        await until(lambda: not any(":a1:" in name for name in engine._running))
        return found

    engine._dbos.live = live_a_moment_ago
    await engine._reconcile_once()
    for end in ends.values():
        end.set()
    await durable.all_over()


async def test_a_run_that_is_begun_again_is_not_forgotten_with_its_former_life(durable: House):
    """What ended long ago is listed and then removed; in between nobody may begin one of it again."""
    ends = asyncio.Event()

    async def wait(_task_id: str, _steps: Steps) -> None:
        await ends.wait()

    engine: Any = await durable.open(reconcile_seconds=600.0)
    await durable.add(a_task())
    await durable.all_over()
    durable.do = wait
    ended_before = engine._dbos.ended_before
    again: list[asyncio.Future[None]] = []

    async def ended_a_moment_ago(_moment: datetime) -> Any:
        found = await ended_before(datetime.now(UTC) + timedelta(days=1))
        assert found
        task = durable.tasks.rows["t1"] = replace(durable.tasks.rows["t1"], state=TaskState.PENDING)
        again.append(asyncio.ensure_future(engine.enqueue(task)))
        await asyncio.sleep(0.3)
        return found

    engine._dbos.ended_before = ended_a_moment_ago
    await engine._reconcile_once()
    await again[0]
    await until(lambda: durable.state("t1") is TaskState.PROCESSING)
    assert durable.workflow("t1") == "PENDING"
    ends.set()
    await durable.all_over()


async def test_a_run_that_nobody_knows_does_not_keep_its_repository(durable: House):
    engine: Any = await durable.open(reconcile_seconds=600.0)
    engine._line.stand(a_task("lost", repo_key="x/a"))
    await durable.add(a_task("a1", repo_key="x/a"))
    await asyncio.sleep(0.2)
    assert durable.state("a1") is TaskState.PENDING
    await engine._reconcile_once()
    await durable.all_over()


async def test_what_was_taken_back_unsaid_waits_no_longer(durable: House):
    engine: Any = await durable.open(reconcile_seconds=600.0)
    engine.hold(True)
    await durable.add(a_task("a1"), a_task("b1"))
    durable.tasks.rows["a1"] = replace(durable.tasks.rows["a1"], state=TaskState.CANCELLED)
    await engine._reconcile_once()
    assert await engine.queue_depth() == 1
    engine.hold(False)
    await until(lambda: durable.state("b1").final)
    assert durable.state("a1") is TaskState.CANCELLED
    assert durable.workflow("a1") is None


async def test_one_that_waits_for_a_place_does_not_wait_for_itself(durable: House):
    pids: list[int] = []
    durable.do = sleep_in_a_child(pids)
    engine: Any = await durable.open(max_concurrent=1, reconcile_seconds=600.0)
    await durable.add(a_task("a1", repo_key="x/a"), a_task("b1", repo_key="x/b"))
    await until(lambda: bool(pids))
    waiting = next(iter(engine._line._waiting))
    engine._stand({waiting: durable.tasks.rows["b1"]}, {waiting})  # its row was there a moment ago
    assert waiting not in engine._line.standing


@pytest.mark.parametrize("verb", [TaskState.CANCELLED, TaskState.PAUSED])
async def test_what_a_person_decides_just_before_a_restart_is_not_undone(house: House, verb: TaskState):
    pids: list[int] = []
    house.do = sleep_in_a_child(pids)
    await house.open()
    await house.add(a_task())
    await until(lambda: bool(pids))
    task, move, act = house.tasks.rows["t1"], house.tasks.move, house.tasks.act

    async def decided() -> None:
        """Another writer's transaction came first."""
        if house.state("t1") is TaskState.PROCESSING:
            await move("t1", verb)

    async def move_later(*what: Any, **changes: Any) -> Task:
        await decided()
        return await move(*what, **changes)

    async def act_later(*what: Any) -> Any:
        await decided()
        return await act(*what)

    house.tasks.move, house.tasks.act = move_later, act_later  # type: ignore[method-assign]
    await house.engine.restart(task, "its worker was replaced")
    assert house.state("t1") is verb
