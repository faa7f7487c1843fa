"""Comment, revision, proof and reply on GitHub and GitLab: doubles over real git, and the real clients."""

import pytest

from ai_ops.core import replies
from ai_ops.core.follow_ups import under_way
from ai_ops.core.orchestrator.conversation import Conversation
from ai_ops.core.orchestrator.watching import Watching
from ai_ops.core.report import HEADLINES
from ai_ops.flow.task import TaskState, Verdict
from ai_ops.store.deliveries import SeenCommentRepository
from tests.integration.test_follow_up import REVISED, published, script
from tests.support import shop
from tests.support.git_server import git
from tests.support.host_settings import github_host, gitlab_host

pytestmark = pytest.mark.usefixtures("remembered_suites")


@pytest.fixture(params=[github_host, gitlab_host], ids=["github", "gitlab"])
async def at(request, tmp_path):
    async with request.param(tmp_path / "host") as setting:
        yield setting


def listening(floor):
    """Return what goes round the pull requests of a workshop and hears their comments."""
    seen = SeenCommentRepository(floor.database)
    conversation = Conversation(floor.tools, floor.engine, seen, "/ai-ops")
    return Watching(floor.tools.pull_requests, floor.tools.hosts, (conversation,))


async def ours(floor, at, pull):
    found = await floor.tools.hosts[at.repository.code_host].comments(at.repository, pull.number)
    return [each for each in found if each.ours]


async def test_a_comment_is_followed_and_answered_once_and_strangers_are_told_once(workshop, at):
    async with workshop(script(), at=at) as floor:
        pull, watching = await published(floor), listening(floor)
        for words in ("/ai-ops retry", "/ai-ops stop"):
            at.double.say(at.name, pull.number, "mallory", words)
        at.double.say(at.name, pull.number, "ada", "/ai-ops say float(0)")
        await watching.round()
        task = await floor.worked(await under_way(floor.tools.tasks, pull.id))
        assert (task.state, task.proof.verdict) == (TaskState.COMPLETED, "proved")
        await watching.round()

        told, answer = await ours(floor, at, pull)
        now = await floor.tools.pull_requests.find(pull.id)
        assert replies.MAY_NOT_WRITE in told.body
        assert f"Revision 2 is on the branch: {now.head_sha}." in answer.body
        assert (now.held, now.revision) == ("", 2)
        log = git("log", "--format=%H", f"main..{pull.branch}", cwd=at.bare).split()
        assert log == [now.head_sha, pull.head_sha]
        assert git("show", f"{pull.branch}:{shop.MODULE_PATH}", cwd=at.bare) == REVISED.strip()
        hosted = await floor.tools.hosts[at.repository.code_host].pull_request(at.repository, pull.number)
        assert hosted.head_sha == now.head_sha
        assert await under_way(floor.tools.tasks, pull.id) is None


async def test_a_review_that_requests_changes_is_followed_without_a_prefix(workshop, at):
    async with workshop(script(), at=at) as floor:
        pull, watching = await published(floor), listening(floor)
        at.double.review(at.name, pull.number, "ada", "Please say float(0).")
        await watching.round()
        task = await under_way(floor.tools.tasks, pull.id)
        assert (task.payload["author"], task.payload["reason"]) == ("ada", "comment")
        await floor.worked(task)
        assert (await floor.tools.pull_requests.find(pull.id)).revision == 2


async def test_what_people_changed_in_the_text_stays_through_revisions(workshop, at):
    async with workshop(script(), at=at) as floor:
        pull = await published(floor)
        host = floor.tools.hosts[at.repository.code_host]
        edited = f"Holds back the release of Friday.\n\n{pull.body}\n\n- [x] I tried it by hand.".replace(
            "\n", "\r\n"
        )
        await host.update_pull_request(at.repository, pull.number, body=edited)
        at.double.say(at.name, pull.number, "ada", "/ai-ops say float(0)")
        await listening(floor).round()
        task = await floor.worked(await under_way(floor.tools.tasks, pull.id))
        assert task.outcome_reason == "revision 2 was pushed"
        text = (await host.pull_request(at.repository, pull.number)).body
        assert text.startswith("Holds back the release of Friday.\n\n")
        assert text.endswith("\n- [x] I tried it by hand.")
        now = await floor.tools.pull_requests.find(pull.id)
        assert now.body in text and now.body != pull.body
        assert "Holds back" not in now.body


@pytest.mark.parametrize("person", ["a note above it", "a word in it", "all taken away"])
async def test_the_verdict_of_a_revision_stands_whatever_people_wrote_beside_the_old(workshop, at, person):
    old, new = (f"**{HEADLINES[verdict]}**" for verdict in (Verdict.UNPROVED, Verdict.PROVED))
    async with workshop(script(), at=at) as floor:
        pull = await published(floor)
        host, body = floor.tools.hosts[at.repository.code_host], pull.body.replace(new, old)
        await floor.tools.pull_requests.update(pull.id, body=body)
        edited = {
            "a note above it": f"Holds back the release of Friday.\n\n{body}",
            "a word in it": body.replace(old, f"{old} Or is it?"),
            "all taken away": "",
        }[person]
        await host.update_pull_request(at.repository, pull.number, body=edited)
        at.double.say(at.name, pull.number, "ada", "/ai-ops say float(0)")
        await listening(floor).round()
        task = await floor.worked(await under_way(floor.tools.tasks, pull.id))
        assert task.outcome_reason == "revision 2 was pushed"
        lines = (await host.pull_request(at.repository, pull.number)).body.split("\n")
        assert lines[0] == new and lines.count(new) == 1 and old not in lines
        assert ("Holds back the release of Friday." in lines) is (person == "a note above it")
        assert (f"{old} Or is it?" in lines) is (person == "a word in it")


async def test_the_text_of_a_pull_request_that_was_found_on_the_host_is_brought_up_to_date(workshop, at):
    async with workshop(script(), at=at) as floor:
        pull, host = await published(floor), floor.tools.hosts[at.repository.code_host]
        await floor.tools.pull_requests.update(pull.id, body="")  # as one is kept that a killed run opened
        at.double.say(at.name, pull.number, "ada", "/ai-ops say float(0)")
        await listening(floor).round()
        task = await floor.worked(await under_way(floor.tools.tasks, pull.id))
        assert task.outcome_reason == "revision 2 was pushed"
        now = await floor.tools.pull_requests.find(pull.id)
        shown = (await host.pull_request(at.repository, pull.number)).body
        assert shown.strip() == now.body.strip() != pull.body.strip()
