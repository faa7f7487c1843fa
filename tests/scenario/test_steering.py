"""A person's word and the real CLI: its child dies at once, and the run goes on when it is asked to."""

import asyncio
import time

from tests.support.children import until
from tests.support.messages_double import conversation


def hanging(times):
    """A model that hangs the first times it is asked, and answers then."""
    return conversation("task", {"hang": "before", "times": times, "text": "At last."})


async def ask(scenario, **more):
    body = {"prompt": "Why?", "type": "lightweight", **more}
    return (await scenario.post("/v1/tasks", body, status=201))["task_id"]


async def word(scenario, task_id, verb):
    return await scenario.post(f"/v1/tasks/{task_id}/{verb}")


def clis(scenario):
    """The processes of the CLI, the sandbox around it included."""
    return [process for process in scenario.processes() if process.pid != scenario.server.pid]


async def asked(scenario, number):
    await until(
        f"request {number}", lambda: len(scenario.messages.requests) == number, hint=scenario.server.tail
    )
    assert clis(scenario)


async def is_in(scenario, task_id, state):
    async def there():
        task = await scenario.get(f"/v1/tasks/{task_id}")
        return task["state"] == state and task

    return await until(f"the task is {state}", there, hint=scenario.server.tail)


async def test_each_verb_acts_on_a_running_child_at_once_and_may_be_said_again(install_warm):
    async with install_warm(conversation=hanging(3)) as scenario:
        await scenario.start_server()
        task_id = await ask(scenario)
        await asked(scenario, 1)
        for _ in range(2):
            assert (await word(scenario, task_id, "pause"))["state"] == "paused"
            assert clis(scenario) == []
        for _ in range(2):
            await word(scenario, task_id, "resume")
        await asked(scenario, 2)
        for _ in range(2):
            assert (await word(scenario, task_id, "cancel"))["state"] == "cancelled"
            assert clis(scenario) == []
        assert (await word(scenario, task_id, "retry"))["run_number"] == 2
        await asked(scenario, 3)

        # Many words at the same time: the last commit has the last effect.
        verbs = ["pause", "resume"] * 10
        await asyncio.gather(*(word(scenario, task_id, verb) for verb in verbs))
        await word(scenario, task_id, "pause")
        assert clis(scenario) == []
        await word(scenario, task_id, "resume")
        task = await is_in(scenario, task_id, "completed")
        assert task["run_number"] == 2
        await scenario.leaves_nothing_behind()


async def test_a_person_ends_the_pause_of_the_queue_and_one_task_looks_before_the_others(install_warm):
    headers = {
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-representative-claim": "seven_day",
        "anthropic-ratelimit-unified-reset": str(int(time.time()) + 3 * 86400),
    }
    error = {"status": 429, "type": "rate_limit_error", "message": "limited", "headers": headers}
    model = conversation("task", {"error": error, "times": 2, "text": "At last."})
    async with install_warm(conversation=model, MAX_CONCURRENT_TASKS="1") as scenario:
        await scenario.start_server()
        ids = [await ask(scenario) for _ in range(3)]
        for task_id in ids:
            task = await is_in(scenario, task_id, "waiting_unban")
            assert task["waiting_for"] == "model_weekly_limit"
        state = await scenario.get("/v1/system/queue")
        assert state["pause"]["code"] == "model_weekly_limit"
        assert 2 * 86400 < state["pause"]["seconds_left"] <= 3 * 86400
        assert (await scenario.get("/readyz"))["pause"]["code"] == "model_weekly_limit"
        assert len(scenario.messages.requests) == 1

        assert (await scenario.post("/v1/system/resume"))["waiting"] == 3  # it is not over yet
        await until("one looks", lambda: len(scenario.messages.requests) == 2, hint=scenario.server.tail)
        await is_in(scenario, ids[0], "waiting_unban")
        assert (await scenario.get("/v1/system/queue"))["pause"]["failures"] == 2

        await word(scenario, ids[1], "resume")  # by any of them
        for task_id in ids:
            await is_in(scenario, task_id, "completed")
        assert (await scenario.get("/v1/system/queue"))["pause"] is None
        assert len(scenario.messages.requests) == 2 + 3
        await scenario.leaves_nothing_behind()


async def test_in_maintenance_running_work_ends_and_new_work_waits_even_across_a_restart(install_warm):
    async with install_warm(conversation=hanging(1), MAX_CONCURRENT_TASKS="1") as scenario:
        await scenario.start_server()
        running = await ask(scenario)
        await asked(scenario, 1)
        (scenario.data / ".maintenance").touch()
        await until("the file is seen", lambda: "maintenance begins" in scenario.server.tail())
        assert (await scenario.get("/v1/system/queue"))["maintenance"]["since"]
        assert "maintenance" in await scenario.get("/readyz")
        assert "ai_ops_maintenance 1.0" in await scenario.get("/metrics")
        created = await scenario.post("/v1/tasks", {"prompt": "And?", "type": "lightweight"}, status=201)
        assert "maintenance" in created["busy"]
        assert (await scenario.get(f"/v1/tasks/{running}"))["state"] == "processing"
        assert clis(scenario)
        await word(scenario, running, "cancel")
        await scenario.server.kill()
        await scenario.restart_server()
        assert (await scenario.get("/v1/system/queue"))["waiting_for_turn"] == 1
        assert (await scenario.get(f"/v1/tasks/{created['task_id']}"))["state"] == "pending"
        assert len(scenario.messages.requests) == 1
        await scenario.post("/v1/system/maintenance", {"on": False})
        await is_in(scenario, created["task_id"], "completed")
        await scenario.leaves_nothing_behind()
