"""A small soak; ``python -m tests.bench soak`` is the full one."""

import pytest

from tests.support.soak import FINAL, Plan, Soak
from tests.support.soaking import seed_of


@pytest.mark.timeout(180)
async def test_mixed_tasks_survive_failures_kills_and_limits_and_nothing_is_done_twice(install_warm):
    plan = Plan(seed_of(), tasks=60, kills=3, chance=0.03)
    print(f"SOAK_SEED={plan.seed}")
    async with install_warm() as scenario:
        result = await Soak(scenario, plan, print).run()
        tail = scenario.server.tail(20)
    print(result)
    assert result.wrong == (), tail
    assert set(result.states) <= FINAL
    assert sum(result.states.values()) == plan.tasks
    assert result.met["window"] and len(result.met) > 5
    assert result.pull_requests
