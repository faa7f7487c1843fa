"""Closed unmerged means not wanted, until there is new evidence: on a real database."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from ai_ops.core.flood import IntakeRules
from ai_ops.core.ports import NewTask
from ai_ops.core.publishing_limits import PublishingLimits
from ai_ops.flow.issue import IssueState
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.task import TaskState
from ai_ops.store import tables
from ai_ops.store.issues import IssueRepository
from ai_ops.store.pull_requests import PullRequestRepository
from tests.support.store import APP, denial, event, fingerprint, pairs, pull_request

DAY = 86_400


@pytest.fixture
def pulls(database, clock):
    return PullRequestRepository(database, clock)


def seen(clock, number=1, release="abc", **more):
    return replace(event(number, at=clock.now(), **more), release=release)


async def happens(issues, clock, times=1, **more):
    """Let the error happen, and return the tasks of it."""
    tasks = []
    for _ in range(times):
        clock.forward(1)
        tasks += (await issues.ingest(pairs(seen(clock, **more)))).tasks
    return tasks


async def proposed(issues, tasks, pulls, clock, number=1, **changes):
    """Return the issue of an error whose pull request is open."""
    (task,) = await happens(issues, clock, number=number)
    issue = await issues.find(task.issue_id)
    pull = pull_request(number, issue_id=issue.id, task_id=task.id, episode=task.episode, **changes)
    await pulls.record(replace(pull, id=f"{pull.id}-{task.episode}", branch=f"b{number}-{task.episode}"))
    await tasks.move(task.id, TaskState.PROCESSING)
    await tasks.move(task.id, TaskState.COMPLETED, pull_request_id=f"{pull.id}-{task.episode}")
    return issue


async def refused(issues, tasks, pulls, clock, number=1):
    """Return the issue of an error whose pull request a person closed."""
    issue = await proposed(issues, tasks, pulls, clock, number)
    clock.forward(1)
    await pulls.set_state(f"pr-{number}-{issue.episode}", PullRequestState.CLOSED)
    clock.forward(1)
    return issue


async def test_a_refused_error_stays_refused_however_often_it_is_looked_at(
    database, clock, issues, tasks, pulls
):
    issue = await refused(issues, tasks, pulls, clock)
    for _ in range(3):
        assert await happens(issues, clock, 5) == []
        assert await issues.reconsider() == []
    assert (await issues.find(issue.id)).episode == 1
    assert (await issues.find(issue.id)).count == 16


async def test_another_release_opens_the_next_episode_once_and_is_on_record(
    database, clock, issues, tasks, pulls
):
    issue = await refused(issues, tasks, pulls, clock)
    await happens(issues, clock, release="def")
    (task,) = await issues.reconsider()
    assert (task.fingerprint, task.episode, task.issue_id) == (fingerprint(1), 2, issue.id)
    assert "release def" in task.outcome_reason
    assert await tasks.find(task.id) == task
    assert (await issues.find(issue.id)).episode == 2
    (decision,) = await issues.decisions(issue.id)
    assert (decision.verb, decision.who) == ("evidence", "ai-ops")
    assert decision.detail == {"episode": 2, "evidence": task.outcome_reason}
    assert await issues.reconsider() == []
    assert await happens(issues, clock, release="ghi") == []
    async with database.read() as connection:
        assert (await connection.execute(select(tables.refusals))).all() == []


async def test_a_release_that_was_there_before_is_nothing_new(clock, issues, tasks, pulls):
    await happens(issues, clock, release="old")
    (task,) = await tasks.unfinished()
    issue = await issues.find(task.issue_id)
    await pulls.record(pull_request(1, issue_id=issue.id))
    await happens(issues, clock, release="abc")
    await tasks.move(task.id, TaskState.PROCESSING)
    await tasks.move(task.id, TaskState.COMPLETED, pull_request_id="pr-1")
    await pulls.set_state("pr-1", PullRequestState.CLOSED)
    await happens(issues, clock, release="old")
    await happens(issues, clock, release="abc")
    assert await issues.reconsider() == []


async def test_an_event_of_before_the_refusal_that_comes_late_is_nothing_new(clock, issues, tasks, pulls):
    await refused(issues, tasks, pulls, clock)
    late = replace(seen(clock), occurred_at=clock.now().replace(year=2025), release="def")
    await issues.ingest(pairs(late))
    await happens(issues, clock)
    assert await issues.reconsider() == []


async def test_a_clear_rise_is_counted_over_all_looks(clock, issues, tasks, pulls):
    await refused(issues, tasks, pulls, clock)
    begun = []
    for _ in range(4):
        await happens(issues, clock, 6)
        begun += await issues.reconsider()
    (task,) = begun
    assert "24 times since its pull request was closed" in task.outcome_reason


async def test_repeats_that_an_agent_counted_count(clock, issues, tasks, pulls):
    await refused(issues, tasks, pulls, clock)
    await happens(issues, clock, count=30)
    assert len(await issues.reconsider()) == 1


async def test_what_happened_as_often_before_is_no_rise(clock, issues, tasks, pulls):
    await happens(issues, clock, 30)
    (task,) = await tasks.unfinished()
    await pulls.record(pull_request(1))
    await tasks.move(task.id, TaskState.PROCESSING)
    await tasks.move(task.id, TaskState.COMPLETED, pull_request_id="pr-1")
    await pulls.set_state("pr-1", PullRequestState.CLOSED)
    await happens(issues, clock, 60)
    assert await issues.reconsider() == []


async def test_an_error_that_is_no_fault_any_more_or_was_ignored_gets_no_new_repair(
    clock, issues, tasks, pulls
):
    first = await refused(issues, tasks, pulls, clock, 1)
    second = await refused(issues, tasks, pulls, clock, 2)
    await issues.judged(first.id, replace(first.triage, repair=False))
    await issues.set_state(second.id, IssueState.IGNORED)
    for number in (1, 2):
        await happens(issues, clock, release="def", number=number)
    assert await issues.reconsider() == []


async def test_a_merged_or_open_or_expired_one_was_not_refused(clock, issues, tasks, pulls):
    for number in (1, 2, 3):
        await proposed(issues, tasks, pulls, clock, number)
    await pulls.set_state("pr-1-1", PullRequestState.MERGED)
    await pulls.update("pr-3-1", state=PullRequestState.CLOSED, expired_at=clock.now())
    for number in (1, 2):
        await happens(issues, clock, release="def", number=number)
    assert await issues.reconsider() == []


async def test_what_happened_while_it_expired_is_no_evidence_against_a_refusal(clock, issues, tasks, pulls):
    await proposed(issues, tasks, pulls, clock)
    closed_at = clock.now()
    await pulls.update("pr-1-1", expired_at=closed_at)
    await happens(issues, clock, release="def")
    await pulls.update("pr-1-1", state=PullRequestState.CLOSED, closed_at=closed_at)
    assert await issues.reconsider() == []


async def test_an_expired_one_is_repaired_anew_when_its_error_happens_again(clock, issues, tasks, pulls):
    issue = await proposed(issues, tasks, pulls, clock)
    await pulls.update("pr-1-1", expired_at=clock.now())
    assert await happens(issues, clock) == []  # it is open still
    await pulls.set_state("pr-1-1", PullRequestState.CLOSED)
    (task,) = await happens(issues, clock)
    assert (task.issue_id, task.episode) == (issue.id, 2)
    assert await happens(issues, clock) == []


async def test_accepted_evidence_waits_for_its_turn_like_a_new_error(database, clock, tasks, pulls):
    issues = IssueRepository(database, clock, IntakeRules(publishing=PublishingLimits(open_at_once=1)))
    issue = await refused(issues, tasks, pulls, clock)
    await proposed(issues, tasks, pulls, clock, 2)
    await happens(issues, clock, release="def")
    assert await issues.reconsider() == []
    found = await issues.find(issue.id)
    assert found.episode == 2
    assert "release def" in found.waiting_reason and "MAX_OPEN_PULL_REQUESTS" in found.waiting_reason
    await pulls.set_state("pr-2-1", PullRequestState.MERGED)
    (task,) = await issues.release_waiting()
    assert (task.issue_id, task.episode) == (issue.id, 2)


def a_wish(issue, **more):
    sample = replace(issue.sample, error=replace(issue.sample.error, fingerprint=issue.fingerprint))
    return NewTask("repair", APP, "normal", {}, event=sample, **more)


async def test_a_person_who_names_the_issue_is_heard_and_one_who_sends_its_error_is_told(
    clock, issues, tasks, pulls
):
    issue = await refused(issues, tasks, pulls, clock)
    told = await tasks.create(a_wish(issue))
    assert (told.created, "no new evidence" in told.reason) == (False, True)
    created = await tasks.create(a_wish(issue, issue_id=issue.id))
    assert (created.created, created.task.episode) == (True, 2)


@pytest.mark.parametrize("before", [None, "resolve", "ignore"])
async def test_a_person_who_reopens_the_issue_lets_its_next_event_begin_a_repair(
    clock, issues, tasks, pulls, before
):
    issue = await refused(issues, tasks, pulls, clock)
    if before:
        await issues.decide(issue.id, before, "ada")
    reopened = await issues.decide(issue.id, "reopen", "ada")
    assert (reopened.state, reopened.episode) == ("open", 2)
    assert (await issues.decisions(issue.id))[-1].detail["episode"] == 2
    assert (await issues.decide(issue.id, "reopen", "ada")).episode == 2
    (task,) = await happens(issues, clock)
    assert task.episode == 2


async def test_reopening_one_that_was_not_refused_stays_in_its_episode(clock, issues, tasks, pulls):
    issue = await proposed(issues, tasks, pulls, clock)
    await issues.decide(issue.id, "resolve", "ada")
    assert (await issues.decide(issue.id, "reopen", "ada")).episode == 1


async def test_a_second_refusal_needs_evidence_of_its_own(clock, issues, tasks, pulls):
    issue = await refused(issues, tasks, pulls, clock)
    await happens(issues, clock, release="def")
    (task,) = await issues.reconsider()
    await pulls.record(replace(pull_request(1, issue_id=issue.id, episode=2), id="second", branch="b2"))
    await tasks.move(task.id, TaskState.PROCESSING)
    await tasks.move(task.id, TaskState.COMPLETED, pull_request_id="second")
    clock.forward(DAY)
    await pulls.set_state("second", PullRequestState.CLOSED)
    await happens(issues, clock, release="def")
    assert await issues.reconsider() == []
    await happens(issues, clock, release="ghi")
    assert [task.episode for task in await issues.reconsider()] == [3]


# --- Errors that joined another one's pull request


async def joined(issues, tasks, clock, pull_id="pr-1-1"):
    """Return the issue of an error whose repair ended with the pull request of another one."""
    (task,) = await happens(issues, clock, number=2)
    await tasks.move(task.id, TaskState.PROCESSING)
    await tasks.move(task.id, TaskState.COMPLETED, pull_request_id=pull_id)
    return await issues.find(task.issue_id)


async def test_an_error_that_joined_is_in_hand_as_long_as_that_pull_request_is_open(
    clock, issues, tasks, pulls
):
    issue = await proposed(issues, tasks, pulls, clock)
    other = await joined(issues, tasks, clock)
    assert await pulls.issues_of("pr-1-1") == [(issue.id, 1), (other.id, 1)]
    assert "is open" in (await tasks.create(a_wish(other))).reason
    assert await happens(issues, clock, number=2) == []


async def test_what_becomes_of_the_pull_request_becomes_of_every_error_that_joined_it(
    database, clock, issues, tasks, pulls
):
    await proposed(issues, tasks, pulls, clock)
    other = await joined(issues, tasks, clock)
    await pulls.set_state("pr-1-1", PullRequestState.CLOSED)
    assert "no new evidence" in (await tasks.create(a_wish(other))).reason
    await happens(issues, clock, number=2, release="def")
    (task,) = await issues.reconsider()
    assert (task.issue_id, task.episode) == (other.id, 2)


async def test_a_denial_is_never_called_for_by_evidence(clock, issues, tasks, pulls):
    await refused(issues, tasks, pulls, clock)
    clock.forward(1)
    await issues.ingest(pairs(replace(denial(1, at=clock.now()), release="def")))
    assert len(await issues.reconsider()) == 1  # what triage said of the error itself stands
