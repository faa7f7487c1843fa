"""CI of our branches, on real records and real git: each thing that follows from it is done once."""

import asyncio
from contextlib import nullcontext
from dataclasses import replace

import pytest

from ai_ops.core import markdown
from ai_ops.flow.ci import CiVerdict
from ai_ops.flow.follow_up import FollowUp, FollowUpAction, FollowUpReason
from ai_ops.flow.pull_request import CheckState
from ai_ops.flow.task import TaskState
from tests.support.ci_host import SECRET, Calls, Killed, make_place, open_branch

P, F, R = CheckState.PASSED, CheckState.FAILED, CheckState.PENDING
HOUR = 3600.0
DRAFT = {"draft": True, "ready_when_green": True}


async def ended(one):
    """Let every follow-up end, as a run that pushed nothing does."""
    for task in await one.follow_ups():
        if task.state is TaskState.PENDING:
            await one.tools.tasks.move(task.id, TaskState.PROCESSING)
            await one.tools.tasks.move(task.id, TaskState.COMPLETED, outcome_reason="nothing was pushed")


async def revised(one, text):
    """Let the follow-up end with a push, as its run does, and return the new head."""
    patch = f"diff --git a/{text} b/{text}\nnew file mode 100644\n--- /dev/null\n+++ b/{text}\n"
    patch += "@@ -0,0 +1 @@\n+x\n"
    head = await one.tools.git.commit(one.repository, one.head, patch, text)
    await one.tools.git.push(one.repository, head, (await one.now()).branch)
    await one.tools.pull_requests.update("pr-1", head_sha=head)
    await ended(one)
    one.head = head
    return head


async def test_what_ci_says_stands_on_the_record(tmp_path):
    async with open_branch(tmp_path) as one:
        one.ci(test=R, lint=P)
        ci = (await one.round()).ci
        assert (ci.verdict, ci.words, ci.sha) == (CiVerdict.WAITING, "1 check not done: test", one.head)
        one.ci(test=P, lint=P)
        ci = (await one.round()).ci
        assert (ci.verdict, ci.words, ci.passed) == (CiVerdict.GREEN, "2 checks passed", ("lint", "test"))
        assert await one.said() == []


async def test_a_draft_is_made_ready_once_its_checks_pass(tmp_path):
    async with open_branch(tmp_path, **DRAFT) as one:
        one.ci(test=R)
        assert (await one.round()).draft
        one.ci(test=P)
        now = await one.round(2)
        assert (now.draft, now.ready_when_green, one.host.made_ready) == (False, False, 1)


async def test_a_draft_that_was_asked_for_stays_one(tmp_path):
    async with open_branch(tmp_path, draft=True) as one:
        one.ci(test=P)
        assert (await one.round()).draft
        assert one.host.made_ready == 0


@pytest.mark.parametrize("again", [True, False], ids=["made a draft again", "left ready"])
async def test_what_a_person_makes_of_a_draft_stays(tmp_path, again):
    async with open_branch(tmp_path, **DRAFT) as one:
        one.ci(test=R)
        one.host.drafts[1] = False
        await one.round()
        one.host.drafts[1] = again
        one.ci(test=P)
        now = await one.round(2)
        assert (now.draft, now.ready_when_green, one.host.made_ready) == (again, False, 0)


async def test_a_person_who_makes_it_a_draft_again_has_the_last_word(tmp_path):
    async with open_branch(tmp_path, **DRAFT) as one:
        one.ci(test=P)
        await one.round()
        one.host.drafts[1] = True
        now = await one.round(2)
        assert (now.draft, one.host.made_ready) == (True, 1)


async def test_a_draft_whose_ci_never_comes_stays_one_and_says_so_once(tmp_path):
    async with open_branch(tmp_path, **DRAFT) as one:
        assert (await one.round()).ci.verdict is CiVerdict.WAITING
        one.clock.forward(HOUR)
        now = await one.round(2)
        assert (now.ci.verdict, now.draft) == (CiVerdict.UNKNOWN, True)
        (words,) = await one.said()
        assert words.startswith("No check has reported within 60 minutes, so this stays a draft.")
        one.ci(test=P)
        assert not (await one.round()).draft


async def test_a_failure_of_the_fix_is_followed_up_once_with_the_end_of_its_log(tmp_path):
    async with open_branch(tmp_path) as one:
        one.ci(test=F, lint=F)
        one.ci(one.base, test=P, lint=P)
        one.host.logs = {"test": f"begin\n{'x' * 20_000}\npassword {SECRET}\nAssertionError: 1 != 2\n"}
        now = await one.round(3)
        (task,) = await one.follow_ups()
        assert now.ci.verdict is CiVerdict.OURS
        assert list(now.ci.asked.values()) == one.queue.tasks == [task.id]
        wanted = FollowUp.of(task.payload)
        assert (wanted.pull_request_id, wanted.reason) == ("pr-1", FollowUpReason.CHECKS)
        assert wanted.request.startswith(
            "Failing: lint, test\n\nlint:\n(it printed nothing)\n\ntest, the end:\n"
        )
        assert wanted.request.endswith("AssertionError: 1 != 2")
        assert SECRET not in wanted.request and len(wanted.request) < 10_000
        assert await one.said() == []


async def test_a_revert_whose_checks_fail_is_left_to_people(tmp_path):
    async with open_branch(tmp_path) as one:
        branch = "ai-ops/revert-0123456789ab"
        head = one.pushed({"cart.py": "def total(items):\n    return 0\n"}, branch)
        revert = replace(await one.now(), id="revert", number=2, branch=branch, head_sha=head)
        await one.tools.pull_requests.record(revert)
        one.ci(head, test=F)
        one.ci(one.base, test=P)
        await one.round(2)
        assert (await one.tools.pull_requests.find("revert")).ci.verdict is CiVerdict.OURS
        assert await one.follow_ups() == []


async def test_two_rounds_at_once_ask_once_and_say_once(tmp_path):
    async with open_branch(tmp_path) as one:
        one.ci(test=F)
        one.ci(one.base, test=P)
        await asyncio.gather(one.round(), one.round())
        assert len(await one.follow_ups()) == 1
        await ended(one)
        one.ci(one.base, test=F)
        await asyncio.gather(one.round(), one.round())
        assert len(await one.said()) == 1


async def test_nothing_else_is_asked_or_said_while_a_follow_up_is_under_way(tmp_path):
    async with open_branch(tmp_path) as one:
        one.ci(test=F)
        one.ci(one.base, test=P, lint=P)
        await one.round()
        one.ci(test=F, lint=F)
        await one.round()
        assert len(await one.follow_ups()) == 1
        one.ci(one.base, test=F, lint=F)
        await one.round()
        assert await one.said() == []


async def test_a_repair_in_vain_is_not_tried_again_on_the_same_commit(tmp_path):
    async with open_branch(tmp_path) as one:
        one.ci(test=F)
        one.ci(one.base, test=P)
        await one.round()
        await ended(one)
        await one.round(2)
        assert len(await one.follow_ups()) == 1


async def test_after_the_last_repair_people_are_told_once_what_is_left(tmp_path):
    async with open_branch(tmp_path, policy={"ci_repair_rounds": 2}) as one:
        one.ci(one.base, **{"@team /merge `x`": P})
        for number in range(3):
            one.ci(**{"@team /merge `x`": F})
            await one.round(2)
            assert len(await one.follow_ups()) == min(number + 1, 2)
            if number < 2:
                await revised(one, f"try-{number}.txt")
        (words,) = await one.said()
        assert words.startswith("CI still fails because of this change. I have tried 2 times to mend them;")
        assert words.endswith(f"\n\n- {markdown.code('@team /merge `x`')}")
        assert (await one.now()).ci.verdict is CiVerdict.OURS


async def test_repairs_may_be_turned_off(tmp_path):
    async with open_branch(tmp_path, policy={"ci_repair_rounds": 0}) as one:
        one.ci(test=F)
        one.ci(one.base, test=P)
        await one.round(2)
        assert await one.follow_ups() == []
        (words,) = await one.said()
        assert "I repair no checks here; they are left to you." in words


async def test_a_failure_that_the_base_has_too_is_said_once_and_not_repaired(tmp_path):
    async with open_branch(tmp_path) as one:
        one.ci(test=F)
        newest = one.pushed({"notes.txt": "two\n"})
        one.ci(newest, test=F)
        now = await one.round(2)
        assert now.ci.verdict is CiVerdict.THEIRS
        (words,) = await one.said()
        assert f"so it does on the base, at {newest[:12]}: it is not this change's doing" in words
        assert await one.follow_ups() == []


async def test_a_check_that_passed_on_the_same_commit_before_is_not_repaired(tmp_path):
    async with open_branch(tmp_path) as one:
        one.ci(test=P)
        await one.round()
        one.ci(test=F)
        one.ci(one.base, test=P)
        assert (await one.round(2)).ci.verdict is CiVerdict.FLAPPING
        assert await one.follow_ups() == []
        assert len(await one.said()) == 1


async def test_a_check_that_is_mended_on_the_base_has_the_base_merged_in(tmp_path):
    async with open_branch(tmp_path) as one:
        one.ci(test=F)
        one.ci(one.base, test=F)
        newest = one.pushed({"notes.txt": "two\n"})
        one.ci(newest, test=P)
        await one.round(2)
        (task,) = await one.follow_ups()
        wanted = FollowUp.of(task.payload)
        assert (wanted.reason, wanted.action) == (FollowUpReason.BASE_MOVED, FollowUpAction.MERGE)
        assert wanted.request == f"test fails here and passes on its newest commit {newest[:12]}."


async def test_a_base_that_moved_is_left_alone_while_nothing_needs_it(tmp_path):
    async with open_branch(tmp_path) as one:
        one.ci(test=P)
        one.pushed({"notes.txt": "two\n"})
        await one.round()
        assert await one.follow_ups() == []


CONFLICT = {"cart.py": "def total(items):\n    return sum(items) / float(len(items))\n"}


async def test_a_branch_that_conflicts_has_the_base_merged_in_once_for_each_commit_of_it(tmp_path):
    async with open_branch(tmp_path) as one:
        one.pushed(CONFLICT)
        await one.round(2)
        assert [task.payload["reason"] for task in await one.follow_ups()] == ["base_moved"]
        await ended(one)
        await one.round()
        assert len(await one.follow_ups()) == 1
        one.pushed({"notes.txt": "three\n"})
        await one.round()
        assert len(await one.follow_ups()) == 2


async def test_a_host_that_is_wrong_about_a_conflict_is_not_believed(tmp_path):
    async with open_branch(tmp_path) as one:
        one.host.conflicting = True
        one.pushed({"notes.txt": "two\n"})
        await one.round()
        assert await one.follow_ups() == []


async def test_a_base_that_keeps_conflicting_is_left_to_people_in_the_end(tmp_path):
    async with open_branch(tmp_path) as one:
        one.pushed(CONFLICT)
        for number in range(7):
            one.pushed({"notes.txt": f"{number}\n"})
            await one.round()
            await ended(one)
        assert len(await one.follow_ups()) == 5
        (words,) = await one.said()
        assert words.startswith("I have brought the base branch's changes in 5 times")


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("record", "ours", "base", "comments", "tasks", "ready"),
    [
        pytest.param(DRAFT, P, P, 0, 0, 1, id="made ready"),
        pytest.param({}, F, P, 0, 1, 0, id="repaired"),
        pytest.param({}, F, F, 1, 0, 0, id="said"),
    ],
)
async def test_a_kill_at_any_call_leaves_each_effect_done_once(
    tmp_path, done, record, ours, base, comments, tasks, ready
):
    place, at, calls = await make_place(tmp_path), 0, Calls()
    while at <= calls.made:  # the first time nobody dies, and the calls are counted
        async with open_branch(tmp_path / f"{at}", place, **record) as one:
            one.host.head = one.head
            one.ci(test=ours)
            one.ci(one.base, test=base)
            with pytest.raises(Killed) if at else nullcontext():
                await one.watching(Calls(at, done) if at else calls).round()
            await one.round()
            at += 1
            assert (len(await one.said()), len(await one.follow_ups()), one.host.made_ready) == (
                comments, tasks, ready,
            )  # fmt: skip
