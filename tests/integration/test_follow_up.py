"""A follow-up of a pull request: revised, proved anew, pushed on top, and answered in the thread."""

from ai_ops.core.follow_ups import wish
from ai_ops.flow.follow_up import FollowUp, FollowUpReason
from ai_ops.flow.task import TaskState
from tests.support import shop
from tests.support.git_server import git

REVISED = shop.FIXED.replace("0.0", "float(0)")
REVISE = {"files": {shop.MODULE_PATH: REVISED}, "summary": "It says float(0) now."}


def script(*revisions):
    return shop.script() | {"revise": list(revisions or [REVISE])}


async def published(floor):
    """Return the pull request of the shop's error."""
    task = await floor.repaired()
    assert task.proof.verdict == "proved", task.outcome_reason
    (pull,) = await floor.pulls()
    return pull


async def wished(floor, pull, request="Say float(0).", **more):
    wanted = FollowUp(pull.id, FollowUpReason.COMMENT, request, more.pop("key", "1"), **more)
    task = await wish(floor.tools.tasks, pull, wanted)
    assert task is not None
    return task


async def said(floor, pull):
    host = floor.tools.hosts["local"]
    return [each.body for each in await host.comments(floor.repository, pull.number)]


async def test_a_revision_is_proved_anew_and_lies_on_top_of_the_branch(workshop):
    async with workshop(script()) as floor:
        pull = await published(floor)
        task = await floor.worked(await wished(floor, pull))
        assert (task.state, task.proof.verdict, task.outcome_reason) == (
            TaskState.COMPLETED, "proved", "revision 2 was pushed",
        )  # fmt: skip
        now = await floor.tools.pull_requests.find(pull.id)
        assert (now.revision, now.summary) == (2, "It says float(0) now.")
        log = git("log", "--format=%H", f"main..{pull.branch}", cwd=floor.remote).split()
        assert log == [now.head_sha, pull.head_sha]
        assert git("show", f"{pull.branch}:{shop.MODULE_PATH}", cwd=floor.remote) == REVISED.strip()
        assert "float(0)" in now.diff
        assert now.body.count("passes with the fix") == 1
        (answer,) = await said(floor, pull)
        assert answer.startswith(f"Revision 2 is on the branch: {now.head_sha}. **Proved")
        assert len(floor.mails()) == 1
        assert floor.leftovers() == []
