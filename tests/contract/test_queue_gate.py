"""The gate of the queue over real tables: no race passes the cap, it outlives the process, errors wait."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import pytest

from ai_ops.core.admission import QueueRules
from ai_ops.core.orchestrator.queue_keeping import QueueKeeping
from ai_ops.core.ports import NewTask
from ai_ops.errors import TemporaryError
from ai_ops.flow.issue import IssueState
from ai_ops.flow.task import Priority, TaskKind, TaskState
from ai_ops.integrations.mail.mailroom import Mailroom
from ai_ops.store.gate import GateRepository
from ai_ops.store.outbox import OutboxRepository
from ai_ops.store.tasks import TaskRepository
from tests.support.store import APP, event, pairs

RULES = QueueRules(high=10, low=5)
ANYBODY = ("ops@example.com",)


@pytest.fixture
def tasks(database, clock):
    return TaskRepository(database, clock, RULES)


@pytest.fixture
def gate(database, clock):
    return GateRepository(database, clock, RULES)


def a_prompt(priority=Priority.NORMAL, key=None):
    return NewTask(TaskKind.PROMPT, None, priority, {"prompt": "go"}, None, key)


async def fill(tasks, number=11):
    return [(await tasks.create(a_prompt())).task for _ in range(number)]


async def end(tasks, some):
    for task in some:
        await tasks.move(task.id, TaskState.CANCELLED)


async def test_the_eleventh_is_taken_the_twelfth_refused_and_at_five_it_opens(tasks, gate):
    made = await fill(tasks)
    with pytest.raises(TemporaryError) as refused:
        await tasks.create(a_prompt())
    assert refused.value.code == "queue_full"
    await end(tasks, made[:5])  # six are left
    with pytest.raises(TemporaryError):
        await tasks.create(a_prompt())
    await end(tasks, made[5:6])
    created = await tasks.create(a_prompt())
    assert created.created and not created.busy
    assert (await tasks.create(a_prompt())).busy
    seen, pending = await gate.look()
    assert (seen.closed, seen.refused, seen.told, pending) == (False, 2, False, 7)


async def test_however_many_ask_at_once_no_more_are_taken(tasks, gate):
    answers = await asyncio.gather(*(tasks.create(a_prompt()) for _ in range(40)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, TemporaryError)]
    assert (len(answers) - len(refused), len(refused)) == (11, 29)
    assert (await gate.look())[0].refused == 29


async def test_it_is_still_closed_for_whoever_opens_the_tables_next(tasks, database, clock):
    await fill(tasks)
    with pytest.raises(TemporaryError):
        await TaskRepository(database, clock, RULES).create(a_prompt())


async def test_what_is_urgent_passes_and_a_wish_that_was_granted_is_answered_again(tasks):
    first = await tasks.create(a_prompt(key="k"))
    await fill(tasks, 10)
    assert (await tasks.create(a_prompt(Priority.URGENT))).created
    again = await tasks.create(a_prompt(key="k"))
    assert (again.created, again.task.id) == (False, first.task.id)


async def test_a_repair_that_a_person_asks_for_is_not_refused(tasks):
    await fill(tasks)
    created = await tasks.create(NewTask(TaskKind.REPAIR, APP, Priority.NORMAL, {}, event(1)))
    assert created.created


async def test_the_cap_counts_what_waits_and_not_what_works(tasks, gate):
    made = await fill(tasks)
    for task in made[:3]:
        await tasks.move(task.id, TaskState.PROCESSING)
    await tasks.move(made[0].id, TaskState.WAITING_UNBAN)  # waits again, for a limit
    await tasks.create(a_prompt(Priority.URGENT))
    assert (await gate.look())[1] == 11 - 2


async def test_an_error_waits_with_its_reason_and_becomes_a_task_when_the_queue_opens(tasks, issues, gate):
    made = await fill(tasks)
    answer = await issues.ingest(pairs(event(1)))
    assert (answer.accepted, answer.tasks) == (1, ())
    (issue,) = (await issues.list()).items
    assert issue.state is IssueState.OPEN
    assert "queue is full" in issue.waiting_reason
    assert (await issues.waiting())["queue"] == 1
    assert await issues.release_waiting() == []
    await end(tasks, made[:6])
    await gate.look()
    (repair,) = await issues.release_waiting()
    assert repair.issue_id == issue.id
    assert (await issues.find(issue.id)).waiting_reason == ""


class Floor:
    """Who keeps the queue, with a real outbox; ``released`` counts how often waiting repairs were let go."""

    def __init__(self, database, clock, gate):
        self.outbox = OutboxRepository(database)
        mailroom = Mailroom(self.outbox, None, clock, str)
        self.held, self.released, self.maintenance = [], 0, None
        tools = SimpleNamespace(
            outbox=self.outbox,
            mailroom=mailroom,
            clock=clock,
            redact=str,
            policy=SimpleNamespace(recipients=ANYBODY),
        )
        engine = SimpleNamespace(hold=self.held.append)
        switch = SimpleNamespace(current=lambda: self.maintenance)
        self.keeping = QueueKeeping(tools, engine, gate, switch, self.release)

    async def release(self):
        self.released += 1

    async def subjects(self):
        return [each.subject for each in (await self.outbox.list()).items]


async def test_people_are_told_once_when_it_opens_again(tasks, database, clock, gate, caplog):
    caplog.set_level(logging.WARNING, "ai_ops")
    floor = Floor(database, clock, gate)
    made = await fill(tasks)
    with pytest.raises(TemporaryError):
        await tasks.create(a_prompt())
    await floor.keeping.look()
    assert await floor.subjects() == []
    await end(tasks, made[:6])
    for _ in range(3):
        await floor.keeping.look()
    assert await floor.subjects() == ["[AI-Ops] The queue takes prompt tasks again"]
    assert floor.released == 1
    said = [message for message in caplog.messages if "queue" in message]
    assert len(said) == 2 and "full" in said[0] and "5 pending, 1 task refused" in said[1]


async def test_when_nobody_was_refused_nobody_is_written_to(tasks, database, clock, gate):
    floor = Floor(database, clock, gate)
    await end(tasks, (await fill(tasks))[:6])
    await floor.keeping.look()
    assert (await floor.subjects(), floor.released, (await gate.look())[0].told) == ([], 1, True)


async def test_a_crash_before_it_is_noted_tells_nobody_twice(tasks, database, clock, gate):
    floor = Floor(database, clock, gate)
    made = await fill(tasks)
    with pytest.raises(TemporaryError):
        await tasks.create(a_prompt())
    await end(tasks, made[:6])
    noted, gate.told = gate.told, None
    with pytest.raises(TypeError):
        await floor.keeping.look()
    gate.told = noted
    await floor.keeping.look()
    assert len(await floor.subjects()) == 1
