"""From a red check to a ready pull request: the whole way, with the real run in between."""

from ai_ops.core.orchestrator.ci import CiWatch
from ai_ops.core.orchestrator.holding import Holding
from ai_ops.core.orchestrator.watching import Watching
from ai_ops.core.ports import TaskFilter
from ai_ops.flow.ci import CiVerdict
from ai_ops.flow.pull_request import Check, Checks, CheckState
from ai_ops.flow.task import TaskKind, TaskState
from tests.support import shop
from tests.support.ci_host import CiHost
from tests.support.git_server import git, push_files

REVISED = shop.FIXED.replace("0.0", "float(0)")
SCRIPT = shop.script() | {"revise": [{"files": {shop.MODULE_PATH: REVISED}, "summary": "It is a float."}]}
P, F = CheckState.PASSED, CheckState.FAILED


def says(state):
    return Checks(state, (Check("1", "types", state),))


def with_ci(floor):
    """Give the workshop's host a CI, and return it with the round of its pull requests."""
    plain, tools = floor.tools.hosts["local"], floor.tools
    host = CiHost(plain._pull_requests, plain._comments, plain._git)
    tools.hosts["local"] = host
    watchers = (Holding(tools), CiWatch(tools, floor.engine))
    return host, Watching(tools.pull_requests, tools.hosts, watchers)


async def followed_up(floor):
    """Return the newest follow-up after its run."""
    found = await floor.tools.tasks.list(TaskFilter(kinds=(TaskKind.FOLLOW_UP,)))
    return await floor.worked(found.items[0])


async def the_pull(floor):
    (pull,) = await floor.pulls()
    return pull


async def test_a_check_that_the_fix_broke_is_repaired_and_the_draft_made_ready(workshop):
    async with workshop(SCRIPT, files={".ai-ops.yml": "draft: until_green\n"}) as floor:
        host, watching = with_ci(floor)
        await floor.repaired()
        first = await the_pull(floor)
        assert (first.draft, first.ready_when_green) == (True, True)
        host.says = {first.base_sha: says(P), first.head_sha: says(F)}
        host.logs = {"types": "shop/ratings.py:7: error: an average is a float\n"}
        await watching.round()
        task = await followed_up(floor)
        assert (task.state, task.outcome_reason) == (TaskState.COMPLETED, "revision 2 was pushed")
        assert "error: an average is a float" in floor.fixer.requests[-1].prompt

        second = await the_pull(floor)
        assert (second.revision, second.draft) == (2, True)
        host.says[second.head_sha] = says(P)
        await watching.round()
        ready = await the_pull(floor)
        assert (ready.ci.verdict, ready.draft, ready.held) == (CiVerdict.GREEN, False, "")
        assert host.made_ready == 1


async def test_a_check_that_the_base_has_mended_is_green_once_the_base_is_merged_in(workshop):
    async with workshop(SCRIPT) as floor:
        host, watching = with_ci(floor)
        await floor.repaired()
        first = await the_pull(floor)
        newest = push_files(floor.remote, {"types.cfg": "strict = no\n"})
        host.says = {first.base_sha: says(F), newest: says(P), first.head_sha: says(F)}
        asked = len(floor.fixer.requests)
        await watching.round()
        assert (await followed_up(floor)).outcome_reason == "revision 2 was pushed"
        second = await the_pull(floor)
        assert git("log", "-1", "--format=%P", second.head_sha, cwd=floor.remote).split() == [
            first.head_sha,
            newest,
        ]
        host.says[second.head_sha] = says(P)
        await watching.round()
        assert ((await the_pull(floor)).ci.verdict, len(floor.fixer.requests)) == (CiVerdict.GREEN, asked)
