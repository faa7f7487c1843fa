"""kill -9 of the server at every step of a repair: the run ends, and each effect is there once."""

import asyncio
import random

import pytest

from tests.support import shop
from tests.support.scenario import stands

STEPS = (
    "checkout:1",
    "triage:1",
    "reproduce:1",
    "fix:1",
    "guard:1",
    "verify:0",
    "verify:1",
    "commit:1",
    "push:1",
    "open_pull_request:1",
    "notify:1",
)
WHENS = ("before", "after", "committed")
POINTS = [f"{step}:{when}" for step in STEPS for when in WHENS] + ["verify:1:left", "notify:1:left"]


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
        entries = {f"{each['name']}:{each['round']}": each["entries"] for each in trace["steps"]}
        again = {step} if when in ("before", "after") else set()
        assert {name for name, number in entries.items() if number > 1} == again


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
