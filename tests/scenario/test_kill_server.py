"""kill -9 of the server at every step of a repair: the run ends, and each effect is there once."""

import asyncio
import random

import pytest

from ai_ops.core.identity import message_id
from tests.support import shop
from tests.support.children import commands, until
from tests.support.github_double import ApiFaults
from tests.support.scenario import stands

STEPS = (
    "checkout:1",
    "triage:1",
    "reproduce:1",
    "verify:0",
    "fix:1",
    "guard:1",
    "verify:1",
    "commit:1",
    "push:1",
    "open_pull_request:1",
    "ask_reviewers:1",
    "notify:1",
)
WHENS = ("before", "after", "committed")
POINTS = [
    "push:1:left",
    "open_pull_request:1:inside",
    "record:1:inside",
    "open_pull_request:1:left",
    "notify:1:inside",
    "verify:1:left",
    "notify:1:left",
]
ENTERED_AGAIN = {"record:1": "open_pull_request:1"}


async def proved_once(scenario):
    """The one task is done, with one branch, one pull request, one mail, and nothing left over."""
    task = await scenario.ended()
    assert stands(task) == ("completed", "proved", "reproduced"), scenario.server.tail()
    (pull,) = scenario.pulls()
    assert scenario.branches() == [pull["head"]]
    assert pull["head"].startswith("ai-ops/fix-")
    assert task["pr_url"].endswith(f"/pull/{pull['number']}")
    (ours,) = await scenario.items("/v1/pull-requests")
    assert (ours["state"], ours["number"], ours["url"]) == ("open", pull["number"], task["pr_url"])
    assert len(scenario.mail.message_ids) == 1
    trace = await scenario.get(f"/v1/traces/{task['trace_id']}")
    assert [f"{step['name']}:{step['round']}" for step in trace["steps"]] == list(STEPS)
    assert {step["state"] for step in trace["steps"]} == {"done"}
    await scenario.leaves_nothing_behind()
    return trace


def worked(scenario):
    """Return the steps whose work was begun, by all servers together."""
    return [line.removeprefix("work: ") for line in scenario.server.lines() if line.startswith("work: ")]


def entered_again(trace):
    """Return the steps that were entered more than once."""
    return [f"{step['name']}:{step['round']}" for step in trace["steps"] if step["entries"] > 1]


@pytest.mark.parametrize("when", WHENS)
async def test_a_repair_ends_once_after_the_server_was_killed_at_each_of_its_steps(install_warm, when):
    async with install_warm() as scenario:
        scenario.script(shop.script())
        await scenario.start_server(crash_at=f"{STEPS[0]}:{when}")
        await scenario.report(shop.error())
        for step in STEPS[1:]:
            assert await scenario.server.died() == -9
            scenario.launch_server(crash_at=f"{step}:{when}")
        assert await scenario.server.died() == -9
        await scenario.restart_server()
        trace = await proved_once(scenario)

        again = [] if when == "committed" else list(STEPS)
        assert entered_again(trace) == again
        assert sorted(worked(scenario)) == sorted([*STEPS, *again])
        assert len(scenario.mail.messages) == 1


@pytest.mark.parametrize("point", POINTS)
async def test_a_repair_ends_once_after_the_server_was_killed(install_warm, point):
    async with install_warm() as scenario:
        scenario.script(shop.script())
        await scenario.start_server(crash_at=point)
        await scenario.report(shop.error())
        assert await scenario.server.died() == -9
        await scenario.restart_server()
        trace = await proved_once(scenario)

        step, _, when = point.rpartition(":")
        again = [ENTERED_AGAIN.get(step, step)] if when == "inside" else []
        assert entered_again(trace) == again
        assert sorted(worked(scenario)) == sorted([*STEPS, *again])
        # A mail whose delivery was not committed comes twice, with one Message-ID.
        assert len(scenario.mail.messages) == (2 if point == "notify:1:inside" else 1)


@pytest.mark.parametrize("attempt", range(3))
async def test_a_repair_ends_once_when_the_server_is_killed_as_its_pull_request_appears(
    install_warm, attempt
):
    """The host has it, and the server is somewhere between its answer and our record."""
    async with install_warm() as scenario:
        scenario.script(shop.script())
        await scenario.start_server()
        await scenario.report(shop.error())
        async with asyncio.timeout(60):
            while not scenario.pulls():
                await asyncio.sleep(0)
        await scenario.server.kill()
        await scenario.restart_server()
        await proved_once(scenario)


@pytest.mark.parametrize(
    "point",
    ["open_pull_request:1:before", "failed:1:committed", "notify:1:inside"],
    ids=["before it fails", "when it has failed", "when its mail is sent"],
)
async def test_a_run_that_fails_is_told_once_after_the_server_was_killed(install_warm, point):
    async with install_warm() as scenario:
        scenario.script(shop.script())
        scenario.github.faults = ApiFaults(status=403, method="POST", path="/pulls")
        await scenario.start_server(crash_at=point)
        await scenario.report(shop.error())
        assert await scenario.server.died() == -9
        await scenario.restart_server()
        task = await scenario.ended()
        assert stands(task) == ("failed", None, "host_forbidden")
        await until("the mail is there", lambda: scenario.mail.messages, hint=scenario.server.tail)
        if point == "notify:1:inside":  # its delivery was not committed: it comes again, as the same mail
            await until("it came again", lambda: len(scenario.mail.messages) == 2, hint=scenario.server.tail)
        assert await scenario.server.stop() == 0
        assert scenario.mail.message_ids == {message_id(f"failed:{task['task_id']}:1")}
        assert len(scenario.mail.messages) == (2 if point == "notify:1:inside" else 1)


@pytest.mark.parametrize("seed", range(3))
async def test_a_repair_ends_once_after_kills_at_random_moments(install_warm, seed):
    chance = random.Random(seed)
    async with install_warm() as scenario:
        scenario.script(shop.script())
        await scenario.start_server()
        await scenario.report(shop.error())
        for _ in range(3):
            await asyncio.sleep(chance.uniform(0, 2.5))
            await scenario.server.kill()
            await scenario.restart_server()
        await proved_once(scenario)


async def test_a_repair_ends_once_after_clean_stops(install_warm):
    async with install_warm() as scenario:
        scenario.script(shop.script())
        await scenario.start_server()
        await scenario.report(shop.error())
        for _ in range(3):
            await asyncio.sleep(0.5)
            assert await scenario.server.stop() == 0
            assert scenario.processes() == []
            await scenario.restart_server()
        await proved_once(scenario)


def runs(scenario, *words):
    """Say whether a process with these words in its command line runs below the server."""
    return any(set(words) <= set(command) for command in commands(scenario.processes()))


async def test_a_killed_server_leaves_no_test_run_behind(install_warm):
    slow = shop.files() | {"tests/test_slow.py": "import time\n\n\ndef test_it():\n    time.sleep(2)\n"}
    async with install_warm(files=slow) as scenario:
        scenario.script(shop.script())
        await scenario.start_server()
        await scenario.report(shop.error())
        await until("the suite runs", lambda: runs(scenario, "-m", "pytest"), hint=scenario.server.tail)
        await asyncio.sleep(0.5)
        await scenario.server.kill()
        await until("nothing runs any more", lambda: scenario.processes() == [], 10)
        await scenario.restart_server()
        await proved_once(scenario)


async def test_a_killed_server_leaves_no_claude_behind(install_warm):
    hangs = {**shop.AGENTIC["requests"][0]["turns"][0], "hang": True, "times": 1}
    first, *others = shop.AGENTIC["requests"][0]["turns"]
    reproduce = {"purpose": "reproduce", "turns": [first | hangs, *others]}
    conversation = {"requests": [reproduce, shop.AGENTIC["requests"][1]]}
    settings = {"CLAUDE_FIX_MODE": "agentic", "CLAUDE_TRIAGE_MODEL": "none"}
    async with install_warm(conversation=conversation, **settings) as scenario:
        await scenario.start_server()
        await scenario.report(shop.error())
        await until("Claude is asked", lambda: scenario.messages.requests, hint=scenario.server.tail)
        assert runs(scenario, "--restricted")
        await scenario.server.kill()
        await until("nothing runs any more", lambda: scenario.processes() == [], 10)
        await scenario.restart_server()
        await proved_once(scenario)
