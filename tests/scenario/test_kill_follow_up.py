"""kill -9 of the server at every step of a follow-up: one commit, one answer, whatever was cut short."""

import pytest

from tests.support import shop
from tests.support.children import until
from tests.support.git_server import git
from tests.support.scenario import REPOSITORY, RESTING

STEPS = (
    "checkout:1",
    "verify:0",
    "revise:1",
    "guard:1",
    "verify:1",
    "commit:1",
    "push:1",
    "record:1",
    "reply:1",
)
INSIDE = ("push:1", "record:1", "reply:1")
POINTS = {
    "before": [f"{step}:before" for step in STEPS],
    "after": [f"{step}:after" for step in STEPS],
    "committed": [f"{step}:committed" for step in STEPS],
    "inside": [f"{step}:inside" for step in INSIDE],
}
REVISED = shop.FIXED.replace("0.0", "float(0)")


async def ended(scenario):
    """Wait until the one follow-up has come to rest, and return it."""

    async def over():
        tasks = await scenario.items("/v1/tasks?kind=follow_up")
        assert len(tasks) <= 1, tasks
        return tasks[0] if tasks and tasks[0]["state"] in RESTING else None

    return await until("the follow-up has ended", over, 60.0, scenario.server.tail)


@pytest.mark.parametrize("points", POINTS.values(), ids=POINTS)
async def test_a_follow_up_ends_once_after_the_server_was_killed_at_each_of_its_steps(install_warm, points):
    async with install_warm() as scenario:
        revise = {"files": {shop.MODULE_PATH: REVISED}, "summary": "It says float(0) now."}
        scenario.script(shop.script() | {"revise": [revise]})
        await scenario.start_server()
        await scenario.report(shop.error())
        await scenario.ended()
        assert await scenario.server.stop() == 0
        (pull,) = scenario.pulls()
        scenario.github.say(REPOSITORY, pull["number"], "ada", "/ai-ops say float(0)")

        for point in points:
            scenario.launch_server(crash_at=point)
            assert await scenario.server.died() == -9, point
        await scenario.restart_server()
        task = await ended(scenario)

        assert (task["state"], task["proof"]["verdict"]) == ("completed", "proved")
        (ours,) = await scenario.items("/v1/pull-requests")
        branch, remote = pull["head"], scenario.github.root / f"{REPOSITORY}.git"
        log = git("log", "--format=%H", f"main..{branch}", cwd=remote).split()
        assert (len(log), log[0], ours["revision"]) == (2, ours["head_sha"], 2)
        assert git("show", f"{branch}:{shop.MODULE_PATH}", cwd=remote) == REVISED.strip()
        said = [each["body"] for each in scenario.github.listed("comments", REPOSITORY)]
        assert len(said) == 2
        assert f"Revision 2 is on the branch: {log[0]}." in said[1]
        await scenario.leaves_nothing_behind()
