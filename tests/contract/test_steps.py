"""What every Steps implementation promises, over lives of one run: each life ends in an interruption."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from ai_ops.core.identity import run_id
from ai_ops.core.ports import Outcome, Steps
from ai_ops.engine.durable import DurableEngine
from ai_ops.engine.memory import MemorySteps
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.run import StepState
from tests.support.memory_ports import MemoryTasks, MemoryTrace, a_task

Body = Callable[[Steps], Awaitable[Any]]


class Lives(Protocol):
    trace: MemoryTrace
    run: str

    async def life(self, body: Body) -> Any: ...


class MemoryLives:
    def __init__(self) -> None:
        self.trace = MemoryTrace()
        self.run = "run-1"

    async def life(self, body: Body) -> Any:
        return await body(MemorySteps(self.trace, self.run))


class DurableLives:
    def __init__(self, data_dir: Path) -> None:
        self.trace = MemoryTrace()
        self._task = a_task(uuid.uuid4().hex)
        self._tasks = MemoryTasks(self._task)
        self._dir = data_dir
        self.run = run_id(self._task.id, 1)

    async def life(self, body: Body) -> Any:
        """Run ``body`` from its beginning in a new engine, and stop that before the run is over."""
        ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def worker(task_id: str, run_number: int, steps: Steps) -> None:
            try:
                ended.set_result(await body(steps))
            except Exception as error:
                ended.set_exception(error)
            await asyncio.Event().wait()

        url = f"sqlite:///{self._dir}/engine.db"
        engine = DurableEngine(url, self._dir, worker, self._tasks, self.trace)
        await engine.start()
        try:
            await engine.enqueue(self._task)
            return await asyncio.wait_for(ended, 30)
        finally:
            await engine.stop()


@pytest.fixture(scope="module")
def engine_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(params=["memory", "durable"])
def lives(request: pytest.FixtureRequest, engine_dir: Path) -> Lives:
    return MemoryLives() if request.param == "memory" else DurableLives(engine_dir)


class Effect:
    """Work that counts how often it is done and fails as often as it is told to."""

    def __init__(self, *failures: Exception) -> None:
        self.done = 0
        self._failures = list(failures)

    async def __call__(self) -> Outcome:
        if self._failures:
            raise self._failures.pop(0)
        self.done += 1
        return {"n": self.done, "words": ["ä", None, 1.5]}


async def test_a_step_entered_again_returns_its_outcome_and_is_not_done_twice(lives: Lives):
    effect = Effect()
    first = await lives.life(lambda steps: steps.run("checkout", 1, effect))
    again = await lives.life(lambda steps: steps.run("checkout", 1, effect))
    assert first == again == {"n": 1, "words": ["ä", None, 1.5]}
    assert effect.done == 1


async def test_a_step_is_not_done_twice_within_one_life(lives: Lives):
    effect = Effect()

    async def body(steps: Steps) -> list[Outcome]:
        return [await steps.run("fix", 1, effect), await steps.run("fix", 1, effect)]

    one, two = await lives.life(body)
    assert one == two
    assert effect.done == 1


async def test_rounds_are_steps_of_their_own(lives: Lives):
    effect = Effect()

    async def body(steps: Steps) -> list[int]:
        return [(await steps.run("fix", round, effect))["n"] for round in (1, 2, 3)]

    assert await lives.life(body) == [1, 2, 3]
    assert await lives.life(body) == [1, 2, 3]


async def test_a_failed_step_is_recorded_and_can_be_entered_again(lives: Lives):
    effect = Effect(TemporaryError("git_timeout", "slow", next_step="wait", delay=7.0))

    async def body(steps: Steps) -> Outcome:
        with pytest.raises(TemporaryError) as failed:
            await steps.run("checkout", 1, effect)
        assert failed.value.as_dict() == {"code": "git_timeout", "message": "slow", "next_step": "wait"}
        assert failed.value.delay == 7.0
        return await steps.run("checkout", 1, effect)

    assert (await lives.life(body))["n"] == 1
    key = (lives.run, "checkout", 1)
    assert lives.trace.failures[key] == [{"code": "git_timeout", "message": "slow", "next_step": "wait"}]
    assert (lives.trace.rows[key].state, lives.trace.rows[key].entries) == (StepState.DONE, 2)


async def test_a_permanent_failure_stays_permanent_over_an_interruption(lives: Lives):
    for _ in range(2):
        with pytest.raises(PermanentError) as failed:
            await lives.life(lambda steps: steps.run("push", 1, Effect(PermanentError("push_refused", "no"))))
        assert failed.value.code == "push_refused"


async def test_an_unforeseen_error_comes_out_as_it_is_and_is_recorded(lives: Lives):
    with pytest.raises(ZeroDivisionError):
        await lives.life(lambda steps: steps.run("fix", 1, Effect(ZeroDivisionError("oops"))))
    assert lives.trace.failures[(lives.run, "fix", 1)][0]["code"] == "internal_error"


async def test_an_interrupted_step_is_recorded_as_such_and_done_by_the_next_life(lives: Lives):
    begun = asyncio.Event()

    async def hang() -> Outcome:
        begun.set()
        await asyncio.Event().wait()
        return {}

    async def body(steps: Steps) -> None:
        step = asyncio.create_task(steps.run("fix", 1, hang))
        await begun.wait()
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step

    await lives.life(body)
    assert lives.trace.failures[(lives.run, "fix", 1)][0]["code"] == "cancelled"
    effect = Effect()
    assert (await lives.life(lambda steps: steps.run("fix", 1, effect)))["n"] == 1


async def test_other_work_goes_on_during_a_wait(lives: Lives):
    async def body(steps: Steps) -> list[str]:
        seen: list[str] = []

        async def other() -> None:
            seen.append("other")

        meanwhile = asyncio.create_task(other())
        await steps.wait(0.05)
        seen.append("waited")
        await meanwhile
        return seen

    assert await lives.life(body) == ["other", "waited"]


async def test_a_changed_order_of_steps_does_not_lose_the_run(lives: Lives):
    old, new = Effect(), Effect()

    async def before(steps: Steps) -> None:
        await steps.run("checkout", 1, old)
        await steps.run("fix", 1, old)

    async def after(steps: Steps) -> list[int]:
        names = ("checkout", "triage", "fix")
        outcomes = [await steps.run(name, 1, new) for name in names]
        await steps.wait(0.01)
        return [outcome["n"] for outcome in outcomes]

    await lives.life(before)
    assert await lives.life(after) == [1, 1, 2]
    assert (old.done, new.done) == (2, 1)
