"""A limit of the subscription, met by the real CLI: the whole queue waits, whatever dies, and is not lost."""

import time

from tests.support.children import until
from tests.support.messages_double import conversation

HOUR = 3600


def limited_once():
    """A model that is limited for an hour when it is asked first, and answers then."""
    headers = {
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
        "anthropic-ratelimit-unified-reset": str(int(time.time()) + HOUR),
    }
    error = {"status": 429, "type": "rate_limit_error", "message": "limited", "headers": headers}
    return conversation("task", {"error": error, "times": 1, "text": "At last."})


async def all_are(scenario, state, number):
    async def there():
        tasks = await scenario.items("/v1/tasks")
        return len(tasks) == number and {task["state"] for task in tasks} == {state} and tasks

    return await until(f"{number} tasks are {state}", there, hint=scenario.server.tail)


async def taken_up(scenario, before):
    """Wait until all wait again after a start, and return until when."""

    async def waits_again():
        now = await scenario.items("/v1/tasks")
        again = all(new["updated_at"] > old["updated_at"] for new, old in zip(now, before, strict=True))
        return again and {task["state"] for task in now} == {"waiting_unban"} and now

    found = await until("the tasks wait again", waits_again, hint=scenario.server.tail)
    return [task["waiting_until"] for task in found]


async def pause(scenario):
    lines = (await scenario.get("/metrics")).splitlines()
    return [line for line in lines if line.startswith("ai_ops_queue_pause_seconds{")]


async def ask(scenario, number=1):
    for _ in range(number):
        await scenario.post("/v1/tasks", {"prompt": "Why?", "type": "lightweight"}, status=201)


async def test_a_limit_holds_for_the_queue_across_a_kill_and_ends_with_another_credential(install_warm):
    async with install_warm(conversation=limited_once(), MAX_CONCURRENT_TASKS="1") as scenario:
        await scenario.start_server()
        await ask(scenario, 3)
        tasks = await all_are(scenario, "waiting_unban", 3)
        assert {task["waiting_for"] for task in tasks} == {"model_session_limit"}
        assert all(task["waiting_until"] for task in tasks)
        assert len(scenario.messages.requests) == 1
        (paused,) = await pause(scenario)
        assert paused.startswith('ai_ops_queue_pause_seconds{reason="model_session_limit"} 3')

        await scenario.server.kill()
        await scenario.restart_server()
        assert await taken_up(scenario, tasks) == [task["waiting_until"] for task in tasks]
        await ask(scenario)
        await all_are(scenario, "waiting_unban", 4)
        assert len(scenario.messages.requests) == 1
        assert await pause(scenario)

        await scenario.server.stop()
        scenario.settings["ANTHROPIC_API_KEY"] = "another-" + scenario.planted.claude_key
        await scenario.restart_server()
        await all_are(scenario, "completed", 4)
        assert len(scenario.messages.requests) == 1 + 4
        assert await pause(scenario) == []
        await scenario.leaves_nothing_behind()
