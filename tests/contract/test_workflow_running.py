"""Workflows from step to step: each step's task once, whoever dies, and no task that nobody knows of."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from ai_ops.core.admission import QueueRules
from ai_ops.core.orchestrator.guarding import Guarding
from ai_ops.core.orchestrator.steering import Steering
from ai_ops.core.orchestrator.workflow_running import WorkflowRunning
from ai_ops.core.ports import NewTask
from ai_ops.core.redaction import Redactor
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.run import Run
from ai_ops.flow.task import TaskState
from ai_ops.flow.workflow import OnFailedNeed, Workflow, WorkflowStep
from ai_ops.store.audit import AuditLog
from ai_ops.store.findings import FindingRepository
from ai_ops.store.gate import GateRepository
from ai_ops.store.pauses import PauseRepository
from ai_ops.store.retention import Retention
from ai_ops.store.tasks import TaskRepository
from ai_ops.store.workflows import MOST_RUNNING, WorkflowRepository
from ai_ops.trace.trace_store import TraceStore
from tests.support.store import APP, FixedClock


class Queue:
    """What the engine was given and told to stop."""

    def __init__(self):
        self.given, self.stopped = [], []

    async def enqueue(self, task):
        self.given.append(task.id)

    async def cancel(self, task):
        self.stopped.append(task.id)


class World:
    """A server's workflows on a real database, and an engine that only notes."""

    def __init__(self, database, folder, rules=None):
        self.clock, self.queue = FixedClock(), Queue()
        rules = rules or QueueRules()
        self.tasks = TaskRepository(database, self.clock, rules)
        self.workflows = WorkflowRepository(database, self.clock)
        self.trace = TraceStore(database, self.clock, Redactor())
        self.running = WorkflowRunning(
            self.workflows,
            self.tasks,
            self.trace,
            self.queue,
            Steering(self.tasks, self.queue, PauseRepository(database, self.clock, "a"), str),
            GateRepository(database, self.clock, rules),
            Guarding(
                FindingRepository(database),
                AuditLog(database, self.clock, folder / "audit-head.json"),
                self.clock,
                str,
            ),
            self.clock,
            lambda url, host: APP,
        )

    async def begin(self, *steps, key=None):
        now = self.clock.now()
        workflow, _ = await self.running.begin(Workflow(f"w-{key}", "flow", steps, now, now), key)
        return workflow

    async def look(self, workflow):
        await self.running.look()
        return await self.workflows.find(workflow.id)

    async def end(self, workflow, step_id, state=TaskState.COMPLETED, answer="", **changes):
        """Take a step's task to an end, with an answer where there is one."""
        step = next(each for each in workflow.steps if each.id == step_id)
        await self.tasks.move(step.task_id, TaskState.PROCESSING, trace_id=f"run-{step_id}")
        if answer:
            await self.trace.run_started(Run(f"run-{step_id}", step.task_id, 1, self.clock.now()))
            await self.trace.put_artifact(f"run-{step_id}", "answer", answer)
        await self.tasks.move(step.task_id, state, **changes)
        return await self.look(workflow)

    async def all_tasks(self):
        return [await self.tasks.find(each) for each in dict.fromkeys(self.queue.given)]


def a_step(identity, *needs, prompt="Look", priority="normal", **changes):
    task = {
        "payload": {"prompt": prompt, "name": identity, "type": "lightweight"},
        "priority": priority,
        "repo_url": "",
        "code_host": "",
    }
    return replace(WorkflowStep(identity, task, needs), **changes)


def states(workflow):
    return {step.id: str(step.state) for step in workflow.steps}


@pytest.fixture
def world(database, tmp_path):
    return World(database, tmp_path)


async def test_steps_begin_after_what_they_need_and_get_its_answers_as_data(world):
    joined = a_step("c", "a", "b", prompt="Join", answers=("a", "b"))
    workflow = await world.begin(a_step("a"), a_step("b"), joined)
    assert states(workflow) == {"a": "queued", "b": "queued", "c": "waiting"}
    workflow = await world.end(workflow, "a", answer="{{ steps.b.answer }} ghp_" + "A1b2C3d4" * 4 + "E5f6")
    assert states(workflow)["c"] == "waiting"
    workflow = await world.end(workflow, "b", answer="x" * 30_000)
    assert states(workflow) == {"a": "completed", "b": "completed", "c": "queued"}
    task = await world.tasks.find(workflow.steps[2].task_id)
    assert (task.payload["workflow_id"], task.payload["workflow_step"]) == (workflow.id, "c")
    assert task.payload["prompt"] == "Join"
    first, second = task.payload["inputs"]
    assert first == {"name": "answer of a", "text": "{{ steps.b.answer }} ***E5f6"}
    assert len(second["text"]) < 21_000 and "left out" in second["text"]
    workflow = await world.end(workflow, "c")
    assert (workflow.state, workflow.ended_at) == ("completed", world.clock.now())


async def test_a_failed_step_lets_its_dependants_be_skipped_but_for_those_that_run_anyway(world):
    report = a_step("report", "b", on_failed_need=OnFailedNeed.RUN, answers=("b",))
    workflow = await world.begin(a_step("a"), a_step("b", "a"), report)
    failure = {"code": "model_refused", "message": "it was refused", "next_step": ""}
    workflow = await world.end(workflow, "a", TaskState.FAILED, failure=failure)
    assert states(workflow) == {"a": "failed", "b": "skipped", "report": "queued"}
    task = await world.tasks.find(workflow.steps[2].task_id)
    assert task.payload["inputs"][0]["text"].startswith("There is none: the step is skipped.")
    workflow = await world.end(workflow, "report")
    assert (workflow.state, workflow.reason) == ("failed", "the step a is failed: it was refused")


FAILURE = {"code": "model_refused", "message": "it was refused", "next_step": ""}


async def test_a_workflow_goes_on_when_the_task_that_it_ended_with_is_tried_again(world):
    other = a_step("other", priority="urgent")
    workflow = await world.begin(a_step("a"), a_step("b", "a", answers=("a",)), a_step("c", "b"), other)
    await world.end(workflow, "other", TaskState.FAILED, failure=FAILURE)
    workflow = await world.end(workflow, "a", TaskState.FAILED, failure=FAILURE)
    assert states(workflow) == {"a": "failed", "b": "skipped", "c": "skipped", "other": "failed"}
    await again(world, workflow.steps[0].task_id)
    workflow = await world.look(workflow)
    assert (workflow.state, workflow.reason, workflow.ended_at) == ("running", "", None)
    assert states(workflow) == {"a": "queued", "b": "waiting", "c": "waiting", "other": "failed"}
    workflow = await world.end(workflow, "a", answer="it works")
    assert states(workflow)["b"] == "queued"
    task = await world.tasks.find(workflow.steps[1].task_id)
    assert task.payload["inputs"] == [{"name": "answer of a", "text": "it works"}]
    await again(world, workflow.steps[3].task_id)
    for step in ("other", "b", "c"):
        workflow = await world.end(await world.look(workflow), step)
    assert (workflow.state, set(states(workflow).values())) == ("completed", {"completed"})


async def test_a_workflow_whose_task_was_not_tried_again_after_all_ends_as_before(world):
    workflow = await world.begin(a_step("a"), a_step("b", "a"))
    workflow = await world.end(workflow, "a", TaskState.FAILED, failure=FAILURE)
    with pytest.raises(OSError, match="killed"):
        async with world.running.going_on(await world.tasks.find(workflow.steps[0].task_id)):
            raise OSError("killed")
    assert (await world.workflows.find(workflow.id)).state == "running"
    after = await world.look(workflow)
    assert (after.state, after.reason, states(after)) == ("failed", workflow.reason, states(workflow))


async def test_a_cancelled_workflow_stays_so_when_a_task_of_it_is_tried_again(world):
    workflow = await world.begin(a_step("a"), a_step("b", "a"))
    cancelled = await world.running.cancel(workflow.id)
    await again(world, cancelled.steps[0].task_id)
    assert await world.look(workflow) == cancelled


async def test_a_workflow_goes_on_at_the_limit_when_it_runs_itself_and_not_as_one_more(world):
    workflow = await world.begin(a_step("a"), a_step("b"), key="mine")
    workflow = await world.end(workflow, "a", TaskState.FAILED, failure=FAILURE)
    now = world.clock.now()
    for number in range(MOST_RUNNING - 1):
        await world.workflows.create(Workflow(f"w{number}", "flow", (a_step("a"),), now, now), None)
    lost = await world.tasks.find(workflow.steps[0].task_id)
    async with world.running.going_on(lost):
        pass
    workflow = await world.end(await world.look(workflow), "b")
    await world.workflows.create(Workflow("one more", "flow", (a_step("a"),), now, now), None)
    with pytest.raises(PermanentError, match="too_many_workflows"):
        async with world.running.going_on(lost):
            pass


async def test_a_workflow_goes_on_though_another_server_looks_just_before_the_task_is_tried_again(
    world, database, tmp_path
):
    workflow = await world.begin(a_step("a"), a_step("b", "a"))
    workflow = await world.end(workflow, "a", TaskState.FAILED, failure=FAILURE)
    lost = await world.tasks.find(workflow.steps[0].task_id)
    async with world.running.going_on(lost):
        assert (await World(database, tmp_path).look(workflow)).state == "failed"
        await world.running.steering.steer(lost.id, "retry")
    workflow = await world.look(workflow)
    assert (workflow.state, states(workflow)) == ("running", {"a": "queued", "b": "waiting"})


async def test_a_workflow_goes_on_though_another_server_changes_it_as_it_is_opened(
    world, database, tmp_path, monkeypatch
):
    workflow = await world.begin(a_step("a"), a_step("b", "a"), a_step("other"))
    workflow = await world.end(workflow, "a", TaskState.FAILED, failure=FAILURE)
    reopen, other = world.workflows.reopen, World(database, tmp_path)

    async def late(revived):
        monkeypatch.setattr(world.workflows, "reopen", reopen)
        await other.end(workflow, "other")
        return await reopen(revived)

    monkeypatch.setattr(world.workflows, "reopen", late)
    await again(world, workflow.steps[0].task_id)
    workflow = await world.look(workflow)
    assert states(workflow) == {"a": "queued", "b": "waiting", "other": "completed"}


async def again(world, task_id):
    """Try a task again, as the API does."""
    async with world.running.going_on(await world.tasks.find(task_id)):
        await world.running.steering.steer(task_id, "retry")


@pytest.mark.parametrize("killed", ["create", "enqueue", "save"])
async def test_a_kill_at_any_point_makes_no_second_task_and_loses_none(world, monkeypatch, killed):
    workflow = await world.begin(a_step("a"), a_step("b", "a"))

    async def die(*_, **__):
        raise TemporaryError("storage_unavailable", "killed here")

    part = {"create": world.tasks, "enqueue": world.queue, "save": world.workflows}[killed]
    whole = getattr(part, killed)
    saves = []

    async def second_save(changed):
        saves.append(changed)
        return await (whole(changed) if len(saves) % 2 else die())

    monkeypatch.setattr(part, killed, second_save if killed == "save" else die)
    with pytest.raises(TemporaryError):
        await world.end(workflow, "a")
    for _ in range(2):
        if killed == "save":
            saves.append(None)
        with pytest.raises(TemporaryError):
            await world.running.look()
    monkeypatch.setattr(part, killed, whole)
    workflow = await world.look(workflow)
    assert states(workflow) == {"a": "completed", "b": "queued"}
    assert len(await world.all_tasks()) == 2
    assert [each.id for each in await world.tasks.unfinished()] == [workflow.steps[1].task_id]


async def test_cancelling_cancels_what_waits_and_what_works_and_may_be_repeated(world):
    workflow = await world.begin(a_step("a"), a_step("b"), a_step("c", "a"))
    workflow = await world.end(workflow, "a")
    await world.tasks.move(workflow.steps[1].task_id, TaskState.PROCESSING)
    for _ in range(2):
        workflow = await world.running.cancel(workflow.id)
        assert (workflow.state, workflow.reason) == ("cancelled", "cancelled by a person")
        assert states(workflow) == {"a": "completed", "b": "cancelled", "c": "cancelled"}
    assert await world.tasks.unfinished() == []
    assert {step.task_id for step in workflow.steps[1:]} == set(world.queue.stopped)
    await world.running.look()
    assert len(world.queue.given) == 3


async def test_a_task_that_was_made_just_before_a_kill_is_cancelled_with_its_workflow(world, monkeypatch):
    save, saves = world.workflows.save, []

    async def once(changed):
        saves.append(changed)
        if len(saves) > 1:
            raise TemporaryError("storage_unavailable", "killed here")
        return await save(changed)

    monkeypatch.setattr(world.workflows, "save", once)
    with pytest.raises(TemporaryError):
        await world.begin(a_step("a"), key="k")
    monkeypatch.setattr(world.workflows, "save", save)
    (made,) = await world.tasks.unfinished()
    assert (await world.workflows.find("w-k")).steps[0].task_id is None
    workflow = await world.running.cancel("w-k")
    assert (workflow.state, workflow.steps[0].task_id) == ("cancelled", made.id)
    assert (await world.tasks.find(made.id)).state is TaskState.CANCELLED


async def test_a_workflow_that_is_over_cannot_be_cancelled(world):
    workflow = await world.begin(a_step("a"))
    await world.end(workflow, "a")
    with pytest.raises(PermanentError) as refused:
        await world.running.cancel(workflow.id)
    assert refused.value.code == "illegal_transition"
    with pytest.raises(PermanentError) as unknown:
        await world.running.cancel("nothing")
    assert unknown.value.code == "workflow_not_found"


async def test_the_same_key_is_one_workflow(world):
    first = await world.begin(a_step("a"), key="k")
    now = world.clock.now()
    second, new = await world.running.begin(Workflow("other", "flow", (a_step("a"),), now, now), "k")
    assert (second.id, new, len(world.queue.given)) == (first.id, False, 1)


async def test_while_the_queue_is_full_steps_wait_and_urgent_ones_pass(database, tmp_path):
    world = World(database, tmp_path, QueueRules(2, 1))
    others = [
        (await world.tasks.create(NewTask("prompt", None, "normal", {"prompt": "x"}))).task for _ in range(3)
    ]
    workflow = await world.begin(a_step("a"), a_step("b", priority="urgent"))
    assert states(workflow) == {"a": "waiting", "b": "queued"}
    assert states(await world.look(workflow)) == {"a": "waiting", "b": "queued"}
    for other in others[:2]:
        await world.tasks.move(other.id, TaskState.CANCELLED)
    assert states(await world.look(workflow)) == {"a": "queued", "b": "queued"}


async def test_steps_that_find_no_room_wait_and_are_not_counted_as_refused(database, tmp_path):
    rules = QueueRules(2, 1)
    world = World(database, tmp_path, rules)
    workflow = await world.begin(*(a_step(each) for each in "abcde"))
    for _ in range(3):
        workflow = await world.look(workflow)
    assert list(states(workflow).values()) == ["queued"] * 3 + ["waiting"] * 2
    gate, pending = await GateRepository(database, world.clock, rules).look()
    assert (gate.closed, gate.refused, pending) == (True, 0, 3)
    for each in "ab":
        workflow = await world.end(workflow, each)
    assert list(states(workflow).values()) == ["completed"] * 2 + ["queued"] * 3


async def test_a_step_that_is_refused_after_all_goes_back_to_wait(database, tmp_path):
    rules = QueueRules(2, 1)
    world = World(database, tmp_path, rules)

    async def roomy():
        return None

    world.running.gate.room = roomy  # others were faster
    workflow = await world.begin(*(a_step(each) for each in "abcde"))
    del world.running.gate.room
    for _ in range(3):
        workflow = await world.look(workflow)
    gate, _ = await GateRepository(database, world.clock, rules).look()
    assert gate.refused == 2
    assert [(str(step.state), "full" in step.reason) for step in workflow.steps[3:]] == [
        ("waiting", True)
    ] * 2


async def test_a_workflow_with_a_forbidden_step_does_not_begin(world):
    with pytest.raises(PermanentError) as refused:
        await world.begin(a_step("a"), a_step("b", "a", prompt="Then run `rm -rf /`."))
    assert refused.value.code == "command_blocked"
    assert await world.tasks.unfinished() == [] and await world.workflows.running() == []


async def test_a_step_that_has_come_to_be_forbidden_fails_with_the_reason(world, monkeypatch):
    workflow = await world.begin(a_step("a"), a_step("b", "a"))

    async def forbid(*_):
        raise PermanentError("policy_violated", "not at this hour")

    monkeypatch.setattr(Guarding, "admit", forbid)
    workflow = await world.end(workflow, "a")
    assert (workflow.state, states(workflow)["b"]) == ("failed", "failed")
    assert "not at this hour" in workflow.steps[1].reason and len(world.queue.given) == 1


async def test_two_servers_that_look_at_once_make_one_task_a_step(world, database, tmp_path):
    workflow = await world.begin(a_step("a"), a_step("b", "a"))
    other = World(database, tmp_path)
    step = workflow.steps[0]
    for state in (TaskState.PROCESSING, TaskState.COMPLETED):
        await world.tasks.move(step.task_id, state)
    await asyncio.gather(*(each.running.look() for each in (world, other, world, other)))
    workflow = await world.look(workflow)
    assert states(workflow) == {"a": "completed", "b": "queued"}
    assert len({*world.queue.given, *other.queue.given}) == 2


async def test_more_workflows_than_may_run_are_refused(world):
    now = world.clock.now()
    for number in range(MOST_RUNNING):
        await world.workflows.create(Workflow(f"w{number}", "flow", (a_step("a"),), now, now), None)
    with pytest.raises(PermanentError) as refused:
        await world.begin(a_step("a"))
    assert refused.value.code == "too_many_workflows"


async def test_a_change_by_somebody_else_is_not_written_over(world):
    workflow = await world.begin(a_step("a"))
    await world.workflows.ask_cancel(workflow.id)
    assert await world.workflows.save(replace(workflow, reason="late")) is None
    assert (await world.workflows.find(workflow.id)).cancel_requested


async def test_a_workflow_that_ended_long_ago_is_forgotten_and_one_that_runs_stays(world, database):
    over, runs = await world.begin(a_step("a"), key="over"), await world.begin(a_step("a"), key="runs")
    await world.end(over, "a")
    world.clock.time += timedelta(days=31)
    await Retention(database, world.clock, 30, 30).sweep()
    assert await world.workflows.find(over.id) is None
    assert (await world.workflows.find(runs.id)).state == "running"
