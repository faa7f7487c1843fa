"""One fix is one pull request: for two errors of one cause, over episodes, and when a run fails half-way."""

from dataclasses import replace

import pytest

from ai_ops.core.follow_ups import wish
from ai_ops.core.identity import fix_branch, pull_request_id
from ai_ops.core.orchestrator.expiring import Expiring
from ai_ops.core.orchestrator.places import LeftPlaces
from ai_ops.core.orchestrator.watching import Watching
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.follow_up import FollowUp, FollowUpReason
from ai_ops.flow.pull_request import HostedPullRequest, PullRequestState
from ai_ops.flow.task import TaskState, Verdict
from tests.integration.test_follow_up import wished
from tests.integration.test_orchestrator_crash import lived_through
from tests.support import shop
from tests.support.git_server import git
from tests.support.store import pull_request

pytestmark = pytest.mark.usefixtures("remembered_suites")

DAY = 86_400
HOST = "local"


def error_of(page):
    """The shop's error on another page: another issue of the same cause."""
    head, rest = shop.error().split("Traceback (most recent call last):\n")
    frame = f'  File "/srv/shop/shop/{page}.py", line 3, in {page}\n    summary(product)\n'
    return f"{head}Traceback (most recent call last):\n{frame}{rest}"


async def comments(floor, pull):
    return [each.body for each in await floor.tools.hosts[HOST].comments(floor.repository, pull.number)]


async def settled(floor, pull, state):
    """Let a person merge or close a local pull request."""
    return await floor.tools.pull_requests.set_state(pull.id, state)


# --- Two errors, one change


async def test_a_second_error_of_one_cause_joins_the_pull_request_that_mends_it(workshop):
    async with workshop() as floor:
        first = await floor.repaired(error_of("search"))
        second = await floor.repaired(error_of("basket"))

        (pull,) = await floor.pulls()
        assert floor.branches() == [pull.branch]
        assert second.issue_id != first.issue_id
        assert (second.state, second.proof.verdict) == (TaskState.COMPLETED, "proved")
        assert (second.pull_request_id, second.pr_url) == (pull.id, pull.url)
        assert "proposed already" in second.outcome_reason
        assert set(await floor.steps(second)) >= {"commit:1", "join:1"}
        (said,) = await comments(floor, pull)
        assert "also fixes another error" in said and f"/v1/issues/{second.issue_id}" in said
        assert len(floor.mails()) == 1
        assert await floor.tools.places.left() == []
        assert await floor.tools.pull_requests.issues_of(pull.id) == [
            (first.issue_id, 1),
            (second.issue_id, 1),
        ]


async def test_a_run_that_joins_and_crashes_at_every_step_says_so_once(workshop):
    async with workshop() as floor:
        await floor.repaired(error_of("search"))
        task = await floor.reported(error_of("basket"))
        await lived_through(floor, task, late=False)
        task = await floor.found(task)
        (pull,) = await floor.pulls()
        assert (task.state, task.pull_request_id) == (TaskState.COMPLETED, pull.id)
        assert len(await comments(floor, pull)) == 1


@pytest.mark.parametrize("state", [PullRequestState.CLOSED, PullRequestState.MERGED])
async def test_what_is_open_no_more_is_joined_by_nobody(workshop, state):
    async with workshop() as floor:
        await floor.repaired(error_of("search"))
        (first,) = await floor.pulls()
        await settled(floor, first, state)
        await floor.repaired(error_of("basket"))
        assert len(floor.branches()) == 2
        assert await comments(floor, first) == []


@pytest.mark.parametrize("gone", [False, True], ids=["closed", "gone"])
async def test_what_a_person_closed_on_the_host_a_moment_ago_is_joined_by_nobody(workshop, gone):
    async with workshop() as floor:
        await floor.repaired(error_of("search"))
        (first,) = await floor.pulls()
        host = floor.tools.hosts[HOST]
        asked = host.pull_request

        async def closed(repository, number):
            if gone:
                raise PermanentError("host_not_found", "there is none")
            return replace(await asked(repository, number), state=PullRequestState.CLOSED)

        host.pull_request = closed
        await floor.repaired(error_of("basket"))
        assert len(floor.branches()) == 2
        states = {pull.id: pull.state for pull in await floor.pulls()}
        assert states[first.id] is (PullRequestState.OPEN if gone else PullRequestState.CLOSED)


@pytest.mark.parametrize(
    "changes",
    [
        {"proof": replace(pull_request().proof, verdict=Verdict.REFUTED)},
        {"diff": "diff --git a/x b/x\n"},
        {"base": "release"},
    ],
    ids=["refuted", "another change", "another base"],
)
async def test_another_pull_request_is_not_joined(workshop, changes):
    async with workshop() as floor:
        await floor.repaired(error_of("search"))
        (first,) = await floor.pulls()
        if "base" in changes:  # what names a pull request cannot be changed; the host decides by it
            find = floor.tools.pull_requests.open_in

            async def elsewhere(repo_key):
                return [replace(pull, base="release") for pull in await find(repo_key)]

            floor.tools.pull_requests.open_in = elsewhere
        else:
            await floor.tools.pull_requests.update(first.id, **changes)
        await floor.repaired(error_of("basket"))
        assert len(floor.branches()) == 2


async def test_an_approved_change_that_is_proposed_meanwhile_joins_too(workshop):
    async with workshop() as floor:
        take = floor.tools.places.take
        floor.gives_its_place_away()
        waits = await floor.repaired(error_of("search"))
        floor.tools.places.take = take
        await floor.repaired(error_of("basket"))
        task = await floor.worked(await floor.done_to(waits, "approve"))
        (pull,) = await floor.pulls()
        assert (task.state, task.pull_request_id) == (TaskState.COMPLETED, pull.id)


# --- Over episodes


async def next_episode(floor, task):
    """Return the repair that begins when a person reopens the issue and it happens again."""
    await floor.tools.issues.decide(task.issue_id, "reopen", "ada")
    return await floor.reported()


async def test_after_a_refusal_and_a_persons_word_the_next_episode_has_its_own_branch(workshop):
    async with workshop() as floor:
        first = await floor.repaired()
        (pull,) = await floor.pulls()
        await settled(floor, pull, PullRequestState.CLOSED)
        second = await floor.worked(await next_episode(floor, first))
        assert second.episode == 2
        assert sorted(floor.branches()) == [fix_branch(first.fingerprint, n) for n in (1, 2)]


async def test_a_pull_request_that_a_person_opened_again_is_taken_up_in_the_next_episode(workshop):
    async with workshop() as floor:
        first = await floor.repaired()
        (pull,) = await floor.pulls()
        await settled(floor, pull, PullRequestState.CLOSED)
        task = await next_episode(floor, first)
        await settled(floor, pull, PullRequestState.OPEN)
        asked = len(floor.fixer.requests)
        task = await floor.worked(task)
        assert (task.state, task.pull_request_id) == (TaskState.COMPLETED, pull.id)
        assert len(floor.fixer.requests) == asked
        assert floor.branches() == [pull.branch]


# --- A run that fails half-way


async def failed_after_opening(floor, task):
    """Let a run open its pull request and fail before it is on record, as when answers are lost for hours."""
    host = floor.tools.hosts[HOST]
    record = floor.tools.pull_requests.record

    async def fails(pull):
        raise PermanentError("storage_failed", "no")

    floor.tools.pull_requests.record = fails
    task = await floor.worked(task)
    floor.tools.pull_requests.record = record
    assert task.state is TaskState.FAILED
    return host


class OverThere:
    """A host that has a pull request which we have no record of."""

    def __init__(self, host, there):
        self._host, self._there = host, there

    async def find_pull_request(self, repository, branch, base):
        return replace(self._there, branch=branch, base=base)


async def test_a_pull_request_that_was_opened_by_a_run_that_failed_is_put_on_record(workshop):
    async with workshop(max_open_pull_requests=1) as floor:
        task = await floor.reported()
        host = await failed_after_opening(floor, task)
        there = HostedPullRequest(7, "https://git.example/pull/7", PullRequestState.OPEN, "", "", "c" * 40)
        floor.tools.hosts[HOST] = OverThere(host, there)
        await LeftPlaces(floor.tools).clear()

        (pull,) = await floor.pulls()
        assert (pull.number, pull.branch) == (7, fix_branch(task.fingerprint, 1))
        ours, base = (git("rev-parse", name, cwd=floor.remote) for name in (pull.branch, "main"))
        # A person may have pushed meanwhile: what is on record is what we did.
        assert (pull.base_sha, pull.head_sha) == (base, ours)
        assert (await floor.found(task)).pull_request_id == pull.id
        assert await floor.tools.places.left() == []


async def test_a_place_whose_host_cannot_be_asked_stays_taken_and_one_of_nothing_is_given_back(workshop):
    async with workshop(max_open_pull_requests=1) as floor:
        task = await floor.reported()
        host = await failed_after_opening(floor, task)

        class Away:
            async def find_pull_request(self, *_):
                raise TemporaryError("host_unavailable", "away")

        floor.tools.hosts[HOST] = Away()
        await LeftPlaces(floor.tools).clear()
        assert len(await floor.tools.places.left()) == 1
        floor.tools.hosts[HOST] = host
        await LeftPlaces(floor.tools).clear()
        assert await floor.tools.places.left() == []
        assert await floor.pulls() == ()


# --- Expiry


async def after(floor, days, *, watch_days=30):
    """Go round the open pull requests some days later."""
    floor.tools.clock.forward(days * DAY)
    tools = floor.tools
    expiring = Expiring(tools.pull_requests, tools.tasks, tools.hosts, tools.clock, watch_days)
    await Watching(tools.pull_requests, tools.hosts, (expiring,)).round()
    return (await floor.pulls())[0]


async def test_a_pull_request_that_nobody_looked_at_is_closed_with_one_comment_and_repaired_anew(workshop):
    async with workshop() as floor:
        first = await floor.repaired()
        assert (await after(floor, 29)).state is PullRequestState.OPEN
        pull = await after(floor, 2)
        assert (pull.state, pull.expired_at is not None) == (PullRequestState.CLOSED, True)
        await after(floor, 1)
        (said,) = await comments(floor, pull)
        assert "Nobody has commented on this pull request or added to it for 30 days" in said
        again = await floor.reported()
        assert (again.issue_id, again.episode) == (first.issue_id, 2)
        assert (await floor.worked(again)).pull_request_id == pull_request_id(
            floor.repository.key, fix_branch(first.fingerprint, 2)
        )


async def write(floor, pull, author="ada", *, ours=False):
    await floor.tools.hosts[HOST]._comments.add(pull.id, author, "Looks good.", ours=ours, key=author)


async def push(floor, pull):
    """What a push of a person looks like: the host's head is not the one on record."""
    host = floor.tools.hosts[HOST]
    asked = host.pull_request

    async def pushed(repository, number):
        return replace(await asked(repository, number), head_sha="f" * 40)

    host.pull_request = pushed


async def hold(floor, pull):
    await floor.tools.pull_requests.update(pull.id, held="a person has taken it over")


async def reopen(floor, pull):
    await settled(floor, pull, PullRequestState.CLOSED)
    await settled(floor, pull, PullRequestState.OPEN)


async def ask_by_the_api(floor, pull):
    """A person's wish that stands on no host."""
    task = await wished(floor, pull)
    await floor.tools.tasks.move(task.id, TaskState.CANCELLED)


async def have_a_check_repaired(floor, pull):
    """Work that is under way."""
    wanted = FollowUp(pull.id, FollowUpReason.CHECKS, "red", "checks:1")
    assert await wish(floor.tools.tasks, pull, wanted)


@pytest.mark.parametrize("care", [write, push, hold, reopen, ask_by_the_api, have_a_check_repaired])
async def test_a_pull_request_that_somebody_cares_for_is_never_closed(workshop, care):
    async with workshop() as floor:
        await floor.repaired()
        await care(floor, (await floor.pulls())[0])
        pull = await after(floor, 400)
        assert (pull.state, pull.expired_at) == (PullRequestState.OPEN, None)


async def test_the_comments_of_bots_are_nobodys(workshop):
    async with workshop() as floor:
        await floor.repaired()
        (pull,) = await floor.pulls()
        await write(floor, pull, "coverage[bot]")
        await write(floor, pull, "project_12_bot_5f1c")
        await write(floor, pull, "ai-ops", ours=True)
        assert (await after(floor, 31)).state is PullRequestState.CLOSED


async def test_without_a_number_of_days_nothing_expires(workshop):
    async with workshop() as floor:
        await floor.repaired()
        assert (await after(floor, 4000, watch_days=0)).state is PullRequestState.OPEN


@pytest.mark.parametrize("breaks", ["comment", "close_pull_request"])
async def test_an_expiry_that_breaks_off_is_ended_later_and_is_no_refusal(workshop, breaks):
    async with workshop() as floor:
        await floor.repaired()
        host = floor.tools.hosts[HOST]
        work = getattr(host, breaks)

        async def broken(*arguments, **named):
            await work(*arguments, **named)
            raise TemporaryError("host_unavailable", "the answer is lost")

        setattr(host, breaks, broken)
        pull = await after(floor, 31)
        assert pull.expired_at is not None
        setattr(host, breaks, work)
        pull = await after(floor, 0)
        assert (pull.state, pull.expired_at is not None) == (PullRequestState.CLOSED, True)
        assert len(await comments(floor, pull)) == 1


async def test_somebody_who_comments_just_before_the_end_keeps_it_open(workshop):
    async with workshop() as floor:
        await floor.repaired()
        host = floor.tools.hosts[HOST]
        work = host.close_pull_request

        async def broken(*_):
            raise TemporaryError("host_unavailable", "away")

        host.close_pull_request = broken
        await write(floor, await after(floor, 31))
        host.close_pull_request = work
        pull = await after(floor, 0)
        assert (pull.state, pull.expired_at) == (PullRequestState.OPEN, None)


async def test_one_that_a_person_merges_while_it_expires_is_a_merged_one(workshop):
    async with workshop() as floor:
        await floor.repaired()
        (pull,) = await floor.pulls()
        host = floor.tools.hosts[HOST]
        close = host.close_pull_request

        async def late(repository, number):
            await host.merge_pull_request(repository, pull)
            await close(repository, number)

        host.close_pull_request = late
        pull = await after(floor, 31)
        assert (pull.state, pull.expired_at, pull.closed_at) == (PullRequestState.MERGED, None, None)
        assert pull.merged_at is not None
        assert pull.merge_sha == git("rev-parse", "main", cwd=floor.remote)


async def test_one_that_was_merged_after_we_broke_off_is_no_expired_one(workshop):
    async with workshop() as floor:
        await floor.repaired()
        host = floor.tools.hosts[HOST]

        async def away(*_):
            raise TemporaryError("host_unavailable", "away")

        host.close_pull_request = away
        pull = await after(floor, 31)
        assert (pull.state, pull.expired_at is not None) == (PullRequestState.OPEN, True)
        asked = host.pull_request

        async def merged(repository, number):
            return replace(await asked(repository, number), state=PullRequestState.MERGED, merge_sha="c" * 40)

        host.pull_request = merged
        pull = await after(floor, 0)
        assert (pull.state, pull.merge_sha, pull.expired_at) == (PullRequestState.MERGED, "c" * 40, None)


async def test_one_that_the_host_still_calls_open_is_looked_at_again(workshop):
    async with workshop() as floor:
        await floor.repaired()
        host = floor.tools.hosts[HOST]
        close = host.close_pull_request

        async def without_effect(*_):
            pass

        host.close_pull_request = without_effect
        pull = await after(floor, 31)
        assert (pull.state, pull.expired_at is not None) == (PullRequestState.OPEN, True)
        host.close_pull_request = close
        pull = await after(floor, 0)
        assert (pull.state, pull.expired_at is not None) == (PullRequestState.CLOSED, True)
        assert len(await comments(floor, pull)) == 1
