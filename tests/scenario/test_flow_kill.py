"""kill -9 of agent and server while events flow: none that was acknowledged is lost, none counts twice."""

import asyncio
import random

import pytest

from tests.support.children import until

KINDS = ("payment was refused", "stock is not known", "address cannot be read")
LINES = 1500
KILLS = 6


async def write(log, chance):
    """Log errors of some kinds, now many at once and now few, and return how many of each."""
    written = dict.fromkeys(KINDS, 0)
    with log.open("a") as file:
        while sum(written.values()) < LINES:
            for _ in range(chance.randint(1, 60)):
                kind = chance.choice(KINDS)
                written[kind] += 1
                file.write(f"2026-01-02 03:04:05,000 ERROR [shop] {kind}\n")
                file.write("2026-01-02 03:04:05,000 INFO [shop] going on\n")
            file.flush()
            await asyncio.sleep(chance.uniform(0, 0.15))
    return written


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    "window", [pytest.param("0", id="each an event"), pytest.param("3600", id="counted by the agent")]
)
async def test_every_logged_error_counts_once_whatever_is_killed(install_warm, window, seed):
    chance = random.Random(seed)
    async with install_warm() as scenario:
        scenario.script({})
        await scenario.start_server()
        scenario.log.touch()
        scenario.start_agent(DEDUP_WINDOW_SECONDS=window)
        writing = asyncio.create_task(write(scenario.log, chance))
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0.05, 0.6))
            if chance.random() < 0.5:
                await scenario.server.kill()
                await scenario.start_server()
            else:
                await scenario.agent.kill()
                scenario.start_agent(DEDUP_WINDOW_SECONDS=window)
        written = await writing

        # What still waits on disk is shipped by an agent that reads to the end and leaves.
        await scenario.agent.kill()
        scenario.start_agent("--once", DEDUP_WINDOW_SECONDS=window)
        assert await scenario.agent.died() == 0, scenario.agent.tail()
        await until("the issues are there", lambda: scenario.items("/v1/issues"))
        counted = {}
        for issue in await scenario.items("/v1/issues"):
            (kind,) = [kind for kind in KINDS if kind in issue["sample"]["error"]["raw_excerpt"]]
            counted[kind] = counted.get(kind, 0) + issue["count"]
        assert counted == written
        await scenario.leaves_nothing_behind()
