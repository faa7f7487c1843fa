"""A branch that a person has taken over: we step back, once, and do nothing to it any more."""

from contextlib import nullcontext

import pytest

from ai_ops.core.follow_ups import wish
from ai_ops.core.identity import run_id
from ai_ops.core.orchestrator.holding import BRANCH_TAKEN
from ai_ops.flow.follow_up import FollowUp, FollowUpReason
from ai_ops.flow.pull_request import CheckState
from ai_ops.flow.run import Run
from tests.support.ci_host import BRANCH, FILES, PATCH, Calls, Killed, make_place, open_branch
from tests.support.git_server import git

GREEN, RED = CheckState.PASSED, CheckState.FAILED
DRAFT = {"draft": True, "ready_when_green": True}
WORK = {"cart.py": FILES["cart.py"].replace("sum", "fsum")}


def a_commit_on_top(one):
    one.pushed({"mine.txt": "hello\n"}, BRANCH)
    return "it holds 1 commit that is not ours, up to "


def many_commits_on_top(one):
    one.pushed({"mine.txt": "hello\n"}, BRANCH)
    one.pushed({"mine.txt": "again\n"}, BRANCH)
    return "it holds 2 commits that are not ours, up to "


def the_base_merged_by_hand(one):
    newest = one.pushed({"notes.txt": "two\n"})
    work = one.remote.parent / f".{one.remote.name}.work"
    git("fetch", "--quiet", "origin", cwd=work)
    git("checkout", "--quiet", "--detach", f"origin/{BRANCH}", cwd=work)
    git("merge", "--quiet", "-m", "Merge main", newest, cwd=work)
    git("push", "--quiet", "origin", f"HEAD:refs/heads/{BRANCH}", cwd=work)
    return "it holds 2 commits that are not ours, up to "


def force_pushed(one):
    git("update-ref", f"refs/heads/{BRANCH}", one.pushed(WORK, "elsewhere"), cwd=one.remote)
    return "it was pushed anew and does not hold our commit "


def our_commit_reworded(one):
    tree = git("rev-parse", f"{one.head}^{{tree}}", cwd=one.remote)
    commit = git("commit-tree", "-p", one.base, "-m", "Fix\n\nAI-Ops-Run: r", tree, cwd=one.remote)
    git("update-ref", f"refs/heads/{BRANCH}", commit, cwd=one.remote)
    return "it was pushed anew and does not hold our commit "


def deleted(one):
    git("update-ref", "-d", f"refs/heads/{BRANCH}", cwd=one.remote)
    return "it was deleted"


TAKEN = [
    a_commit_on_top,
    many_commits_on_top,
    the_base_merged_by_hand,
    force_pushed,
    our_commit_reworded,
    deleted,
]


@pytest.mark.parametrize("take", TAKEN, ids=lambda take: take.__name__.replace("_", " "))
async def test_a_branch_that_is_not_ours_any_more_is_held_and_that_is_said_once(tmp_path, take):
    async with open_branch(tmp_path, **DRAFT) as one:
        why = take(one)
        one.ci(test=GREEN)
        now = await one.round(3)
        assert now.held.startswith(f"{BRANCH_TAKEN}{why}")
        (words,) = await one.said()
        assert words.startswith(f"I leave this pull request to you from now on, because {why}")


async def test_nothing_is_done_any_more_to_one_that_is_held(tmp_path):
    async with open_branch(tmp_path, **DRAFT) as one:
        head = one.pushed({"mine.txt": "hello\n"}, BRANCH)
        one.ci(head, test=RED)
        one.ci(test=GREEN)
        one.ci(one.base, test=GREEN)
        one.pushed(WORK)
        await one.round(2)
        assert (one.host.made_ready, await one.follow_ups(), len(await one.said())) == (0, [], 1)


@pytest.mark.parametrize("state", [GREEN, RED], ids=["to be made ready", "to be repaired"])
@pytest.mark.parametrize("take", [a_commit_on_top, deleted], ids=lambda take: take.__name__.replace("_", " "))
async def test_a_host_that_has_not_heard_of_it_yet_does_not_make_us_act(tmp_path, state, take):
    async with open_branch(tmp_path, **DRAFT) as one:
        take(one)
        one.host.head = one.head
        one.ci(test=state)
        one.ci(one.base, test=GREEN)
        assert (await one.round(2)).held.startswith(BRANCH_TAKEN)
        assert (one.host.made_ready, await one.follow_ups(), len(await one.said())) == (0, [], 1)


async def test_one_that_a_person_told_us_to_leave_is_left_without_a_further_word(tmp_path):
    async with open_branch(tmp_path, held="Ada said stop") as one:
        one.pushed({"mine.txt": "hello\n"}, BRANCH)
        assert (await one.round(2)).held == "Ada said stop"
        assert await one.said() == []


async def worked(one, sha):
    """Record a run of a follow-up on the pull request that made a commit and died before it said so."""
    wanted = FollowUp("pr-1", FollowUpReason.COMMENT, "please", "k")
    task = await wish(one.tools.tasks, await one.now(), wanted)
    run = run_id(task.id, 1)
    await one.tools.trace.run_started(Run(run, task.id, 1, one.clock.now()))
    await one.tools.trace.step_started(run, "commit", 1)
    await one.tools.trace.step_done(run, "commit", 1, {"sha": sha})
    return run


NEXT = PATCH.replace("max(1, len(items))", "(len(items) or 1)")


async def test_a_commit_of_ours_that_the_record_does_not_name_yet_is_ours(tmp_path):
    async with open_branch(tmp_path) as one:
        head = await one.tools.git.commit(one.repository, one.base, NEXT, "Fix", parents=(one.head,))
        await worked(one, head)
        await one.tools.git.push(one.repository, head, BRANCH)
        assert (await one.round(2)).held == ""


async def test_a_commit_that_only_says_it_is_ours_is_not(tmp_path):
    async with open_branch(tmp_path) as one:
        made = await one.tools.git.commit(one.repository, one.base, NEXT, "Fix", parents=(one.head,))
        run = await worked(one, made)
        forged = await one.tools.git.commit(
            one.repository, one.base, NEXT, f"Fix\n\nAI-Ops-Run: {run}", parents=(one.head,)
        )
        await one.tools.git.push(one.repository, forged, BRANCH)
        assert (await one.round()).held.startswith(BRANCH_TAKEN)


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
async def test_a_kill_at_any_call_holds_it_and_says_so_once(tmp_path, done):
    place, at, calls = await make_place(tmp_path), 0, Calls()
    while at <= calls.made:  # the first time nobody dies, and the calls are counted
        async with open_branch(tmp_path / f"{at}", place) as one:
            one.host.head = ""
            with pytest.raises(Killed) if at else nullcontext():
                await one.watching(Calls(at, done) if at else calls).round()
            assert (await one.round()).held
            assert len(await one.said()) == 1
            at += 1
