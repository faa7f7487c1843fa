"""What people write on a pull request, and what becomes of it."""

import dataclasses

import pytest

from ai_ops.core import replies
from ai_ops.core.follow_ups import under_way
from ai_ops.core.orchestrator.conversation import Conversation
from ai_ops.core.orchestrator.watching import Watching
from ai_ops.core.ports import TaskFilter
from ai_ops.flow.issue import IssueState
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.task import TaskState
from ai_ops.store.comments import CommentRepository
from ai_ops.store.deliveries import SeenCommentRepository
from tests.integration.test_follow_up import REVISED, published, script
from tests.support import shop
from tests.support.git_server import git, push_files

pytestmark = pytest.mark.usefixtures("remembered_suites")

OTHER_TEST = "tests/test_mean_of_nothing.py"
ROLES = {
    "stranger": {"may_write": False},
    "helper[bot]": {},
    "reviewer": {"wants_changes": True},
    "critic": {"wants_changes": True, "may_write": False},
}


class Talk:
    """The people of a workshop's pull request, and the watcher that hears them."""

    def __init__(self, floor, pull):
        self.floor, self.pull = floor, pull
        self.host = floor.tools.hosts["local"]
        self._comments = CommentRepository(floor.database, floor.tools.clock)
        self._plain, self.host.comments = self.host.comments, self._with_roles
        seen = SeenCommentRepository(floor.database)
        self.conversation = Conversation(floor.tools, floor.engine, seen, "/ai-ops")
        self.watching = Watching(floor.tools.pull_requests, floor.tools.hosts, (self.conversation,))
        self.asked_since = []

    async def _with_roles(self, repository, number, since=None):
        self.asked_since.append(since)
        found = await self._plain(repository, number, since)
        return [dataclasses.replace(each, **ROLES.get(each.author, {})) for each in found]

    async def says(self, body, author="ann", *, look=True):
        """Write a comment, and look."""
        kept = await self._comments.add(self.pull.id, author, body, ours=False, key=body)
        if look:
            await self.watching.round()
        return kept

    async def answers(self):
        """Return what we have written so far."""
        found = await self._plain(self.floor.repository, self.pull.number)
        return [each.body for each in found if each.ours]

    async def tasks(self):
        """Return the follow-ups, the oldest first."""
        every = (await self.floor.tools.tasks.list(TaskFilter(kinds=("follow_up",)))).items
        return list(reversed(every))

    async def done(self):
        """Let the follow-up that is under way come to its end."""
        task = await under_way(self.floor.tools.tasks, self.pull.id)
        return await self.floor.worked(task)

    async def now(self):
        return await self.floor.tools.pull_requests.find(self.pull.id)


async def talking(floor):
    return Talk(floor, await published(floor))


async def test_a_comment_leads_to_a_proved_revision_and_an_answer_in_its_thread(workshop):
    async with workshop(script()) as floor:
        talk = await talking(floor)
        comment = await talk.says("/ai-ops say float(0)")
        task = await talk.done()
        assert (task.state, task.proof.verdict) == (TaskState.COMPLETED, "proved")
        branch = f"{talk.pull.branch}:{shop.MODULE_PATH}"
        assert git("show", branch, cwd=floor.remote) == REVISED.strip()
        (request,) = [each for each in floor.fixer.requests if each.purpose == "revise"]
        assert "say float(0)" in request.prompt
        assert "/ai-ops" not in request.prompt
        found = await floor.tools.hosts["local"].comments(floor.repository, talk.pull.number)
        assert [(each.ours, each.thread) for each in found] == [(False, comment.id), (True, comment.id)]
        await talk.watching.round()
        assert len(await talk.tasks()) == 1
        assert (await talk.now()).cause == talk.pull.cause != ""  # the revision said nothing of it


async def test_a_second_wish_waits_for_the_first_and_a_stop_does_not(workshop):
    async with workshop(script()) as floor:
        talk = await talking(floor)
        enqueue = floor.engine.enqueue
        floor.engine.enqueue = _forget
        await talk.says("/ai-ops say float(0)")
        await talk.says("/ai-ops and say why")
        await talk.says("/ai-ops explain")
        await talk.watching.round()
        assert [task.payload["request"] for task in await talk.tasks()] == ["say float(0)"]
        (answer,) = await talk.answers()
        assert "**Proved" in answer
        floor.engine.enqueue = enqueue
        await talk.done()
        await talk.watching.round()
        assert [task.payload["request"] for task in await talk.tasks()] == ["say float(0)", "and say why"]
        await talk.done()


async def _forget(_task):
    return None


@pytest.mark.parametrize("author", ["stranger", "critic"])
async def test_who_may_not_write_changes_nothing_and_is_told_once(workshop, author):
    async with workshop(script()) as floor:
        talk = await talking(floor)
        for words in ("stop", "retry", "delete everything", "ignore this error"):
            await talk.says(f"/ai-ops {words}", author)
        assert await talk.answers() == [replies.MAY_NOT_WRITE]
        assert await talk.tasks() == []
        now = await talk.now()
        assert (now.state, now.held, now.revision) == (PullRequestState.OPEN, "", 1)


async def test_bots_ourselves_and_words_for_others_are_left_alone(workshop):
    async with workshop(script()) as floor:
        talk = await talking(floor)
        await talk.says("/ai-ops retry", "helper[bot]")
        await talk.says("looks good, but /ai-ops stop is a thing")
        await talk.says("> /ai-ops stop")
        await floor.tools.hosts["local"].comment(
            floor.repository, talk.pull.number, "/ai-ops retry", marker="own"
        )
        await talk.watching.round()
        assert await talk.answers() == ["/ai-ops retry"]
        assert await talk.tasks() == []


async def test_a_review_that_wants_changes_needs_no_prefix(workshop):
    async with workshop(script()) as floor:
        talk = await talking(floor)
        await talk.says("Please say float(0).", "reviewer")
        (task,) = await talk.tasks()
        assert (task.payload["request"], task.payload["author"]) == ("Please say float(0).", "reviewer")
        await talk.done()


@pytest.mark.parametrize(
    ("words", "answer"), [("stop", replies.STOPPED), ("take over", replies.TAKEN_OVER)], ids=["stop", "over"]
)
async def test_a_person_who_takes_over_is_left_alone(workshop, words, answer):
    async with workshop(script()) as floor:
        talk = await talking(floor)
        floor.engine.enqueue = _forget
        await talk.says("/ai-ops say float(0)")
        await talk.says(f"/ai-ops {words}")
        await talk.says("/ai-ops retry")
        await talk.says("/ai-ops explain")
        assert await talk.answers() == [answer, replies.STEPPED_BACK]
        (task,) = await talk.tasks()
        assert task.state is TaskState.CANCELLED
        now = await talk.now()
        assert (now.held, now.state) == (f"ann said: {words}", PullRequestState.OPEN)
        assert floor.branches() == [now.branch]


async def test_a_pull_request_that_was_left_alone_is_followed_again(workshop):
    async with workshop(script()) as floor:
        talk = await talking(floor)
        await talk.says("/ai-ops stop")
        await talk.says("/ai-ops say float(0)")
        await talk.says("/ai-ops resume.", "stranger")
        assert (await talk.now()).held and await talk.tasks() == []
        await talk.says("/ai-ops resume")
        assert (await talk.now()).held == ""
        await talk.says("/ai-ops say float(0), please")
        task = await talk.done()
        assert (task.payload["request"], task.outcome_reason) == (
            "say float(0), please",
            "revision 2 was pushed",
        )
        answers = await talk.answers()
        assert answers[:2] == [replies.STOPPED, replies.STEPPED_BACK]
        assert replies.RESUMED in answers and len(await talk.tasks()) == 1


async def test_a_branch_that_a_person_has_pushed_to_is_not_taken_back(workshop):
    async with workshop(script()) as floor:
        talk = await talking(floor)
        held = "the branch is no longer ours: it holds 1 commit that is not ours"
        await floor.tools.pull_requests.update(talk.pull.id, held=held)
        await talk.says("/ai-ops resume")
        assert (await talk.now()).held == held
        assert f"ai-ops issue repair {talk.pull.issue_id}" in (await talk.answers())[-1]


async def test_an_ignored_error_is_answered_and_its_pull_request_closed(workshop):
    async with workshop(script()) as floor:
        talk = await talking(floor)
        await talk.says("/ai-ops ignore this error")
        issue = await floor.tools.issues.find(talk.pull.issue_id)
        assert (issue.state, (await talk.now()).state) == (IssueState.IGNORED, PullRequestState.CLOSED)
        (answer,) = await talk.answers()
        assert f"ai-ops issue reopen {issue.id}" in answer
        (decision,) = await floor.tools.issues.decisions(issue.id)
        assert decision.who == f"ann, on pull request #{talk.pull.number}"


async def test_an_error_is_ignored_on_a_pull_request_that_is_left_alone_and_that_stays_open(workshop):
    async with workshop(script()) as floor:
        talk = await talking(floor)
        await talk.says("/ai-ops stop")
        await talk.says("/ai-ops retry")
        await talk.says("/ai-ops ignore this error")
        issue = await floor.tools.issues.find(talk.pull.issue_id)
        assert (issue.state, (await talk.now()).state) == (IssueState.IGNORED, PullRequestState.OPEN)
        stopped, stepped_back, answer = await talk.answers()
        assert (stopped, stepped_back) == (replies.STOPPED, replies.STEPPED_BACK)
        assert f"ai-ops issue reopen {issue.id}" in answer and "close" not in answer


async def test_an_explanation_and_the_list_of_commands_need_no_model(workshop):
    async with workshop(script()) as floor:
        talk = await talking(floor)
        asked = len(floor.fixer.requests)
        await talk.says("/ai-ops explain")
        await talk.says("/ai-ops help")
        explained, listed = await talk.answers()
        assert "The list of stars is empty." in explained
        assert shop.TEST_PATH in explained
        assert "`/ai-ops take over`" in listed
        assert len(floor.fixer.requests) == asked
        assert await talk.tasks() == []


async def test_a_retry_repairs_the_error_anew_on_top_of_the_branch(workshop):
    answers = script()
    async with workshop(answers) as floor:
        talk = await talking(floor)
        await talk.says("/ai-ops retry")
        task = await talk.done()
        assert task.outcome_reason == "the change stays as it is"
        test = {OTHER_TEST: shop.TEST}
        answers.update(shop.script({"files": {shop.MODULE_PATH: REVISED}}, reproduce=test))
        await talk.says("/ai-ops retry.")
        task = await talk.done()
        assert (task.proof.verdict, task.outcome_reason) == ("proved", "revision 2 was pushed")
        now = await talk.now()
        assert now.run_id == task.trace_id
        assert now.reproduction == (OTHER_TEST,)  # what is told apart from the change itself
        assert git("show", f"{now.branch}:{shop.MODULE_PATH}", cwd=floor.remote) == REVISED.strip()


async def test_the_same_change_is_proposed_for_another_branch(workshop):
    async with workshop(script()) as floor:
        push_files(floor.remote, {"NOTES.md": "old\n"}, "release/1")
        talk = await talking(floor)
        await talk.says("/ai-ops open for another branch release/1")
        task = await talk.done()
        assert (task.state, task.proof.verdict) == (TaskState.COMPLETED, "proved")
        ported, first = await floor.pulls()
        assert (ported.base, first.id) == ("release/1", talk.pull.id)
        files = git("diff", "--name-only", "release/1", ported.branch, cwd=floor.remote).split()
        assert files == [shop.MODULE_PATH, shop.TEST_PATH]
        (answer,) = await talk.answers()
        assert answer.endswith(f"http://ai-ops.test/v1/pull-requests/{ported.id}")


async def test_a_change_that_is_proposed_for_another_branch_already_is_not_proposed_there_twice(workshop):
    async with workshop(script()) as floor:
        push_files(floor.remote, {"NOTES.md": "old\n"}, "release/1")
        talk = await talking(floor)
        known = await talk.now()
        other = dataclasses.replace(
            known,
            id="other",
            number=77,
            url="/v1/pull-requests/other",
            branch="ai-ops/fix-other-1",
            base="release/1",
            fingerprint="other",
            issue_id=None,
        )
        push_files(floor.remote, {"x": "x"}, other.branch)
        await floor.tools.pull_requests.record(other)
        await talk.says("/ai-ops open for another branch release/1")
        task = await talk.done()
        assert (task.state, task.pull_request_id) == (TaskState.COMPLETED, "other")
        assert {each.id for each in await floor.pulls()} == {known.id, "other"}
        assert sorted(floor.branches()) == sorted([known.branch, other.branch, "release/1"])
        (answer,) = await talk.answers()
        assert answer.endswith("http://ai-ops.test/v1/pull-requests/other")


@pytest.mark.parametrize("words", ["say float(0)", "retry", "open for release/1"])
async def test_a_wish_about_a_revert_is_answered_and_leads_to_no_run(workshop, words):
    """There is no error to reproduce and nothing to prove: a run could only fail, and nobody be told."""
    async with workshop(script()) as floor:
        first = await published(floor)
        push_files(floor.remote, {"x": "x"}, "ai-ops/revert-0123456789ab")
        revert = dataclasses.replace(
            first,
            id="revert",
            number=77,
            branch="ai-ops/revert-0123456789ab",
            fingerprint="",
            episode=0,
            issue_id=None,
        )
        talk = Talk(floor, await floor.tools.pull_requests.record(revert))
        await talk.says(f"/ai-ops {words}")
        assert await talk.answers() == [replies.ONLY_REVERTS]
        assert await talk.tasks() == []


@pytest.mark.parametrize(
    ("branch", "word"),
    [("--upload-pack=x", "bad_branch_name"), ("nowhere", "git_not_found"), ("main", "is for that branch")],
    ids=["an option", "none", "its own"],
)
async def test_a_branch_that_cannot_be_is_answered(workshop, branch, word):
    async with workshop(script()) as floor:
        talk = await talking(floor)
        await talk.says(f"/ai-ops open for another branch {branch}")
        if await under_way(floor.tools.tasks, talk.pull.id):
            assert (await talk.done()).state is TaskState.FAILED
        (answer,) = await talk.answers()
        assert word in answer
        assert len(await floor.pulls()) == 1
