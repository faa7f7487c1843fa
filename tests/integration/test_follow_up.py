"""A follow-up of a pull request: revised, proved anew, pushed on top, and answered in the thread."""

from dataclasses import replace

import pytest

from ai_ops.core import replies
from ai_ops.core.failures import failed
from ai_ops.core.follow_ups import under_way, wish
from ai_ops.flow.fixing import FixMode
from ai_ops.flow.follow_up import FollowUp, FollowUpAction, FollowUpReason
from ai_ops.flow.pull_request import PullRequestState, Reviewer
from ai_ops.flow.task import TaskState
from tests.integration.test_orchestrator_sessions import IDS, RECORD, in_sessions
from tests.support import shop
from tests.support.git_server import git, push_files
from tests.support.lives import lived_through
from tests.support.workshop import SERVER_SECRET

pytestmark = pytest.mark.usefixtures("remembered_suites")

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


async def test_a_text_that_the_host_refuses_does_not_make_our_commit_another_ones(workshop, monkeypatch):
    async def refuse(*_, **__):
        raise failed("host_rejected", "body is too long")

    again = shop.FIXED.replace("0.0", "0e0")
    async with workshop(script(REVISE, {**REVISE, "files": {shop.MODULE_PATH: again}})) as floor:
        pull = await published(floor)
        with monkeypatch.context() as patched:
            patched.setattr(floor.tools.hosts["local"], "update_pull_request", refuse)
            task = await floor.worked(await wished(floor, pull))
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "host_rejected")
        now = await floor.tools.pull_requests.find(pull.id)
        assert (now.head_sha, now.revision) == (git("rev-parse", pull.branch, cwd=floor.remote), 2)
        assert now.body == pull.body
        task = await floor.worked(await wished(floor, pull, key="2"))
        assert task.outcome_reason == "revision 3 was pushed"


async def test_the_text_of_a_revision_keeps_the_repositorys_template_and_the_reviewers(workshop):
    form = {".github/pull_request_template.md": "## What\n\n## Checklist\n- [ ] I read it\n"}
    async with workshop(script(), files=form) as floor:
        pull = await published(floor)
        people = (Reviewer("wrote the crashing line, 2026-10-02", "ada", name="Ada", asked=True),)
        await floor.tools.pull_requests.update(pull.id, reviewers=people)
        await floor.worked(await wished(floor, pull))
        now = await floor.tools.pull_requests.find(pull.id)
        assert now.revision == 2
        assert "## Checklist" in pull.body and "## Checklist" in now.body
        assert "wrote the crashing line" in now.body


async def unchanged(floor, pull):
    """The branch and the record are what they were."""
    now = await floor.tools.pull_requests.find(pull.id)
    assert (now.revision, now.head_sha, now.diff) == (1, pull.head_sha, pull.diff)
    assert git("rev-parse", pull.branch, cwd=floor.remote) == pull.head_sha
    assert floor.branches() == [pull.branch]


SYMPTOM = shop.BROKEN.replace(
    "    return round(sum(stars) / len(stars), 1)",
    "    try:\n        return round(sum(stars) / len(stars), 1)\n    except Exception:\n        return 0.0",
)
BAD = {
    "it undoes the fix": ({shop.MODULE_PATH: shop.BROKEN + "\nX = 1\n"}, "still_failing", "refuted"),
    "it breaks the suite": (
        {shop.MODULE_PATH: shop.FIXED.replace("round(sum(stars)", "round(2 * sum(stars)")},
        "new_failure",
        "refuted",
    ),
    "it touches the reproduction": (
        {shop.MODULE_PATH: REVISED, shop.TEST_PATH: "def test_it():\n    pass\n"},
        "reproduction",
        "blocked",
    ),
    "it hides the symptom": ({shop.MODULE_PATH: SYMPTOM}, "catch", "blocked"),
    "it changes CI": ({shop.MODULE_PATH: REVISED, ".github/workflows/ci.yml": "x\n"}, "protected", "blocked"),
}


@pytest.mark.parametrize(("files", "rule", "verdict"), BAD.values(), ids=BAD)
async def test_a_revision_that_is_not_proved_is_not_pushed_and_the_answer_says_why(
    workshop, files, rule, verdict
):
    async with workshop(script({"files": files, "summary": "As you wish."}), max_rounds=1) as floor:
        pull = await published(floor)
        task = await floor.worked(await wished(floor, pull))
        assert (task.state, task.proof.verdict) == (TaskState.COMPLETED, verdict)
        await unchanged(floor, pull)
        (answer,) = await said(floor, pull)
        assert answer.startswith("Nothing was pushed")
        assert rule in answer
        assert "As you wish." in answer


async def test_a_question_is_answered_without_a_change(workshop):
    async with workshop(script({"files": {}, "summary": "Because a mean of nothing is 0."})) as floor:
        pull = await published(floor)
        task = await floor.worked(await wished(floor, pull, "Why 0?"))
        assert (task.state, task.outcome_reason) == (TaskState.COMPLETED, "nothing was pushed: unproved")
        assert [each for each in floor.fixer.purposes if each.startswith("revise")] == ["revise:1"]
        await unchanged(floor, pull)
        (answer,) = await said(floor, pull)
        assert answer.startswith("Nothing was changed.")
        assert "Because a mean of nothing is 0." in answer


async def test_a_second_round_is_told_what_was_wrong(workshop):
    async with workshop(script({"files": {shop.MODULE_PATH: shop.BROKEN + "X = 1\n"}}, REVISE)) as floor:
        pull = await published(floor)
        task = await floor.worked(await wished(floor, pull))
        assert task.proof.verdict == "proved"
        assert "still_failing" in floor.fixer.requests[-1].prompt
        assert "Say float(0)." in floor.fixer.requests[-1].prompt


async def test_a_branch_with_a_persons_commit_is_not_touched(workshop):
    async with workshop(script()) as floor:
        pull = await published(floor)
        theirs = push_files(floor.remote, {"notes.md": "mine\n"}, pull.branch)
        task = await floor.worked(await wished(floor, pull))
        assert task.outcome_reason == "the branch holds commits that are not ours"
        assert git("rev-parse", pull.branch, cwd=floor.remote) == theirs
        assert await said(floor, pull) == [replies.OVERTAKEN]
        assert "revise" not in " ".join(floor.fixer.purposes)


@pytest.mark.parametrize("how", ["push", "hold"])
async def test_who_takes_over_while_it_runs_is_not_overrun(workshop, how):
    """A person is faster than our push; what they did stays, and nothing of ours is on the branch."""
    async with workshop(script()) as floor:
        pull = await published(floor)
        ask = floor.fixer.ask

        async def meanwhile(request, watch):
            if request.purpose == "revise" and how == "push":
                push_files(floor.remote, {"notes.md": "mine\n"}, pull.branch)
            elif request.purpose == "revise":
                await floor.tools.pull_requests.update(pull.id, held="ann said: stop")
            return await ask(request, watch)

        floor.fixer.ask = meanwhile
        task = await floor.worked(await wished(floor, pull))
        assert (task.state, task.outcome_reason) == (TaskState.COMPLETED, "a person has taken over")
        names = git("log", "--format=%s", f"main..{pull.branch}", cwd=floor.remote).splitlines()
        assert not any("revision" in name for name in names)
        now = await floor.tools.pull_requests.find(pull.id)
        assert (now.revision, now.head_sha) == (1, pull.head_sha)


@pytest.mark.parametrize("state", [PullRequestState.MERGED, PullRequestState.CLOSED])
async def test_one_that_is_no_longer_open_is_left(workshop, state):
    async with workshop(script()) as floor:
        pull = await published(floor)
        await floor.tools.pull_requests.set_state(pull.id, state)
        task = await floor.worked(await wished(floor, pull))
        assert (task.state, task.outcome_reason) == (TaskState.COMPLETED, f"the pull request is {state}")
        assert await said(floor, pull) == [replies.ended(state)]


@pytest.mark.parametrize("state", [PullRequestState.MERGED, PullRequestState.CLOSED])
@pytest.mark.parametrize("noticed", [True, False], ids=["on record", "on the host alone"])
async def test_one_that_ends_while_it_is_revised_stays_as_it_was_merged_or_closed(workshop, state, noticed):
    """What is on record of it is what was merged: the fix watch bars that change."""
    async with workshop(script()) as floor:
        pull = await published(floor)
        host, ask = floor.tools.hosts["local"], floor.fixer.ask
        shown = host.pull_request

        async def elsewhere(repository, number):
            return replace(await shown(repository, number), state=state)

        async def meanwhile(request, watch):
            if request.purpose == "revise" and noticed:
                await floor.tools.pull_requests.set_state(pull.id, state)
            elif request.purpose == "revise":
                host.pull_request = elsewhere
            return await ask(request, watch)

        floor.fixer.ask = meanwhile
        task = await floor.worked(await wished(floor, pull))
        assert (task.state, task.outcome_reason) == (TaskState.COMPLETED, f"the pull request is {state}")
        await unchanged(floor, pull)
        assert await said(floor, pull) == [replies.ended(state)]


async def test_a_wish_is_one_task_and_a_pull_request_has_one_at_a_time(workshop):
    async with workshop(script()) as floor:
        pull = await published(floor)
        tasks = floor.tools.tasks
        first = await wished(floor, pull)
        assert (await wished(floor, pull)).id == first.id
        other = FollowUp(pull.id, FollowUpReason.CHECKS, "red", "checks:1")
        assert await wish(tasks, pull, other) is None
        assert (await under_way(tasks, pull.id)).id == first.id
        await floor.worked(first)
        assert await under_way(tasks, pull.id) is None
        assert (await wish(tasks, pull, other)).payload["reason"] == "checks"


@pytest.mark.parametrize("late", [True, False], ids=["committed", "not yet committed"])
@pytest.mark.parametrize("action", [FollowUpAction.REVISE, FollowUpAction.PORT])
async def test_a_follow_up_that_crashes_at_every_step_has_each_effect_once(workshop, late, action):
    async with workshop(script()) as floor:
        push_files(floor.remote, {"NOTES.md": "old\n"}, "release/1")
        pull = await published(floor)
        mails = len(floor.mails())
        task = await wished(floor, pull, action=action, branch="release/1")
        seen = await lived_through(floor, task, late)
        task = await floor.found(task)
        assert (task.state, task.proof.verdict) == (TaskState.COMPLETED, "proved")
        now = await floor.tools.pull_requests.find(pull.id)
        if action is FollowUpAction.REVISE:
            assert (seen[-4:], now.revision) == (["commit:1", "push:1", "record:1", "reply:1"], 2)
            log = git("log", "--format=%H", f"main..{pull.branch}", cwd=floor.remote).split()
            assert log == [now.head_sha, pull.head_sha]
            assert floor.branches() == [pull.branch, "release/1"]
        else:
            assert (now.revision, len(floor.mails()) - mails) == (1, 1)
            assert len(await floor.pulls()) == 2
            assert len(floor.branches()) == 3
        assert len(await said(floor, pull)) == 1
        assert floor.leftovers() == []


async def test_a_revision_goes_on_with_the_session_of_the_change_and_the_next_with_its_own(workshop):
    fixer = in_sessions({"files": {shop.MODULE_PATH: shop.FIXED}})
    fixer._fixer._script = script(REVISE, {"files": {shop.MODULE_PATH: REVISED + "X = 1\n"}})
    async with workshop(fixer=fixer, fix_mode=FixMode.AGENTIC, max_rounds=1) as floor:
        pull = await published(floor)
        await floor.worked(await wished(floor, pull, "Say float(0)."))
        fixer._fixer._script["revise"].reverse()
        await floor.worked(await wished(floor, pull, "Add X.", key="2"))
        first, second = [each for each in fixer.requests if each.purpose == "revise"]
        assert [each.session.record for each in (first, second)] == [RECORD, RECORD]
        assert first.session.id == second.session.id == IDS.format(2)
        assert "ZeroDivisionError" not in first.prompt
        assert "Say float(0)." in first.prompt
        assert (await floor.tools.pull_requests.find(pull.id)).revision == 3


async def test_a_session_that_is_lost_is_begun_anew_with_the_change_its_proof_and_the_wish(workshop):
    fixer = in_sessions({"files": {shop.MODULE_PATH: shop.FIXED}}, loses=1)
    fixer._fixer._script = script()
    async with workshop(fixer=fixer, fix_mode=FixMode.AGENTIC, max_rounds=1) as floor:
        pull = await published(floor)
        task = await floor.worked(await wished(floor, pull))
        assert task.proof.verdict == "proved"
        prompt = fixer.requests[-1].prompt
        for words in ("ZeroDivisionError", "+    if not stars:", "verdict: proved", "Say float(0)."):
            assert words in prompt


async def test_secrets_in_a_wish_reach_nobody(workshop):
    async with workshop(script(REVISE | {"summary": f"It was {SERVER_SECRET}."})) as floor:
        pull = await published(floor)
        wanted = floor.tools.redact(f"Use {SERVER_SECRET}.")
        task = await floor.worked(await wished(floor, pull, wanted))
        assert SERVER_SECRET not in await floor.everything_kept(task)
        assert SERVER_SECRET not in "".join(await said(floor, pull))
        assert SERVER_SECRET not in git("log", "--format=%B", pull.branch, cwd=floor.remote)


async def test_a_failure_is_answered_and_the_task_fails_with_it(workshop):
    async with workshop(script({"failure": "model_refused"})) as floor:
        pull = await published(floor)
        task = await floor.worked(await wished(floor, pull))
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "model_refused")
        (answer,) = await said(floor, pull)
        assert "`model_refused`" in answer
        await unchanged(floor, pull)


async def test_without_the_reproduction_nothing_is_revised(workshop):
    async with workshop(script()) as floor:
        pull = await published(floor)
        await floor.tools.pull_requests.update(pull.id, run_id="gone", task_id="gone")
        task = await floor.worked(await wished(floor, pull))
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "evidence_lost")
        assert "`evidence_lost`" in (await said(floor, pull))[0]


async def test_an_approved_change_is_revised_with_the_evidence_of_the_run_before(workshop):
    logged = shop.error().replace("ZeroDivisionError: ", "")
    async with workshop(script()) as floor:
        task = await floor.wished(logged)
        task = await floor.worked(task)
        assert task.state is TaskState.NEEDS_HUMAN_REVIEW, task.outcome_reason
        if not task.payload.get("candidate_run"):
            pytest.skip("nothing of it could be approved")
        await floor.worked(await floor.done_to(task, "approve"))
        (pull,) = await floor.pulls()
        task = await floor.worked(await wished(floor, pull))
        assert task.state is TaskState.COMPLETED
        assert task.proof.verdict == "unproved"
