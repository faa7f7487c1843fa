"""Limits, spikes and deploy storms on a real database: nothing lost, nothing counted twice, few tasks."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func, select, text

from ai_ops.core.expected import ExpectedRule
from ai_ops.core.flood import IntakeRules
from ai_ops.core.ports import NewTask
from ai_ops.flow.issue import IssueState
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import TaskState
from ai_ops.store import tables
from ai_ops.store.database import open_database
from ai_ops.store.issues import IssueRepository
from ai_ops.store.known_issues import belonging
from ai_ops.store.pull_requests import PullRequestRepository
from tests.support.store import APP, denial, event, fingerprint, pairs, pull_request

OTHER = Repository("git.example/acme/other", "https://git.example/acme/other", "gitlab")
RULES = IntakeRules(stored_per_minute=10, tasks_per_hour=5, storm_fingerprints=4, storm_seconds=600)


def with_rules(database, clock, **rules):
    return IssueRepository(database, clock, IntakeRules(**rules))


def seen(number, clock, release="new", **more):
    """An event of the error with this number, now, from a release."""
    return replace(event(number, at=clock.now()), release=release, **more)


async def by_number(issues):
    return {int(issue.fingerprint, 16): issue for issue in (await issues.list(limit=200)).items}


async def rows(database, table):
    async with database.read() as connection:
        return (await connection.execute(select(func.count()).select_from(table))).scalar_one()


# --- One issue above its limit


async def test_above_its_limit_an_issue_counts_on_exactly_and_stores_no_more(database, clock):
    issues = with_rules(database, clock, stored_per_minute=10)
    answer = await issues.ingest(pairs(*(event(count=3) for _ in range(25))))
    assert (answer.accepted, answer.duplicates, answer.only_counted) == (25, 0, 15)
    issue = (await by_number(issues))[1]
    assert (issue.count, issue.only_counted) == (75, 15)
    assert await rows(database, tables.events) == 10
    assert await rows(database, tables.counted_events) == 15


async def test_an_event_that_was_only_counted_is_a_duplicate_when_it_comes_again(database, clock):
    issues = with_rules(database, clock, stored_per_minute=2)
    batch = pairs(*(event() for _ in range(6)))
    await issues.ingest(batch)
    again = await issues.ingest(batch)
    assert (again.accepted, again.duplicates, again.only_counted) == (0, 6, 0)
    assert (await by_number(issues))[1].count == 6


async def test_the_next_minute_stores_again_and_another_issue_has_its_own(database, clock):
    issues = with_rules(database, clock, stored_per_minute=2)
    await issues.ingest(pairs(*(event() for _ in range(3)), event(2)))
    assert await rows(database, tables.events) == 3
    clock.forward(59)
    assert (await issues.ingest(pairs(event()))).only_counted == 1
    clock.forward(1)
    assert (await issues.ingest(pairs(event()))).only_counted == 0
    found = await by_number(issues)
    assert (found[1].count, found[1].only_counted, found[2].only_counted) == (5, 2, 0)


async def test_concurrent_callers_above_the_limit_lose_no_count(database, clock):
    issues = with_rules(database, clock, stored_per_minute=7)
    answers = await asyncio.gather(*(issues.ingest(pairs(event(), event())) for _ in range(30)))
    assert sum(answer.accepted for answer in answers) == 60
    assert sum(answer.only_counted for answer in answers) == 53
    issue = (await by_number(issues))[1]
    assert (issue.count, issue.only_counted) == (60, 53)


# --- Spikes


async def test_a_flood_of_new_errors_makes_no_flood_of_tasks_and_the_rest_say_why_they_wait(
    database, clock, tasks
):
    issues = with_rules(database, clock, tasks_per_hour=5)
    answer = await issues.ingest(pairs(*(event(n) for n in range(200))))
    assert (answer.accepted, len(answer.tasks)) == (200, 5)
    found = await by_number(issues)
    assert [n for n in found if not found[n].waiting_reason] == [4, 3, 2, 1, 0]
    assert "this repository had 5 repairs in the last hour" in found[100].waiting_reason
    assert await issues.waiting() == {"spike": 195, "storm": 0, "place": 0, "queue": 0}
    assert len(await tasks.unfinished()) == 5


async def test_what_waited_begins_by_itself_the_oldest_first_as_there_is_room(database, clock, tasks):
    issues = with_rules(database, clock, tasks_per_hour=5)
    await issues.ingest(pairs(*(event(n) for n in range(12))))
    assert await issues.release_waiting() == []
    clock.forward(3601)
    begun = await issues.release_waiting()
    assert [int(task.fingerprint, 16) for task in begun] == [5, 6, 7, 8, 9]
    assert await tasks.find(begun[0].id) == begun[0]
    assert await issues.release_waiting() == []
    clock.forward(3601)
    assert len(await issues.release_waiting()) == 2
    assert await issues.waiting() == {"spike": 0, "storm": 0, "place": 0, "queue": 0}


async def test_what_waited_begins_when_it_happens_again_and_there_is_room(database, clock):
    issues = with_rules(database, clock, tasks_per_hour=1)
    await issues.ingest(pairs(event(1), event(2)))
    assert (await issues.ingest(pairs(event(2)))).tasks == ()
    clock.forward(3601)
    (task,) = (await issues.ingest(pairs(event(2)))).tasks
    assert (task.fingerprint, task.episode) == (fingerprint(2), 1)
    assert (await by_number(issues))[2].waiting_reason == ""


async def test_what_waits_for_its_turn_counts_on_and_says_what_it_waits_for_now(database, clock):
    issues = with_rules(database, clock, tasks_per_hour=1)
    await issues.ingest(pairs(*(event(n) for n in range(4))))
    clock.forward(3601)
    first = await issues.ingest(pairs(*(event(n) for n in (1, 2, 2, 3))))
    again = await issues.ingest(pairs(*(event(n) for n in (1, 2, 2, 3))))
    assert (first.accepted, len(first.tasks)) == (4, 1)
    assert (again.accepted, again.only_counted, again.tasks) == (4, 0, ())
    assert [(await by_number(issues))[n].count for n in (0, 1, 2, 3)] == [1, 3, 5, 3]
    wider = with_rules(database, clock, tasks_per_hour=2)
    (task,) = (await wider.ingest(pairs(event(3), event(2), event(2)))).tasks
    found = await by_number(wider)
    assert (task.fingerprint, found[3].waiting_reason) == (fingerprint(3), "")
    assert "had 2 repairs in the last hour" in found[2].waiting_reason


async def test_one_flooding_repository_leaves_room_for_the_others(database, clock):
    issues = with_rules(database, clock, tasks_per_hour=3)
    flood = [(replace(event(n), node="a"), APP) for n in range(50)]
    answer = await issues.ingest([*flood, (replace(event(1), node="b"), OTHER)])
    assert [task.repo_key for task in answer.tasks].count(OTHER.key) == 1
    clock.forward(3601)
    more = [(replace(event(n), node="b"), OTHER) for n in range(50, 60)]
    await issues.ingest(more)
    begun = await issues.release_waiting()
    assert [task.repo_key for task in begun] == [APP.key] * 3


async def test_one_flooding_node_leaves_room_for_the_others(database, clock):
    issues = with_rules(database, clock, tasks_per_hour=3)
    flood = [
        (replace(event(n), node="a"), Repository(f"git.example/acme/{n}", "u", "github")) for n in range(9)
    ]
    assert len((await issues.ingest(flood)).tasks) == 3
    assert "node a" in (await issues.list()).items[0].waiting_reason
    assert len((await issues.ingest([(replace(event(99), node="b"), APP)])).tasks) == 1


async def test_a_person_does_not_wait_and_an_ignored_issue_waits_for_nothing(database, clock, tasks):
    issues = with_rules(database, clock, tasks_per_hour=1)
    await issues.ingest(pairs(event(1), event(2), event(3)))
    found = await by_number(issues)
    await issues.set_state(found[3].id, IssueState.IGNORED)
    new = NewTask("repair", APP, "normal", {}, event=found[2].sample, issue_id=found[2].id)
    created = await tasks.create(new)
    assert created.created
    after = await by_number(issues)
    assert (after[2].waiting_reason, after[2].count, after[3].waiting_reason) == ("", 1, "")
    clock.forward(3601)
    assert await issues.release_waiting() == []


# --- Deploy storms


async def deployed(issues, clock):
    """An old release that has run for a while; then errors of a new one are a change."""
    await issues.ingest(pairs(replace(denial(900), release="old")))
    clock.forward(3600)


async def test_many_new_errors_after_a_release_are_one_task_that_names_it(database, clock, tasks):
    issues = with_rules(database, clock, storm_fingerprints=4)
    await deployed(issues, clock)
    answer = await issues.ingest(pairs(*(seen(n, clock) for n in range(10))))
    (task,) = answer.tasks
    assert (task.fingerprint, answer.withdrawn) == (fingerprint(0), ())
    assert task.payload["storm"] == {
        "release_before": "old",
        "release_after": "new",
        "service": "shop",
        "environment": "production",
        "fingerprints": [fingerprint(n) for n in range(10)],
    }
    assert "from old to new" in task.outcome_reason
    found = await by_number(issues)
    assert found[0].waiting_reason == ""
    assert {found[n].waiting_reason for n in range(1, 10)} == {task.outcome_reason}
    assert await issues.waiting() == {"spike": 0, "storm": 9, "place": 0, "queue": 0}
    assert (await tasks.find(task.id)) == task


async def test_errors_that_come_one_by_one_collapse_too_and_later_ones_wait_at_once(database, clock, tasks):
    issues = with_rules(database, clock, storm_fingerprints=4)
    await deployed(issues, clock)
    early = []
    for number in range(3):
        early += (await issues.ingest(pairs(seen(number, clock)))).tasks
        clock.forward(1)
    assert len(early) == 3
    answer = await issues.ingest(pairs(seen(3, clock)))
    assert answer.tasks == ()
    assert [(task.id, task.state) for task in answer.withdrawn] == [
        (early[1].id, "cancelled"),
        (early[2].id, "cancelled"),
    ]
    carrier = await tasks.find(early[0].id)
    assert (carrier.state, carrier.payload["storm"]["release_after"]) == ("pending", "new")
    assert carrier.id in (await tasks.find(early[1].id)).outcome_reason
    assert (await issues.ingest(pairs(seen(4, clock), seen(5, clock)))).tasks == ()
    assert [task.id for task in await tasks.unfinished()] == [carrier.id]
    assert await issues.waiting() == {"spike": 0, "storm": 5, "place": 0, "queue": 0}


async def test_a_storm_is_not_over_while_the_pull_request_of_its_task_is_open(database, clock, tasks):
    issues, pulls = with_rules(database, clock, storm_fingerprints=4), PullRequestRepository(database, clock)
    await deployed(issues, clock)
    (carrier,) = (await issues.ingest(pairs(*(seen(n, clock) for n in range(10))))).tasks
    await tasks.move(carrier.id, TaskState.PROCESSING)
    await pulls.record(pull_request(0))
    await tasks.move(carrier.id, TaskState.COMPLETED, pull_request_id="pr-0")

    assert (await issues.ingest(pairs(seen(5, clock), seen(50, clock)))).tasks == ()
    assert await issues.waiting() == {"spike": 0, "storm": 10, "place": 0, "queue": 0}
    await pulls.set_state("pr-0", PullRequestState.CLOSED)
    (task,) = (await issues.ingest(pairs(seen(5, clock)))).tasks
    assert task.fingerprint == fingerprint(5)


async def test_a_repair_that_has_begun_is_not_taken_back(database, clock, tasks):
    issues = with_rules(database, clock, storm_fingerprints=3)
    await deployed(issues, clock)
    (first,) = (await issues.ingest(pairs(seen(0, clock)))).tasks
    await tasks.move(first.id, TaskState.PROCESSING)
    answer = await issues.ingest(pairs(seen(1, clock), seen(2, clock)))
    (carrier,) = answer.tasks
    assert (carrier.fingerprint, answer.withdrawn) == (fingerprint(1), ())
    assert (await tasks.find(first.id)).state == "processing"
    assert (await by_number(issues))[0].waiting_reason == ""


async def test_a_repair_that_a_person_asked_for_is_not_taken_back(database, clock, tasks):
    issues = with_rules(database, clock, storm_fingerprints=4)
    await deployed(issues, clock)
    await issues.ingest(pairs(seen(0, clock)))
    asked = await tasks.create(NewTask("repair", APP, "urgent", {}, event=seen(1, clock)))
    answer = await issues.ingest(pairs(seen(2, clock), seen(3, clock)))
    assert (answer.tasks, answer.withdrawn) == ((), ())
    assert await tasks.find(asked.task.id) == asked.task
    assert await issues.waiting() == {"spike": 0, "storm": 2, "place": 0, "queue": 0}


@pytest.mark.parametrize(
    "again",
    [{"run_number": 2, "action": "publish"}, {"run_number": 2}, {"trace_id": "r"}],
    ids=["approved", "sent back by a person", "begun before a restart"],
)
async def test_a_repair_that_waits_for_its_turn_again_is_not_taken_back(database, clock, tasks, again):
    issues = with_rules(database, clock, storm_fingerprints=4)
    await deployed(issues, clock)
    _, second = (await issues.ingest(pairs(seen(0, clock), seen(1, clock)))).tasks
    await tasks.move(second.id, TaskState.PROCESSING)
    waiting = await tasks.move(second.id, TaskState.PENDING, **again)
    answer = await issues.ingest(pairs(seen(2, clock), seen(3, clock)))
    assert answer.withdrawn == ()
    assert await tasks.find(second.id) == waiting
    assert (await by_number(issues))[1].waiting_reason == ""


async def stormed_one_by_one(issues, clock):
    """A storm of errors 0 to 4: 0 carries it, 1 and 2 had a repair of their own, 3 and 4 never."""
    await deployed(issues, clock)
    for number in range(3):
        await issues.ingest(pairs(seen(number, clock)))
        clock.forward(1)
    await issues.ingest(pairs(seen(3, clock), seen(4, clock)))
    return await by_number(issues)


@pytest.mark.parametrize(
    ("into", "heir", "episode"),
    [(2, 2, 2), (4, 4, 1), (900, 1, 2)],
    ids=["one whose repair was taken back", "one that had none", "one outside of the storm"],
)
async def test_a_storm_goes_on_when_its_carrier_is_merged_away(database, clock, tasks, into, heir, episode):
    issues = with_rules(database, clock, storm_fingerprints=4)
    found = await stormed_one_by_one(issues, clock)
    (carrier,) = await tasks.unfinished()
    merged = await issues.merge(found[0].id, found[into].id, "who")
    (task,) = merged.tasks
    assert [one.id for one in merged.withdrawn] == [carrier.id]
    assert (task.issue_id, task.fingerprint, task.episode) == (found[heir].id, fingerprint(heir), episode)
    assert task.payload == carrier.payload
    assert task.outcome_reason == carrier.outcome_reason
    assert await tasks.unfinished() == [task]
    after = await by_number(issues)
    assert (after[heir].episode, after[heir].waiting_reason) == (episode, "")
    assert await issues.waiting() == {"spike": 0, "storm": 3, "place": 0, "queue": 0}
    again = pairs(*(seen(n, clock) for n in range(1, 6)))
    assert (await issues.ingest(again)).tasks == ()  # a sixth error of the release waits for it too
    await finish(tasks, task.id)
    own = (await issues.ingest(pairs(*(seen(n, clock) for n in range(1, 6))))).tasks
    assert {int(task.fingerprint, 16) for task in own} == set(range(1, 6)) - {heir}


async def test_what_a_storm_took_back_gets_one_repair_however_often_it_comes(database, clock, tasks):
    issues = with_rules(database, clock, storm_fingerprints=4)
    await stormed_one_by_one(issues, clock)
    (carrier,) = await tasks.unfinished()
    await finish(tasks, carrier.id)
    answer = await issues.ingest(pairs(*(seen(1, clock) for _ in range(3))))
    assert [(task.fingerprint, task.episode) for task in answer.tasks] == [(fingerprint(1), 2)]
    assert (await by_number(issues))[1].episode == 2


async def test_a_storm_ends_with_its_carrier_when_nothing_else_waits_for_it(database, clock, tasks):
    issues = with_rules(database, clock, storm_fingerprints=4)
    found = await stormed_one_by_one(issues, clock)
    for number in range(1, 5):
        await issues.decide(found[number].id, "ignore", "who")
    merged = await issues.merge(found[0].id, found[900].id, "who")
    assert (len(merged.withdrawn), merged.tasks) == (1, ())
    assert await tasks.unfinished() == []


async def finish(tasks, task_id):
    await tasks.move(task_id, TaskState.PROCESSING)
    await tasks.move(task_id, TaskState.COMPLETED)


async def test_what_happens_again_after_the_storms_task_gets_a_repair_of_its_own(database, clock, tasks):
    issues = with_rules(database, clock, storm_fingerprints=3)
    await deployed(issues, clock)
    (early,) = (await issues.ingest(pairs(seen(0, clock)))).tasks
    (second,) = (await issues.ingest(pairs(seen(1, clock)))).tasks
    await issues.ingest(pairs(seen(2, clock)))
    assert (await issues.ingest(pairs(seen(1, clock), seen(2, clock)))).tasks == ()
    await finish(tasks, early.id)
    own = (await issues.ingest(pairs(seen(1, clock), seen(2, clock), seen(0, clock)))).tasks
    assert [(int(task.fingerprint, 16), task.episode) for task in own] == [(1, 2), (2, 1)]
    assert (await tasks.find(second.id)).state == "cancelled"
    assert await issues.waiting() == {"spike": 0, "storm": 0, "place": 0, "queue": 0}


@pytest.mark.parametrize(
    "others",
    [
        {"release": "old"},
        {"release": ""},
        {"environment": "staging"},
        {"service": "other"},
    ],
    ids=["the release that was there", "no release", "first in another place", "first of another service"],
)
async def test_new_errors_without_a_change_of_release_are_no_storm(database, clock, others):
    issues = with_rules(database, clock, storm_fingerprints=3)
    await deployed(issues, clock)
    some = [replace(seen(n, clock), **others) for n in range(5)]
    assert len((await issues.ingest(pairs(*some))).tasks) == 5


async def test_new_errors_long_after_the_release_are_no_storm(database, clock):
    issues = with_rules(database, clock, storm_fingerprints=3, storm_seconds=600)
    await deployed(issues, clock)
    await issues.ingest(pairs(replace(denial(901, at=clock.now()), release="new")))
    clock.forward(601)
    assert len((await issues.ingest(pairs(*(seen(n, clock) for n in range(5))))).tasks) == 5


async def test_old_and_new_instances_side_by_side_are_still_one_change(database, clock):
    issues = with_rules(database, clock, storm_fingerprints=3)
    await deployed(issues, clock)
    mixed = [seen(n, clock, release=("old", "new")[n % 2]) for n in range(8)]
    answer = await issues.ingest(pairs(*mixed))
    assert sorted(int(task.fingerprint, 16) for task in answer.tasks) == [0, 1, 2, 4, 6]


async def test_new_errors_of_one_release_in_two_places_are_counted_apart(database, clock):
    issues = with_rules(database, clock, storm_fingerprints=4)
    for place in ("production", "staging"):
        await issues.ingest(pairs(replace(denial(900), release="old", environment=place)))
    clock.forward(3600)
    assert len((await issues.ingest(pairs(*(seen(n, clock) for n in range(3))))).tasks) == 3
    staging = [seen(n, clock, environment="staging") for n in range(10, 13)]
    assert len((await issues.ingest(pairs(*staging))).tasks) == 3
    assert (await issues.ingest(pairs(seen(20, clock)))).tasks == ()


async def test_errors_that_triage_would_not_repair_make_no_storm(database, clock):
    issues = with_rules(database, clock, storm_fingerprints=3)
    await deployed(issues, clock)
    denials = [replace(denial(n, at=clock.now()), release="new") for n in range(10)]
    assert len((await issues.ingest(pairs(*denials, seen(50, clock)))).tasks) == 1


async def test_known_errors_of_a_new_release_are_no_part_of_a_storm(database, clock):
    issues = with_rules(database, clock, storm_fingerprints=3)
    await issues.ingest(pairs(*(seen(n, clock, release="old") for n in range(5))))
    clock.forward(3600)
    answer = await issues.ingest(pairs(*(seen(n, clock) for n in range(5)), seen(7, clock)))
    assert [int(task.fingerprint, 16) for task in answer.tasks] == [7]


async def test_a_storm_is_recognised_after_a_restart(store_url, clock):
    for numbers, wanted in ((range(2), 2), (range(2, 5), 0), (range(5, 9), 0)):
        database = await open_database(store_url)
        issues = with_rules(database, clock, storm_fingerprints=4)
        if numbers[0] == 0:
            await deployed(issues, clock)
        answer = await issues.ingest(pairs(*(seen(n, clock) for n in numbers)))
        assert len(answer.tasks) == wanted
        clock.forward(1)
        await database.close()


async def test_a_storm_beside_a_spike_still_has_its_one_task(database, clock):
    issues = with_rules(database, clock, storm_fingerprints=4, tasks_per_hour=2)
    await deployed(issues, clock)
    old = [seen(n, clock, release="old") for n in range(20, 30)]
    answer = await issues.ingest(pairs(*old, *(seen(n, clock) for n in range(10))))
    assert sum("storm" in task.payload for task in answer.tasks) == 1
    assert len(answer.tasks) <= 3
    assert (await issues.waiting())["storm"] == 9


async def spiked_then_stormed(issues, clock, later=0):
    """Issue 1 of the new release waits for a spike; then it happens again among enough others for a storm."""
    await issues.ingest(pairs(seen(99, clock, "old")))
    clock.forward(3500)
    await issues.ingest(pairs(*(seen(n, clock, "old") for n in (97, 98))))  # the hour's place is taken
    assert await issues.waiting() == {"spike": 2, "storm": 0, "place": 0, "queue": 0}
    await issues.ingest(pairs(seen(1, clock)))
    clock.forward(later)
    return await issues.ingest(pairs(*(seen(n, clock) for n in (1, 2, 3, 4))))


@pytest.mark.parametrize("later", [0, 200], ids=["the hour is still full", "an hour has passed"])
async def test_an_issue_that_waited_for_a_spike_and_now_carries_a_storm_has_one_repair(
    database, clock, tasks, later
):
    issues = with_rules(database, clock, storm_fingerprints=4, tasks_per_hour=1)
    answer = await spiked_then_stormed(issues, clock, later)
    (carrier,) = answer.tasks
    assert (carrier.fingerprint, len(carrier.payload["storm"]["fingerprints"])) == (fingerprint(1), 4)
    found = await by_number(issues)
    assert [found[n].waiting_reason for n in (1, 2, 3, 4)] == ["", *[carrier.outcome_reason] * 3]
    assert await issues.waiting() == {"spike": 2, "storm": 3, "place": 0, "queue": 0}
    clock.forward(3601)
    assert [int(task.fingerprint, 16) for task in await issues.release_waiting()] == [97]
    assert len(await tasks.unfinished()) == 3


async def test_an_issue_that_waited_for_a_spike_and_happens_again_waits_for_another_ones_storm(
    database, clock
):
    issues = with_rules(database, clock, storm_fingerprints=4, tasks_per_hour=1)
    await issues.ingest(pairs(seen(99, clock, "old")))
    await issues.ingest(pairs(seen(1, clock)))
    clock.forward(1)
    await issues.ingest(pairs(seen(2, clock)))
    answer = await issues.ingest(pairs(*(seen(n, clock) for n in (2, 3, 4))))
    (carrier,) = answer.tasks
    assert carrier.fingerprint == fingerprint(1)
    assert await issues.waiting() == {"spike": 0, "storm": 3, "place": 0, "queue": 0}
    clock.forward(3601)
    assert await issues.release_waiting() == []


async def test_an_issue_that_waits_although_its_repair_is_there_holds_up_no_other(database, clock, tasks):
    issues = with_rules(database, clock, tasks_per_hour=1)
    await issues.ingest(pairs(event(1), event(2)))
    found = await by_number(issues)
    async with database.write() as connection:  # as an earlier release left it
        wrong = tables.issues.update().where(tables.issues.c.id == found[1].id)
        await connection.execute(wrong.values(waiting_for="spike", waiting_reason="because"))
    clock.forward(3601)
    (task,) = await issues.release_waiting()
    assert task.fingerprint == fingerprint(2)
    assert (await by_number(issues))[1].waiting_reason == ""
    assert await issues.waiting() == {"spike": 0, "storm": 0, "place": 0, "queue": 0}


async def test_the_release_of_every_stored_event_is_kept(database, clock):
    issues = with_rules(database, clock)
    await issues.ingest(pairs(*(seen(1, clock, release=f"r{n}") for n in range(3))))
    async with database.read() as connection:
        kept = (await connection.execute(select(tables.events.c.release))).scalars()
        assert sorted(kept) == ["r0", "r1", "r2"]
    (issue,) = (await issues.list()).items
    assert issue.release == "r0"


async def test_rules_apply_together_and_every_event_is_accounted_for(database, clock):
    issues = IssueRepository(database, clock, RULES)
    await deployed(issues, clock)
    batch = pairs(*(seen(n % 40, clock, release=("old", "new")[n % 2]) for n in range(800)))
    answer = await issues.ingest(batch)
    found = await by_number(issues)
    assert answer.accepted == 800
    assert sum(issue.count for issue in found.values()) == 801
    assert sum(issue.only_counted for issue in found.values()) == answer.only_counted == 400
    assert await rows(database, tables.events) == 401
    unfinished = {task.issue_id for task in answer.tasks}
    for number in range(40):
        assert bool(found[number].waiting_reason) is (found[number].id not in unfinished)


async def test_looking_up_issues_reads_no_whole_table(database):
    def plan_of(connection):
        if connection.dialect.name != "sqlite":
            pytest.skip("PostgreSQL plans by statistics")
        query = belonging([fingerprint(n) for n in range(3)], [APP.key])
        sql = str(query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
        return [row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {sql}"))]

    async with database.read() as connection:
        plan = await connection.run(plan_of)
    assert [step for step in plan if step.startswith("SCAN") and "CONSTANT" not in step] == []
    assert any("repair USING INDEX uq_tasks_repair" in step for step in plan)


async def test_an_hour_is_counted_from_its_repairs_whenever_they_were_asked_for(database, clock):
    issues = with_rules(database, clock, tasks_per_hour=2)
    assert len((await issues.ingest(pairs(event(1)))).tasks) == 1
    clock.forward(1800)
    assert len((await issues.ingest(pairs(event(2), event(3)))).tasks) == 1
    clock.forward(1801)
    assert len(await issues.release_waiting()) == 1


# --- What is expected


async def test_an_expected_error_counts_keeps_the_reason_and_starts_no_repair(database, clock, tasks):
    rule = ExpectedRule("told to the customer", type=event().error.exception_type)
    issues = with_rules(database, clock, expected=(rule,))
    answer = await issues.ingest(pairs(event(), event()))
    assert (answer.accepted, answer.tasks) == (2, ())
    issue = (await by_number(issues))[1]
    assert (issue.count, issue.triage.triage_class, issue.triage.repair) == (2, "expected", False)
    assert "told to the customer" in issue.triage.reason


async def test_an_error_that_is_no_longer_expected_is_repaired_when_it_comes_again(database, clock):
    rule = ExpectedRule("told to the customer", type=event().error.exception_type)
    await with_rules(database, clock, expected=(rule,)).ingest(pairs(event()))
    answer = await with_rules(database, clock).ingest(pairs(event()))
    assert len(answer.tasks) == 1
