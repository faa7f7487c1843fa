"""Whose turn it is: priority, then the parties in turn, then who came first."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from ai_ops.engine.line import Line, party, workflow_id
from ai_ops.engine.slots import Seat, Slots
from ai_ops.flow.task import Priority, TaskKind
from tests.support.memory_ports import a_task

PROMPT = {"kind": TaskKind.PROMPT, "repo_key": ""}


class Served:
    """A line with everybody it has begun, in order; ``leave`` ends one."""

    def __init__(self, *tasks, most_standing=256):
        self.order = []
        self.line = Line(lambda task: self.order.append(task.id), most_standing)
        for task in tasks:
            self.line.add(task)

    def serve(self, number=1_000):
        for _ in range(number):
            task = self.line.peek()
            if task is None:
                break
            self.line.admit(task)
            self.line.leave(workflow_id(task))
        return self.order


def test_repositories_take_turns_however_many_tasks_each_has():
    tasks = [a_task(f"a{n}", repo_key="x/a") for n in range(6)]
    tasks += [a_task(f"b{n}", repo_key="x/b") for n in range(2)]
    tasks += [a_task(f"p{n}", **PROMPT) for n in range(3)]
    served = Served(*tasks).serve()
    assert served == ["a0", "b0", "p0", "a1", "b1", "p1", "a2", "p2", "a3", "a4", "a5"]


def test_a_flood_of_prompts_without_a_repository_holds_nobody_up():
    flood = [a_task(f"p{n}", **PROMPT) for n in range(100)]
    served = Served(*flood, a_task("r1", repo_key="x/a")).serve()
    assert served.index("r1") == 1
    assert served[2:] == [f"p{n}" for n in range(1, 100)]


@pytest.mark.parametrize("whose", ["schedule_id", "workflow_id"])
def test_a_schedule_and_a_workflow_is_a_party_of_its_own(whose):
    of_schedule = {**PROMPT, "payload": {whose: "s"}}
    tasks = [a_task("s0", **of_schedule), a_task("s1", **of_schedule), a_task("p0", **PROMPT)]
    assert Served(*tasks).serve() == ["s0", "p0", "s1"]
    assert len({party(a_task("x", **of_schedule)), party(a_task("x", **PROMPT)), party(a_task("x"))}) == 3


def test_who_is_more_urgent_comes_first_whatever_the_party():
    tasks = [
        a_task(priority, repo_key=f"x/{n % 2}", priority=priority)
        for n, priority in enumerate([Priority.LOW, Priority.NORMAL, Priority.URGENT, Priority.HIGH])
    ]
    assert Served(*tasks).serve() == ["urgent", "high", "normal", "low"]


def test_one_task_of_a_repository_stands_and_others_pass_those_that_wait_for_it():
    reads = a_task("reads", kind=TaskKind.PROMPT, payload={"type": "lightweight"})
    queue = Served(a_task("r1"), a_task("r2"), reads, a_task("other", repo_key="x/other"))
    for _ in range(3):
        queue.line.admit(queue.line.peek())
    assert queue.order == ["r1", "other", "reads"]
    assert queue.line.peek() is None
    queue.line.leave(workflow_id(a_task("r1")))
    assert queue.line.peek().id == "r2"


def test_a_run_that_stands_since_before_has_its_turn():
    queue = Served(a_task("r2"))
    queue.line.stand(a_task("r1"))
    assert queue.line.peek() is None


def test_no_more_stand_at_once_than_may():
    queue = Served(*(a_task(f"p{n}", **PROMPT) for n in range(3)), most_standing=2)
    for _ in range(2):
        queue.line.admit(queue.line.peek())
    assert queue.line.peek() is None


def test_who_is_added_twice_waits_once_and_who_is_dropped_not_at_all():
    task = a_task("p", **PROMPT)
    queue = Served(task, task)
    assert len(queue.line) == 1 and workflow_id(task) in queue.line
    assert queue.line.drop(workflow_id(task))
    assert not queue.line.drop(workflow_id(task))
    assert queue.serve() == [] and len(queue.line) == 0


@pytest.mark.parametrize("parties", [2, 7])
def test_over_a_long_time_the_shares_are_even(parties):
    tasks = [a_task(f"{n}-{p}", repo_key=f"x/{p}") for p in range(parties) for n in range(10 * (p + 1))]
    served = Served(*tasks).serve(parties * 10)
    turns = [[at for at, name in enumerate(served) if name.endswith(f"-{p}")] for p in range(parties)]
    assert all(b - a == parties for mine in turns for a, b in pairwise(mine))


async def test_who_comes_back_is_served_before_who_is_new_unless_that_is_more_urgent():
    begun = []
    line = Line(lambda task: begun.append(task.id))
    slots = Slots(1, line)
    async with Seat(slots, 3) as seat, seat.away():
        line.add(a_task("first", repo_key="x/1"))
        slots.hand_out()
        assert begun == ["first"]  # has the place of the one that is away
        back = asyncio.create_task(slots.take(3))
        await asyncio.sleep(0)
        line.add(a_task("normal", repo_key="x/2"))
        line.add(a_task("urgent", repo_key="x/3", priority=Priority.URGENT))
        slots.give()
        assert begun == ["first", "urgent"] and not back.done()
        slots.give()
        await back
        assert begun == ["first", "urgent"]
        slots.give()
        assert begun == ["first", "urgent", "normal"]
        slots.give()


async def test_nobody_is_given_a_place_while_the_queue_is_held_and_all_afterwards():
    begun = []
    line = Line(lambda task: begun.append(task.id))
    slots = Slots(2, line)
    slots.hold(True)
    line.add(a_task("new"))
    slots.hand_out()
    back = asyncio.create_task(slots.take(1))
    await asyncio.sleep(0)
    assert (begun, back.done(), slots.waiting) == ([], False, 2)
    slots.hold(False)
    await back
    assert (begun, slots.waiting) == (["new"], 0)
