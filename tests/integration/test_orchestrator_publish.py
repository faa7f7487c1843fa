"""What a person's word does to a withheld change, and what is already there is taken up, not doubled."""

import json
from dataclasses import replace

import pytest

from ai_ops.core.identity import fix_branch, run_id
from ai_ops.core.ports import Place
from ai_ops.core.publishing_limits import NO_PLACE
from ai_ops.errors import PermanentError
from ai_ops.flow.pull_request import HostedPullRequest, PullRequestState
from ai_ops.flow.task import TaskState
from tests.support import shop
from tests.support.git_server import git
from tests.support.store import pull_request
from tests.support.workshop import mail_text

pytestmark = pytest.mark.usefixtures("remembered_suites")

UNTYPED = "2026-01-02 03:04:05,678 ERROR [shop] the listing is broken\n"
NO_FIX = {"files": {shop.MODULE_PATH: shop.BROKEN + "\n# mended\n"}}
RULES = {".ai-ops.yml": "labels: [bug]\nreviewers: [ada]\n"}


async def withheld(floor):
    """Return a task whose change is unproved."""
    task = await floor.worked(await floor.wished(UNTYPED))
    assert (task.state, task.proof.verdict) == (TaskState.NEEDS_HUMAN_REVIEW, "unproved")
    return task


async def test_an_approved_change_is_published_as_it_was_judged_and_marked(workshop, monkeypatch):
    async with workshop(files=RULES) as floor:
        host = floor.tools.hosts["local"]
        wanted, open_it = [], host.open_pull_request

        async def noting(repository, new):
            wanted.append(new)
            return await open_it(repository, new)

        monkeypatch.setattr(host, "open_pull_request", noting)
        task = await withheld(floor)
        diff = await floor.artifact(task, "diff")
        asked = len(floor.fixer.requests)
        task = await floor.worked(await floor.done_to(task, "approve"))

        assert (task.state, task.proof.verdict, task.run_number) == (TaskState.COMPLETED, "unproved", 2)
        assert len(floor.fixer.requests) == asked
        (pull,) = await floor.pulls()
        assert (pull.draft, pull.diff, pull.url) == (True, diff, task.pr_url)
        assert floor.branches() == [pull.branch]
        assert "This change is not proved" in pull.body
        assert [(new.draft, new.labels) for new in wanted] == [(True, ("bug",))]
        assert ("ada", "named in .ai-ops.yml") in [(each.login, each.reason) for each in pull.reviewers]
        steps = {"commit:1", "push:1", "open_pull_request:1", "ask_reviewers:1", "notify:1"}
        assert set(await floor.steps(task)) == steps
        assert len(floor.mails()) == 2


async def test_a_rejected_change_is_published_nowhere_and_the_task_is_over(workshop):
    async with workshop() as floor:
        task = await floor.done_to(await withheld(floor), "reject")
        assert (task.state, task.outcome_reason) == (TaskState.CANCELLED, "rejected by a person")
        assert (await floor.pulls(), floor.branches()) == ((), [])


async def test_a_refuted_change_is_not_published_even_if_the_store_says_it_was_approved(workshop):
    async with workshop(shop.script(NO_FIX), max_rounds=1) as floor:
        task = await floor.repaired()
        assert task.proof.verdict == "refuted"
        forced = {"run_number": 2, "action": "publish"}
        task = await floor.worked(await floor.tools.tasks.move(task.id, TaskState.PENDING, **forced))
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "not_publishable")
        assert floor.branches() == []


async def crowded(floor):
    """Record another pull request of ours in the repository."""
    other = replace(pull_request(), repo_key=floor.repository.key, code_host="local")
    return await floor.tools.pull_requests.record(other)


async def test_a_repair_without_a_place_spends_nothing_and_goes_on_by_itself_when_there_is_one(workshop):
    async with workshop(max_open_pull_requests=1) as floor:
        other = await crowded(floor)
        task = await floor.repaired()

        assert (task.state, task.waiting_for) == (TaskState.NEEDS_HUMAN_REVIEW, NO_PLACE)
        assert "MAX_OPEN_PULL_REQUESTS" in task.outcome_reason
        assert (floor.fixer.requests, floor.mails(), floor.branches()) == ([], [], [])
        assert await floor.tools.places.release_waiting() == []

        await floor.tools.pull_requests.set_state(other.id, PullRequestState.MERGED)
        (task,) = await floor.tools.places.release_waiting()
        assert (task.run_number, task.action, task.waiting_for) == (2, "work", "")
        task = await floor.worked(task)
        assert (task.state, task.proof.verdict) == (TaskState.COMPLETED, "proved")
        assert len(floor.branches()) == 1
        assert await floor.tools.places.release_waiting() == []


async def test_a_person_may_let_a_repair_without_a_place_begin(workshop):
    async with workshop(max_open_pull_requests=1) as floor:
        await crowded(floor)
        task = await floor.worked(await floor.done_to(await floor.repaired(), "approve"))
        assert (task.state, task.proof.verdict) == (TaskState.COMPLETED, "proved")
        assert len(await floor.pulls()) == 2


async def test_a_repair_that_waited_for_a_place_is_judged_by_triage_like_any_other(workshop):
    script = shop.script() | {"triage": [{"raw": shop.opinion("expected", "It is told to the customer.")}]}
    async with workshop(script, triage_model="small-model", max_open_pull_requests=1) as floor:
        other = await crowded(floor)
        await floor.repaired()
        await floor.tools.pull_requests.set_state(other.id, PullRequestState.MERGED)
        (task,) = await floor.tools.places.release_waiting()
        task = await floor.worked(task)
        assert floor.fixer.purposes == ["triage:1"]
        assert (task.state, task.waiting_for) == (TaskState.NEEDS_HUMAN_REVIEW, "")
        assert await floor.tools.places.release_waiting() == []


async def test_what_a_person_retried_and_ends_in_review_for_another_reason_waits_for_no_place(workshop):
    async with workshop(shop.script(NO_FIX), max_rounds=1, max_open_pull_requests=1) as floor:
        other = await crowded(floor)
        task = await floor.repaired()
        await floor.tools.pull_requests.set_state(other.id, PullRequestState.MERGED)
        task = await floor.worked(await floor.done_to(task, "retry"))
        assert (task.proof.verdict, task.waiting_for) == ("refuted", "")
        assert await floor.tools.places.release_waiting() == []


async def test_a_fix_that_lost_its_place_is_kept_and_published_by_itself(workshop):
    async with workshop() as floor:
        take = floor.tools.places.take
        floor.gives_its_place_away()
        task = await floor.repaired()
        assert (task.state, task.proof.verdict) == (TaskState.NEEDS_HUMAN_REVIEW, "proved")
        assert task.waiting_for == NO_PLACE
        assert floor.branches() == []
        assert "MAX_OPEN_PULL_REQUESTS" in mail_text(floor.mails()[0])
        assert "published by itself" in mail_text(floor.mails()[0])

        floor.tools.places.take = take
        asked = len(floor.fixer.requests)
        (task,) = await floor.tools.places.release_waiting()
        assert task.action == "publish"
        task = await floor.worked(task)
        assert (task.state, task.proof.verdict) == (TaskState.COMPLETED, "proved")
        assert len(floor.fixer.requests) == asked
        assert [pull.draft for pull in await floor.pulls()] == [False]


async def test_a_person_may_publish_beyond_the_limit(workshop):
    async with workshop(max_open_pull_requests=1) as floor:
        floor.gives_its_place_away()
        task = await floor.repaired()
        await crowded(floor)
        task = await floor.worked(await floor.done_to(task, "approve"))
        assert (task.state, task.waiting_for) == (TaskState.COMPLETED, "")
        assert len(await floor.pulls()) == 2


async def test_a_withheld_change_gives_its_place_back(workshop):
    async with workshop(max_open_pull_requests=1) as floor:
        await withheld(floor)
        elsewhere = Place(floor.repository.key, "ai-ops/fix-other-1", "main", "t")
        assert await floor.tools.places.take(elsewhere) == ""


async def test_pull_requests_that_people_merged_on_the_host_do_not_count(workshop):
    async with workshop(max_open_pull_requests=1) as floor:
        other = await crowded(floor)
        local = floor.tools.hosts["local"]

        class Merged(type(local)):
            async def find_pull_request(self, repository, branch, base):
                if branch != other.branch:
                    return await local.find_pull_request(repository, branch, base)
                return HostedPullRequest(other.number, other.url, PullRequestState.MERGED, branch, base)

        floor.tools.hosts["local"] = Merged(floor.tools.pull_requests, local._comments, floor.tools.git)
        task = await floor.repaired()

        assert task.state is TaskState.COMPLETED
        assert {pull.branch: pull.state for pull in await floor.pulls()}[other.branch] == "merged"


STATES = {
    PullRequestState.OPEN: "was open already",
    PullRequestState.MERGED: "was merged already",
    PullRequestState.CLOSED: "a person said no",
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("ours", [True, False], ids=["recorded", "unrecorded"])
async def test_a_pull_request_that_is_there_is_taken_up_without_asking_anybody(workshop, state, ours):
    async with workshop() as floor:
        task = await floor.reported()
        branch = fix_branch(task.fingerprint, task.episode)
        there = replace(pull_request(), repo_key=floor.repository.key, branch=branch, state=state)
        if ours:
            await floor.tools.pull_requests.record(replace(there, state=PullRequestState.OPEN))
        floor.tools.hosts["local"] = Foreign(there)
        task = await floor.worked(task)

        assert task.state is TaskState.COMPLETED
        assert STATES[state] in task.outcome_reason
        assert floor.fixer.requests == []
        (pull,) = await floor.pulls()
        assert (pull.state, pull.branch, pull.number) == (state, branch, there.number)
        assert (task.pull_request_id, task.pr_url) == (pull.id, there.url)
        assert (floor.branches(), floor.mails()) == ([], [])


class Foreign:
    """A host whose pull request was opened, merged or closed over there."""

    def __init__(self, there):
        self._there = there

    async def find_pull_request(self, repository, branch, base):
        there = self._there
        return HostedPullRequest(
            there.number, there.url, there.state, branch, base, there.head_sha, adopted=True
        )


async def test_a_second_run_after_the_pull_request_is_open_takes_it_up(workshop):
    """The mail could not be rendered, say: the task names its pull request all the same."""
    async with workshop() as floor:
        render = floor.tools.mailroom.render

        def broken(*_):
            raise PermanentError("mail_broken", "no template")

        floor.tools.mailroom.render = broken
        task = await floor.repaired()
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "mail_broken")
        (pull,) = await floor.pulls()
        assert (task.pull_request_id, task.pr_url) == (pull.id, pull.url)

        floor.tools.mailroom.render = render
        task = await floor.worked(await floor.done_to(task, "retry"))
        assert (task.state, task.proof) == (TaskState.COMPLETED, pull.proof)
        assert await floor.pulls() == (pull,)
        assert floor.fixer.purposes == ["reproduce:1", "fix:1"]


async def test_someone_elses_branch_is_not_overwritten(workshop):
    async with workshop() as floor:
        task = await floor.reported()
        branch = fix_branch(task.fingerprint, task.episode)
        git("clone", "-q", str(floor.remote), "theirs", cwd=floor.folder)
        theirs = floor.folder / "theirs"
        git("checkout", "-q", "-b", branch, cwd=theirs)
        git("commit", "-q", "--allow-empty", "-m", "Mine", cwd=theirs)
        git("push", "-q", "origin", branch, cwd=theirs)
        task = await floor.worked(task)
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "branch_taken")
        assert git("log", "-1", "--format=%s", branch, cwd=floor.remote) == "Mine"


async def test_the_candidate_that_is_kept_says_all_that_publishing_needs(workshop):
    async with workshop(files=RULES) as floor:
        task = await withheld(floor)
        kept = json.loads(await floor.tools.trace.patch(run_id(task.id, 1), "candidate"))
        assert task.payload["candidate_run"] == run_id(task.id, 1)
        assert (kept["draft"], kept["labels"], kept["reviewers"]) == (True, ["bug"], ["ada"])
        assert kept["reproduction"] == [shop.TEST_PATH]
