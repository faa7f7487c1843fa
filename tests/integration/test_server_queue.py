"""The queue over HTTP: what is refused and why, what is said of pauses and maintenance, racing words."""

import asyncio
import random

import pytest

from ai_ops.core.admission import QueueRules
from ai_ops.core.pausing import LIMIT_CODES
from ai_ops.errors import TemporaryError
from ai_ops.flow.task import TaskState
from tests.support.running_server import a_prompt, a_repair, running


@pytest.fixture
async def server(tmp_path):
    async with running(tmp_path, queue_rules=QueueRules(high=10, low=5)) as started:
        started.engine.hold(True)
        yield started


async def ask(server, number=1, **more):
    return [await server.post("/v1/tasks", a_prompt(**more)) for _ in range(number)]


async def test_a_full_queue_refuses_with_the_reason_and_when_to_come_again(server):
    answers = await ask(server, 11)
    assert {answer.status for answer in answers} == {201}
    assert ["busy" in answer.json for answer in answers] == [False] * 6 + [True] * 5
    (refused,) = await ask(server)
    assert (refused.status, refused.json["code"]) == (429, "queue_full")
    assert int(refused.headers["Retry-After"]) > 0
    assert "11 prompt tasks are pending" in refused.json["detail"]
    assert (await ask(server, priority="urgent"))[0].status == 201
    assert (await server.post("/v1/tasks", a_repair())).status == 201
    state = (await server.get("/v1/system/queue")).json
    assert (state["accepting"], state["pending"], state["refused"]) == (False, 11, 1)
    text = (await server.get("/metrics")).body.decode()
    assert "ai_ops_queue_accepting 0.0" in text and "ai_ops_queue_prompt_tasks 11.0" in text

    for answer in answers[:6]:
        await server.post(f"/v1/tasks/{answer.json['task_id']}/cancel")
    assert (await server.get("/v1/system/queue")).json["accepting"]
    assert (await ask(server))[0].status == 201


async def test_a_schedule_that_a_person_runs_is_refused_too(server):
    await ask(server, 11)
    made = await server.post("/v1/schedules", {"name": "n", "cron": "@daily", "task": a_prompt()})
    answer = await server.post(f"/v1/schedules/{made.json['schedule_id']}/run")
    assert (answer.status, answer.json["code"]) == (429, "queue_full")


async def test_maintenance_is_begun_and_ended_and_said_to_whoever_asks_for_work(server):
    begun = await server.post("/v1/system/maintenance", {"on": True, "reason": "a new disk"})
    again = await server.post("/v1/system/maintenance", {"on": True, "reason": "another"})
    assert begun.json["maintenance"] == again.json["maintenance"]
    assert begun.json["maintenance"]["reason"] == "a new disk"
    (created,) = await ask(server)
    assert created.status == 201 and "maintenance" in created.json["busy"]
    assert (await server.get("/readyz", key="")).json == {"status": "ready", "maintenance": True}
    ended = await server.post("/v1/system/maintenance", {"on": False})
    assert ended.json["maintenance"] is None
    server.worker.gate.set()
    task_id = created.json["task_id"]
    while (await server.get(f"/v1/tasks/{task_id}")).json["state"] != "completed":
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "body", [{}, {"on": "yes"}, {"on": True, "why": "x"}, {"on": True, "reason": "x" * 501}]
)
async def test_what_maintenance_does_not_understand_changes_nothing(server, body):
    assert (await server.post("/v1/system/maintenance", body)).status == 422
    assert (await server.get("/v1/system/queue")).json["maintenance"] is None


@pytest.mark.parametrize("code", sorted(LIMIT_CODES))
async def test_a_pause_is_seen_everywhere_and_a_person_may_end_the_waiting(server, code):
    await server.services.pauses.meet("a run", TemporaryError(code, "limited", delay=7200.0))
    state = (await server.get("/v1/system/queue")).json
    assert state["pause"]["code"] == code
    assert 7100 < state["pause"]["seconds_left"] <= 7200
    assert (await server.get("/readyz", key="")).json["pause"]["code"] == code
    assert f'ai_ops_queue_pause_seconds{{reason="{code}"}} 7' in (await server.get("/metrics")).body.decode()
    (created,) = await ask(server)
    assert code in created.json["busy"]
    ended = (await server.post("/v1/system/resume")).json
    assert (ended["waiting"], ended["pause"]["seconds_left"]) == (0, 0)  # the next that asks looks


async def test_words_at_the_same_time_leave_the_run_as_the_last_of_them_wants_it(server):
    server.engine.hold(False)
    draw = random.Random(7)
    (created,) = await ask(server)
    task_id = created.json["task_id"]
    for last, wanted in [("pause", "paused"), ("resume", "processing")] * 5:
        verbs = [draw.choice(["pause", "resume"]) for _ in range(8)]
        answers = await asyncio.gather(*(server.post(f"/v1/tasks/{task_id}/{verb}") for verb in verbs))
        assert {answer.status for answer in answers} == {200}
        await server.post(f"/v1/tasks/{task_id}/{last}")
        while (await server.get(f"/v1/tasks/{task_id}")).json["state"] != wanted:
            await asyncio.sleep(0.01)
        assert bool(server.engine._running) is (wanted == "processing")
    server.worker.gate.set()
    while (await server.get(f"/v1/tasks/{task_id}")).json["state"] != "completed":
        await asyncio.sleep(0.01)
    assert {run for _, run in server.worker.seen} == {1}


async def test_a_paused_run_is_not_ended_and_its_trace_goes_on(server):
    server.engine.hold(False)
    (created,) = await ask(server)
    task_id = created.json["task_id"]
    while (await server.tasks.find(task_id)).state is not TaskState.PROCESSING:
        await asyncio.sleep(0.01)
    await server.post(f"/v1/tasks/{task_id}/pause")
    trace_id = (await server.tasks.find(task_id)).trace_id
    assert (await server.trace.find_run(trace_id)).ended_at is None
    server.worker.gate.set()
    await server.post(f"/v1/tasks/{task_id}/resume")
    while (await server.trace.find_run(trace_id)).ended_at is None:
        await asyncio.sleep(0.01)
    assert (await server.trace.find_run(trace_id)).outcome == "completed"
