"""Ten thousand repeats of one error, with other ids and times: one issue, task, pull request and mail."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from tests.support import shop
from tests.support.children import until
from tests.support.scenario import stands

REPEATS = 10_000
BURST = 500


def repeat(number):
    """Return the shop's error as it is logged for another request, at another time, of another order."""
    at = datetime(2026, 1, 2, tzinfo=UTC) + timedelta(seconds=7 * number)
    order, address = uuid.UUID(int=number * 7919), number * 104729
    lines = shop.error(number).replace(
        "2026-01-02 03:04:05,678", f"{at:%Y-%m-%d %H:%M:%S},{number % 1000:03}"
    )
    return lines.replace("by zero", f"by zero (order {order}, customer {number}, at 0x{address:08x})")


@pytest.mark.parametrize(
    "window", [pytest.param("3600", id="counted by the agent"), pytest.param("0", id="each an event")]
)
async def test_repeats_are_one_issue_one_task_one_pull_request_one_mail(install_warm, window):
    async with install_warm() as scenario:
        scenario.script(shop.script())
        await scenario.start_server()
        scenario.log.touch()
        scenario.start_agent(DEDUP_WINDOW_SECONDS=window)
        with scenario.log.open("a") as log:
            for first in range(0, REPEATS, BURST):
                log.write("".join(repeat(number) for number in range(first, first + BURST)))
                log.flush()

        async def counted():
            (issue,) = await scenario.items("/v1/issues")
            return issue["count"] == REPEATS

        task = await scenario.ended()
        if window == "0":
            await until("every event is counted", counted, hint=scenario.agent.tail)
        assert await scenario.agent.stop() == 0
        assert await counted()

        assert stands(task) == ("completed", "proved", "reproduced")
        assert len(await scenario.items("/v1/tasks")) == 1
        assert len(scenario.pulls()) == len(scenario.branches()) == len(scenario.mail.messages) == 1
        await scenario.leaves_nothing_behind()
