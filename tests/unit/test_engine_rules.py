from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from ai_ops.engine.data_lock import DataLock
from ai_ops.engine.line import task_id_of, turn, workflow_id
from ai_ops.engine.reconcile import Fate, Life, fate
from ai_ops.engine.slots import Seat, Slots
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.task import TRANSITIONS, TaskKind, TaskState
from tests.support.memory_ports import a_task

S = TaskState


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("life", list(Life))
def test_every_fate_is_a_legal_move_of_the_task(state: TaskState, life: Life):
    decided = fate(state, life, cancel_requested=True)
    if decided is Fate.FAIL:
        assert S.FAILED in TRANSITIONS[state]
    if decided is Fate.CANCEL:
        assert S.CANCELLED in TRANSITIONS[state]


@pytest.mark.parametrize(
    ("state", "life", "cancel_requested", "expected"),
    [
        (S.PENDING, Life.UNKNOWN, False, Fate.RESTART),
        (S.PENDING, Life.LIVE, False, Fate.LEAVE),
        (S.PENDING, Life.CANCELLED, False, Fate.RESTART),
        (S.PENDING, Life.FINISHED, False, Fate.RESTART),
        (S.PROCESSING, Life.UNKNOWN, False, Fate.RESTART),
        (S.PROCESSING, Life.LOST, False, Fate.RESTART),
        (S.PROCESSING, Life.LIVE, True, Fate.LEAVE),
        (S.PROCESSING, Life.FINISHED, False, Fate.FAIL),
        (S.PROCESSING, Life.BROKEN, False, Fate.FAIL),
        (S.PROCESSING, Life.CANCELLED, True, Fate.CANCEL),
        (S.PROCESSING, Life.CANCELLED, False, Fate.RESTART),
        (S.WAITING_UNBAN, Life.BROKEN, False, Fate.FAIL),
        (S.WAITING_UNBAN, Life.WORN_OUT, False, Fate.RESTART),
        (S.PROCESSING, Life.WORN_OUT, False, Fate.FAIL),
        (S.RETRYING, Life.UNKNOWN, False, Fate.RESTART),
        (S.PAUSED, Life.CANCELLED, False, Fate.LEAVE),
        (S.NEEDS_HUMAN_REVIEW, Life.FINISHED, False, Fate.LEAVE),
        (S.COMPLETED, Life.FINISHED, False, Fate.LEAVE),
    ],
)
def test_what_becomes_of_a_task(state: TaskState, life: Life, cancel_requested: bool, expected: Fate):
    assert fate(state, life, cancel_requested) is expected


def test_a_workflow_id_names_its_task_and_run():
    task = a_task("a:b", run_number=3)
    assert workflow_id(task) == "repair:a:b:3"
    assert task_id_of(workflow_id(task)) == ("a:b", 3)


def test_tasks_of_one_repository_share_a_turn_and_a_reading_prompt_has_its_own():
    reading = {"kind": TaskKind.PROMPT, "payload": {"type": "lightweight"}}
    writing = {"kind": TaskKind.PROMPT, "payload": {"type": "heavy_context"}}
    assert turn(a_task("1")) == turn(a_task("2")) == turn(a_task("3", **writing))
    assert turn(a_task("1", **reading)) != turn(a_task("2", **reading))
    assert turn(a_task("1", repo_key="x/y")) != turn(a_task("2", repo_key="x/z"))
    assert turn(a_task("1", **writing, repo_key="")) != turn(a_task("2", **writing, repo_key=""))


async def test_a_free_place_goes_to_the_most_urgent_and_then_to_the_first():
    slots, served = Slots(1), []

    async def ask(name: str, rank: int) -> None:
        async with Seat(slots, rank):
            served.append(name)

    async with Seat(slots, 1):
        asking = [
            asyncio.create_task(ask(*who)) for who in [("low", 4), ("one", 2), ("two", 2), ("urgent", 1)]
        ]
        await asyncio.sleep(0)
        assert slots.waiting == 4
    await asyncio.gather(*asking)
    assert served == ["urgent", "one", "two", "low"]
    assert slots.waiting == 0


async def test_a_place_is_free_for_others_while_its_run_is_away():
    slots = Slots(1)
    async with Seat(slots, 1) as seat:
        async with seat.away(), Seat(slots, 1):
            pass
        assert slots.waiting == 0


async def test_a_place_is_asked_for_again_when_the_waiting_failed():
    slots = Slots(1)
    async with Seat(slots, 1) as seat:
        with contextlib.suppress(TemporaryError):
            async with seat.away():
                raise TemporaryError("engine_unavailable", "no")
        asking = asyncio.create_task(slots.take(1))
        await asyncio.sleep(0)
        assert not asking.done(), "two work at one place"
    await asking


@pytest.mark.parametrize("granted", [False, True], ids=["while asking", "just when it was granted"])
async def test_a_place_is_not_lost_when_the_one_who_asked_is_cancelled(granted: bool):
    slots = Slots(1)
    await slots.take(1)
    asking = asyncio.create_task(slots.take(1))
    await asyncio.sleep(0)
    if granted:
        slots.give()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    if not granted:
        slots.give()
    async with asyncio.timeout(5):
        await slots.take(1)


def test_a_data_folder_belongs_to_one_holder_at_a_time(tmp_path: Path):
    first, second = DataLock(tmp_path / "data"), DataLock(tmp_path / "data")
    first.take()
    with pytest.raises(PermanentError) as refused:
        second.take()
    assert refused.value.code == "data_dir_in_use"
    assert refused.value.next_step
    first.release()
    second.take()
    second.release()


def test_a_folder_that_cannot_be_written_is_named_with_the_reason(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(PermanentError) as refused:
        DataLock(tmp_path / "file" / "data").take()
    assert refused.value.code == "engine_unusable"
    assert "file/data cannot be written: Not a directory" in refused.value.message
