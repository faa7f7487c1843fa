from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from ai_ops.core.identity import run_id
from ai_ops.core.ports import Outcome, Steps
from ai_ops.engine.duty import Duty
from ai_ops.engine.memory import MemorySteps
from ai_ops.engine.recorded import recorded
from ai_ops.errors import AiOpsError, PermanentError, TemporaryError
from ai_ops.flow.task import TaskState
from tests.support.memory_ports import MemoryTasks, MemoryTrace, a_task

FULL = TemporaryError("storage_unavailable", "The disk is full.", delay=0.0)


class FullDisk(MemoryTrace):
    """A trace that cannot be written the next ``times`` times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def _write(self) -> None:
        self.times -= 1
        if self.times >= 0:
            raise FULL

    async def step_done(self, run_id: str, name: str, round: int, outcome: Outcome) -> None:
        self._write()
        await super().step_done(run_id, name, round, outcome)

    async def step_failed(self, run_id: str, name: str, round: int, failure: Mapping[str, str]) -> None:
        self._write()
        await super().step_failed(run_id, name, round, failure)


async def test_an_outcome_that_is_paid_for_is_committed_as_soon_as_the_disk_allows():
    asked = []

    async def ask() -> Outcome:
        asked.append("model")
        return {"answer": 42}

    trace = FullDisk(times=3)
    assert await recorded(trace, "r", "fix", 1, ask) == {"answer": 42}
    assert asked == ["model"]
    assert trace.rows["r", "fix", 1].output == {"answer": 42}


async def test_nothing_follows_from_an_outcome_that_cannot_be_committed():
    async def ask() -> Outcome:
        return {}

    with pytest.raises(TemporaryError) as failed:
        await recorded(FullDisk(times=100), "r", "fix", 1, ask)
    assert failed.value is FULL


@pytest.mark.parametrize(
    "error", [PermanentError("push_refused", "no"), KeyError("x")], ids=["named", "unforeseen"]
)
async def test_a_failure_is_not_replaced_by_the_failure_to_record_it(error: Exception):
    async def fail() -> Outcome:
        raise error

    with pytest.raises(type(error)) as failed:
        await recorded(FullDisk(times=100), "r", "push", 1, fail)
    assert failed.value is error


async def test_an_interruption_is_not_swallowed_by_the_failure_to_record_it():
    async def hang() -> Outcome:
        await asyncio.Event().wait()
        return {}

    step = asyncio.create_task(recorded(FullDisk(times=100), "r", "fix", 1, hang))
    await asyncio.sleep(0.01)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step


def duty(tasks: MemoryTasks, *failures: BaseException) -> tuple[Duty, list[str]]:
    """A worker that fails in these ways, one after the other, and then completes its task."""
    left, calls = list(failures), []

    async def worker(task_id: str, run_number: int, steps: Steps) -> None:
        calls.append(task_id)
        if left:
            raise left.pop(0)
        await tasks.move(task_id, TaskState.COMPLETED)

    return Duty(tasks, MemoryTrace(), worker), calls


async def work(
    failures: list[BaseException], state: TaskState = TaskState.PROCESSING
) -> tuple[MemoryTasks, list[str]]:
    task = a_task(state=state)
    tasks = MemoryTasks(task)
    one, calls = duty(tasks, *failures)
    await one.work(task, MemorySteps(one.trace, run_id(task.id, 1)))
    return tasks, calls


async def test_a_worker_whose_tables_did_not_answer_is_called_again():
    tasks, calls = await work([FULL, FULL])
    assert tasks.rows["t1"].state is TaskState.COMPLETED
    assert len(calls) == 3


async def test_tables_that_never_answer_fail_the_task_by_their_name():
    tasks, _ = await work([FULL] * 10)
    assert tasks.rows["t1"].state is TaskState.FAILED
    assert tasks.rows["t1"].failure["code"] == "storage_unavailable"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PermanentError("push_refused", "no"), "push_refused"),
        (ValueError("token=hunter2"), "internal_error"),
        (asyncio.CancelledError(), "worker_lost"),
    ],
)
async def test_what_a_worker_does_not_handle_fails_its_task(error: BaseException, code: str):
    tasks, _ = await work([error])
    failure = tasks.rows["t1"].failure
    assert (tasks.rows["t1"].state, failure["code"]) == (TaskState.FAILED, code)
    assert "hunter2" not in str(failure), "the words of an error may quote a secret"


@pytest.mark.parametrize("state", [TaskState.CANCELLED, TaskState.PAUSED, TaskState.COMPLETED])
async def test_a_task_that_wants_no_result_any_more_is_left_as_it_is(state: TaskState):
    for error in (asyncio.CancelledError(), AiOpsError("x", "y"), ValueError()):
        tasks, _ = await work([error], state)
        assert tasks.rows["t1"].state is state
