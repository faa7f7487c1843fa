"""A base that moved on: merged into the branch by a commit on top, once the change is proved there."""

import pytest

from ai_ops.core.follow_ups import wish
from ai_ops.flow.follow_up import FollowUp, FollowUpAction, FollowUpReason
from ai_ops.flow.task import TaskState
from ai_ops.integrations.scripted import ScriptedFixer
from tests.integration.test_orchestrator_crash import lived_through
from tests.support import shop
from tests.support.git_server import git, push_files

pytestmark = pytest.mark.usefixtures("remembered_suites")

# The line that the fix changes is another one on the newer base, and still divides by zero.
MOVED = shop.BROKEN.replace(
    "    return round(sum(stars) / len(stars), 1)", "    return round(float(sum(stars)) / len(stars), 1)"
)
ANEW = MOVED.replace(
    "    return round(float(", "    if not stars:\n        return 0.0\n    return round(float("
)
MENDED = shop.BROKEN.replace("sum(stars) / len(stars)", "sum(stars) / max(1, len(stars))")
NEEDS_THE_ERROR = """\
import pytest
from shop.ratings import average


def test_no_stars_have_no_average():
    with pytest.raises(ZeroDivisionError):
        average([])
"""
ELSEWHERE = {"shop/greeting.py": "GREETING = 'hello'\n"}


def answers_with(floor, module):
    """Have the fixer give another answer from now on."""
    said = {"cause": "No stars.", "summary": "None are 0.", "files": {shop.MODULE_PATH: module}}
    floor.fixer._fixer = ScriptedFixer(shop.script() | {"fix": [said]})


async def published(floor):
    task = await floor.repaired()
    assert task.proof.verdict == "proved", task.outcome_reason
    (pull,) = await floor.pulls()
    return pull


async def wished(floor, pull):
    """Return the task of a wish to merge the base in."""
    wanted = FollowUp(pull.id, FollowUpReason.BASE_MOVED, "It moved.", "1", FollowUpAction.MERGE)
    task = await wish(floor.tools.tasks, pull, wanted)
    assert task is not None
    return task


async def merged(floor, pull):
    """Return that task after its run."""
    return await floor.worked(await wished(floor, pull))


async def said(floor, pull):
    host = floor.tools.hosts["local"]
    return [each.body for each in await host.comments(floor.repository, pull.number)]


def parents(floor, sha):
    return git("log", "-1", "--format=%P", sha, cwd=floor.remote).split()


async def test_the_base_is_merged_in_by_a_commit_on_top_once_the_change_is_proved_there(workshop):
    async with workshop() as floor:
        pull = await published(floor)
        newest = push_files(floor.remote, ELSEWHERE)
        asked = len(floor.fixer.requests)
        task = await merged(floor, pull)
        assert (task.state, task.proof.verdict, task.outcome_reason) == (
            TaskState.COMPLETED, "proved", "revision 2 was pushed",
        )  # fmt: skip
        now = await floor.tools.pull_requests.find(pull.id)
        assert (now.revision, now.base_sha, now.cause, now.summary) == (2, newest, pull.cause, pull.summary)
        assert git("rev-parse", pull.branch, cwd=floor.remote) == now.head_sha
        assert parents(floor, now.head_sha) == [pull.head_sha, newest]
        assert git("show", f"{pull.branch}:{shop.MODULE_PATH}", cwd=floor.remote) == shop.FIXED.strip()
        assert git("show", f"{pull.branch}:shop/greeting.py", cwd=floor.remote) == "GREETING = 'hello'"
        subject = git("log", "-1", "--format=%s", now.head_sha, cwd=floor.remote)
        assert subject.endswith("(revision 2, with its base merged in)")
        assert "greeting" not in now.diff
        assert len(floor.fixer.requests) == asked
        (answer,) = await said(floor, pull)
        assert answer.startswith(f"Revision 2 is on the branch: {now.head_sha}. **Proved")
        assert await floor.tools.hosts["local"].merge_pull_request(floor.repository, now)


async def test_a_conflict_has_the_fix_made_anew_on_the_newer_base(workshop):
    async with workshop() as floor:
        pull = await published(floor)
        newest = push_files(floor.remote, {shop.MODULE_PATH: MOVED})
        answers_with(floor, ANEW)
        task = await merged(floor, pull)
        assert task.outcome_reason == "revision 2 was pushed"
        now = await floor.tools.pull_requests.find(pull.id)
        assert parents(floor, now.head_sha) == [pull.head_sha, newest]
        assert git("show", f"{pull.branch}:{shop.MODULE_PATH}", cwd=floor.remote) == ANEW.strip()
        prompt = floor.fixer.requests[-1].prompt
        assert "This very error was repaired on an older state of the branch" in prompt
        assert "+    if not stars:" in prompt
        assert await floor.tools.hosts["local"].merge_pull_request(floor.repository, now)


async def test_a_conflict_that_no_answer_mends_leaves_the_branch_and_says_so(workshop):
    async with workshop() as floor:
        pull = await published(floor)
        push_files(floor.remote, {shop.MODULE_PATH: MOVED})
        answers_with(floor, MOVED + "# nothing\n")
        task = await merged(floor, pull)
        assert task.outcome_reason.startswith("nothing was pushed: ")
        assert git("rev-parse", pull.branch, cwd=floor.remote) == pull.head_sha
        (answer,) = await said(floor, pull)
        assert answer.startswith("Nothing was pushed; the branch is as it was.")


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({shop.MODULE_PATH: MENDED}, id="in conflict"),
        pytest.param({"shop/catalogue.py": None}, id="elsewhere"),
    ],
)
async def test_nobody_is_asked_and_nothing_pushed_where_the_error_does_not_show_any_more(workshop, files):
    there = shop.files()["shop/catalogue.py"]
    files = {path: content or there.replace('"stars": []', '"stars": [3]') for path, content in files.items()}
    async with workshop() as floor:
        pull = await published(floor)
        push_files(floor.remote, files)
        asked = len(floor.fixer.requests)
        task = await merged(floor, pull)
        assert task.outcome_reason == "nothing was pushed: unproved"
        assert git("rev-parse", pull.branch, cwd=floor.remote) == pull.head_sha
        assert len(floor.fixer.requests) == asked


async def test_a_merge_that_breaks_another_test_is_not_pushed(workshop):
    async with workshop() as floor:
        pull = await published(floor)
        push_files(floor.remote, {"tests/test_average.py": NEEDS_THE_ERROR})
        task = await merged(floor, pull)
        assert task.outcome_reason == "nothing was pushed: refuted"
        assert git("rev-parse", pull.branch, cwd=floor.remote) == pull.head_sha


async def test_a_base_that_holds_the_change_already_needs_no_merge(workshop):
    async with workshop() as floor:
        pull = await published(floor)
        push_files(floor.remote, {shop.MODULE_PATH: shop.FIXED, shop.TEST_PATH: shop.TEST})
        task = await merged(floor, pull)
        assert task.outcome_reason == "the base holds the change"
        (answer,) = await said(floor, pull)
        assert answer.startswith("The base branch holds this change already")


async def test_a_base_that_did_not_move_needs_no_merge(workshop):
    async with workshop() as floor:
        pull = await published(floor)
        task = await merged(floor, pull)
        assert task.outcome_reason == "the branch holds its base"
        assert git("rev-parse", pull.branch, cwd=floor.remote) == pull.head_sha


async def test_a_person_who_pushes_meanwhile_is_not_overwritten(workshop):
    async with workshop() as floor:
        pull = await published(floor)
        push_files(floor.remote, ELSEWHERE)
        theirs = push_files(floor.remote, {"mine.txt": "hello\n"}, pull.branch)
        task = await merged(floor, pull)
        assert git("rev-parse", pull.branch, cwd=floor.remote) == theirs
        assert task.state is TaskState.COMPLETED
        (answer,) = await said(floor, pull)
        assert answer.startswith("Nothing was pushed: the branch holds commits that are not mine.")


@pytest.mark.parametrize("late", [True, False], ids=["committed", "not yet committed"])
async def test_a_run_that_dies_at_every_step_pushes_one_merge_and_answers_once(workshop, late):
    async with workshop() as floor:
        pull = await published(floor)
        newest = push_files(floor.remote, ELSEWHERE)
        task = await wished(floor, pull)
        seen = await lived_through(floor, task, late)
        assert seen == [
            *("checkout:1", "merge_base:1", "verify:0", "guard:1", "verify:1"),
            *("commit:1", "push:1", "record:1", "reply:1"),
        ]
        now = await floor.tools.pull_requests.find(pull.id)
        assert (parents(floor, now.head_sha), now.revision) == ([pull.head_sha, newest], 2)
        assert git("rev-parse", pull.branch, cwd=floor.remote) == now.head_sha
        assert len(await said(floor, pull)) == 1
