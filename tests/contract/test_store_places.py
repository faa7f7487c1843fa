"""Places for pull requests on a real database: no limit is ever passed, and nothing stays taken."""

import asyncio
from dataclasses import replace

import pytest

from ai_ops.core.flood import IntakeRules
from ai_ops.core.identity import fix_branch
from ai_ops.core.ports import Place
from ai_ops.core.publishing_limits import NO_PLACE, PublishingLimits
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.task import TaskState
from ai_ops.store.database import open_database
from ai_ops.store.issues import IssueRepository
from ai_ops.store.places import PlaceRepository
from ai_ops.store.pull_requests import PullRequestRepository
from tests.support.store import APP, event, fingerprint, pairs, pull_request

HOUR = 3600
_HEAD = 52 * 4  # bits below the twelve digits that a branch is named by


@pytest.fixture
def pulls(database, clock):
    return PullRequestRepository(database, clock)


def places_of(database, clock, **limits):
    return PlaceRepository(database, clock, PublishingLimits(**limits))


def place(number=1, *, repo_key=APP.key, task_id="none"):
    return Place(repo_key, fix_branch(fingerprint(number << _HEAD), 1), "main", task_id)


def pull_of(number, **changes):
    """The pull request that a place was taken for."""
    return pull_request(number, branch=place(number).branch, **changes)


async def repairs(issues, *numbers):
    """Return the repairs of new errors."""
    return list((await issues.ingest(pairs(*(event(number << _HEAD) for number in numbers)))).tasks)


def number_of(each):
    return int(each.fingerprint, 16) >> _HEAD


async def test_a_place_is_taken_once_for_a_branch_and_the_limit_holds(database, clock):
    places = places_of(database, clock, open_at_once=2)
    assert [await places.take(place(n)) for n in (1, 1, 2, 2)] == [""] * 4
    assert "MAX_OPEN_PULL_REQUESTS" in await places.take(place(3))
    assert await places.take(place(3, repo_key="git.example/acme/other")) == ""
    assert await places.take(place(3), beyond_limits=True) == ""


async def test_a_pull_request_holds_its_place_until_it_is_merged_or_closed(database, clock, pulls):
    places = places_of(database, clock, open_at_once=1)
    await places.take(place(1))
    await pulls.record(pull_of(1))
    await places.release(APP.key, place(1).branch)
    assert await places.take(place(2)) != ""
    await pulls.set_state(pull_of(1).id, PullRequestState.CLOSED)
    assert await places.take(place(2)) == ""


async def test_one_that_was_opened_before_there_were_places_counts(database, clock, pulls):
    await pulls.record(pull_request(7))
    assert await places_of(database, clock, open_at_once=1).take(place(1)) != ""


async def test_a_working_task_keeps_its_place_and_one_that_has_ended_gives_it_back(
    database, clock, issues, tasks
):
    places = places_of(database, clock, open_at_once=1)
    (task,) = await repairs(issues, 1)
    mine = place(1, task_id=task.id)
    await places.take(mine)
    await places.release(APP.key, mine.branch)
    assert await places.left() == []
    assert await places.take(place(2)) != ""

    await tasks.move(task.id, TaskState.PROCESSING)
    await tasks.move(task.id, TaskState.FAILED)
    assert await places.left() == [mine]
    assert await places.take(place(2)) != ""  # it may have opened its pull request all the same
    await places.release(APP.key, mine.branch)
    assert await places.left() == []
    assert await places.take(place(2)) == ""


async def test_hours_and_days_count_what_was_opened_in_them(database, clock, pulls):
    places = places_of(database, clock, per_hour=1, per_day=2)
    for number in (1, 2):
        assert await places.take(place(number)) == ""
        await pulls.record(pull_of(number, state=PullRequestState.MERGED))
        assert "PULL_REQUESTS_PER_HOUR" in await places.take(place(9))
        clock.forward(HOUR + 1)
    assert "PULL_REQUESTS_PER_DAY" in await places.take(place(9))
    clock.forward(23 * HOUR)
    assert await places.take(place(9)) == ""


async def test_the_servers_limits_count_all_repositories(database, clock):
    places = places_of(database, clock, server_per_hour=2)
    assert [await places.take(place(1, repo_key=f"git.example/a/{n}")) for n in range(2)] == ["", ""]
    assert "PULL_REQUESTS_PER_HOUR_TOTAL" in await places.take(place(1, repo_key="git.example/a/2"))


async def test_places_of_days_long_past_are_forgotten(database, clock, pulls):
    places = places_of(database, clock, per_day=1)
    await places.take(place(1))
    await pulls.record(pull_of(1))
    clock.forward(49 * HOUR)
    await places.left()
    clock.forward(-49 * HOUR)
    assert await places.take(place(2)) == ""


async def test_eight_at_once_never_pass_the_limit(database, store_url, clock):
    """Two servers on one database, four workers each."""
    other = await open_database(store_url)
    try:
        for turn in range(25):
            both = [places_of(each, clock, open_at_once=3) for each in (database, other)]
            key = f"git.example/acme/{turn}"
            taken = await asyncio.gather(*(both[n % 2].take(place(n, repo_key=key)) for n in range(8)))
            assert taken.count("") == 3, turn
    finally:
        await other.close()


async def waiting(issues, tasks, *numbers, candidate=""):
    """Return repairs that wait for a place."""
    found = []
    for task in await repairs(issues, *numbers):
        await tasks.move(task.id, TaskState.PROCESSING)
        payload = task.payload | ({"candidate_run": candidate} if candidate else {})
        changes = {"waiting_for": NO_PLACE, "payload": payload}
        found.append(await tasks.move(task.id, TaskState.NEEDS_HUMAN_REVIEW, **changes))
    return found


async def test_repairs_that_wait_go_on_the_oldest_first_each_with_its_place(database, clock, issues, tasks):
    places = places_of(database, clock, open_at_once=2)
    old = await waiting(issues, tasks, 1, 2, 3)
    begun = await places.release_waiting()
    assert [task.id for task in begun] == [task.id for task in old[:2]]
    assert {(task.state, task.action, task.run_number, task.waiting_for) for task in begun} == {
        (TaskState.PENDING, "work", 2, "")
    }
    assert [await tasks.find(task.id) for task in begun] == list(begun)
    assert await places.release_waiting() == []
    assert await places.take(place(9)) != ""
    assert await places.take(place(1, task_id=old[0].id)) == ""


async def test_a_finished_fix_is_published_when_it_has_a_place(database, clock, issues, tasks):
    await waiting(issues, tasks, 1, candidate="run-1")
    (task,) = await places_of(database, clock, open_at_once=1).release_waiting()
    assert (task.action, task.payload["candidate_run"]) == ("publish", "run-1")


async def test_what_waits_for_a_person_is_left_to_them(database, clock, issues, tasks):
    (task,) = await repairs(issues, 1)
    await tasks.move(task.id, TaskState.PROCESSING)
    await tasks.move(task.id, TaskState.NEEDS_HUMAN_REVIEW)
    assert await places_of(database, clock, open_at_once=9).release_waiting() == []


async def test_a_full_repository_keeps_nobody_else_waiting(database, clock, issues, tasks, pulls):
    places = places_of(database, clock, open_at_once=1)
    await pulls.record(pull_request(7))
    await waiting(issues, tasks, 1)
    other = replace(APP, key="git.example/acme/other")
    (task,) = (await issues.ingest([(event(5), other)])).tasks
    await tasks.move(task.id, TaskState.PROCESSING)
    await tasks.move(task.id, TaskState.NEEDS_HUMAN_REVIEW, waiting_for=NO_PLACE)
    assert [each.id for each in await places.release_waiting()] == [task.id]


# --- At intake: what would find no place does not begin


def full_at(database, clock, **limits):
    return IssueRepository(database, clock, IntakeRules(publishing=PublishingLimits(**limits)))


async def test_a_flood_begins_no_more_repairs_than_there_are_places_and_the_rest_say_why(
    database, clock, tasks, pulls
):
    issues = full_at(database, clock, open_at_once=5)
    await pulls.record(pull_request(900))
    begun = await repairs(issues, *range(1, 101))
    assert [number_of(task) for task in begun] == [1, 2, 3, 4]
    found = {number_of(each): each for each in (await issues.list(limit=200)).items}
    assert "MAX_OPEN_PULL_REQUESTS" in found[100].waiting_reason
    assert await issues.waiting() == {"spike": 0, "storm": 0, "place": 96, "queue": 0}
    assert await issues.release_waiting() == []

    # One repair ends without a pull request, one pull request is merged: there is room for two more.
    await tasks.move(begun[0].id, TaskState.CANCELLED)
    await pulls.set_state("pr-900", PullRequestState.MERGED)
    more = await issues.release_waiting()
    assert [number_of(task) for task in more] == [5, 6]
    assert await issues.release_waiting() == []


async def test_a_repair_and_its_place_and_its_pull_request_count_once(database, clock, tasks, pulls):
    issues = full_at(database, clock, open_at_once=2)
    (first,) = await repairs(issues, 1)
    await places_of(database, clock).take(place(1, task_id=first.id))
    await pulls.record(pull_of(1))
    await tasks.update(first.id, pull_request_id=pull_of(1).id)
    assert len(await repairs(issues, 2)) == 1
    assert await repairs(issues, 3) == []


async def test_a_repair_that_took_up_a_pull_request_needs_no_place(database, clock, tasks, pulls):
    issues = full_at(database, clock, open_at_once=2)
    (first,) = await repairs(issues, 1)
    await pulls.record(pull_of(1))
    await tasks.update(first.id, pull_request_id=pull_of(1).id)
    assert len(await repairs(issues, 2)) == 1


async def test_a_repair_that_waits_for_a_place_counts_before_new_ones(database, clock, tasks):
    issues = full_at(database, clock, open_at_once=1)
    (task,) = await repairs(issues, 1)
    await tasks.move(task.id, TaskState.PROCESSING)
    await tasks.move(task.id, TaskState.NEEDS_HUMAN_REVIEW, waiting_for=NO_PLACE)
    assert await repairs(issues, 2) == []


async def test_the_pull_requests_of_an_hour_hold_new_repairs_back(database, clock, pulls):
    issues = full_at(database, clock, per_hour=1)
    await places_of(database, clock).take(place(1))
    await pulls.record(pull_of(1, state=PullRequestState.MERGED))
    assert await repairs(issues, 2) == []
    clock.forward(HOUR + 1)
    assert len(await issues.release_waiting()) == 1
