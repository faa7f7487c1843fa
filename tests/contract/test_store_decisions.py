"""What people decide about issues sticks: for later events, after a restart, and under later groupings."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ai_ops.core.ports import NewTask, TaskFilter
from ai_ops.errors import PermanentError
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import TaskState
from ai_ops.store.database import open_database
from ai_ops.store.intake_batch import KEPT_PAYLOADS
from ai_ops.store.issues import IssueRepository
from ai_ops.store.retention import Retention
from tests.support.store import APP, denial, event, fingerprint, pairs

WHO = "server key, from 10.0.0.9"


async def by_number(issues):
    return {int(issue.fingerprint, 16): issue for issue in (await issues.list(limit=200)).items}


async def two(issues, first=3, second=2):
    """Issues 1 and 2 with some events each."""
    await issues.ingest(pairs(*(event(1) for _ in range(first)), *(event(2) for _ in range(second))))
    found = await by_number(issues)
    return found[1], found[2]


async def counts(issues):
    return {number: issue.count for number, issue in (await by_number(issues)).items()}


async def test_a_merged_issue_hands_over_its_count_and_its_later_events(issues):
    one, other = await two(issues)
    merged = (await issues.merge(other.id, one.id, WHO)).issue
    assert (merged.id, merged.count) == (one.id, 5)
    answer = await issues.ingest(pairs(event(2), event(2), event(1)))
    assert (answer.accepted, answer.tasks) == (3, ())
    found = await by_number(issues)
    assert (found[1].count, found[2].count) == (8, 2)
    assert (found[2].state, found[2].merged_into) == ("merged", one.id)
    assert await issues.fingerprints(one.id) == [fingerprint(1), fingerprint(2)]
    assert await issues.fingerprints(other.id) == []


async def test_a_merge_outlives_a_restart(store_url, clock):
    database = await open_database(store_url)
    issues = IssueRepository(database, clock)
    one, other = await two(issues)
    await issues.merge(other.id, one.id, WHO)
    await database.close()
    database = await open_database(store_url)
    issues = IssueRepository(database, clock)
    await issues.ingest(pairs(event(2)))
    assert await counts(issues) == {1: 6, 2: 2}
    await database.close()


async def test_the_pending_repair_of_a_merged_issue_is_taken_back_and_one_at_work_goes_on(issues, tasks):
    one, other = await two(issues)
    merged = await issues.merge(other.id, one.id, WHO)
    (task,) = merged.withdrawn
    assert (task.issue_id, task.state) == (other.id, "cancelled")
    assert await tasks.find(task.id) == task
    assert one.id in task.outcome_reason
    (third,) = (await issues.ingest(pairs(event(3)))).tasks
    await tasks.move(third.id, TaskState.PROCESSING)
    assert (await issues.merge(third.issue_id, one.id, WHO)).withdrawn == ()
    assert (await tasks.find(third.id)).state == "processing"


async def test_a_split_gives_each_what_it_had_and_sends_later_events_back(issues):
    one, other = await two(issues)
    await issues.merge(other.id, one.id, WHO)
    await issues.ingest(pairs(event(2)))
    off = await issues.split(one.id, fingerprint(2), WHO)
    assert (off.id, off.state, off.merged_into, off.count) == (other.id, "open", None, 2)
    assert await counts(issues) == {1: 4, 2: 2}
    await issues.ingest(pairs(event(2), event(1)))
    assert await counts(issues) == {1: 5, 2: 3}
    assert await issues.fingerprints(one.id) == [fingerprint(1)]


async def test_a_repair_that_a_merge_took_back_begins_anew_after_the_split(issues, tasks):
    one, other = await two(issues)
    (old,) = (await issues.merge(other.id, one.id, WHO)).withdrawn
    off = await issues.split(one.id, fingerprint(2), WHO)
    (task,) = (await issues.ingest(pairs(event(2)))).tasks
    assert (task.issue_id, task.episode, off.episode) == (other.id, 2, 2)
    assert (await tasks.find(old.id)).state == "cancelled"
    assert (await issues.ingest(pairs(event(2), event(1)))).tasks == ()


@pytest.mark.parametrize(
    "ways",
    [[TaskState.PROCESSING, TaskState.COMPLETED], [TaskState.CANCELLED]],
    ids=["done", "cancelled by a person"],
)
async def test_a_repair_that_was_over_before_a_merge_is_not_made_again_after_the_split(issues, tasks, ways):
    one, other = await two(issues)
    (repair,) = (await tasks.list(TaskFilter(issue_id=other.id))).items
    for state in ways:
        await tasks.move(repair.id, state)
    assert (await issues.merge(other.id, one.id, WHO)).withdrawn == ()
    await issues.split(one.id, fingerprint(2), WHO)
    assert (await issues.ingest(pairs(event(2)))).tasks == ()
    assert (await issues.find(other.id)).episode == 1


async def test_a_repair_that_a_person_took_up_again_while_merged_is_not_made_twice(issues, tasks):
    one, other = await two(issues)
    (old,) = (await issues.merge(other.id, one.id, WHO)).withdrawn
    await tasks.move(old.id, TaskState.PENDING)
    await issues.split(one.id, fingerprint(2), WHO)
    assert (await issues.ingest(pairs(event(2)))).tasks == ()


async def test_an_ignored_issue_is_ignored_again_after_a_merge_and_a_split(issues):
    one, other = await two(issues)
    await issues.decide(other.id, "ignore", WHO)
    await issues.merge(other.id, one.id, WHO)
    assert (await issues.split(one.id, fingerprint(2), WHO)).state == "ignored"
    assert (await issues.ingest(pairs(event(2)))).tasks == ()


async def test_a_resolved_issue_is_resolved_as_of_then_after_a_merge_and_a_split(issues, clock):
    one, other = await two(issues)
    clock.forward(10)
    await issues.decide(other.id, "resolve", WHO)
    await issues.ingest(pairs(event(3)))
    third = (await by_number(issues))[3]
    await issues.merge(other.id, third.id, WHO)
    await issues.merge(third.id, one.id, WHO)  # its own record counts, not that of what it was merged into
    assert (await issues.split(one.id, fingerprint(2), WHO)).state == "resolved"
    await issues.ingest(pairs(event(2)))  # it happened before
    assert (await issues.find(other.id)).state == "resolved"
    clock.forward(10)
    await issues.ingest(pairs(event(2, at=clock.now())))
    assert (await issues.find(other.id)).state == "open"


async def test_a_split_outlives_a_restart(store_url, clock):
    database = await open_database(store_url)
    issues = IssueRepository(database, clock)
    one, other = await two(issues)
    await issues.merge(other.id, one.id, WHO)
    await issues.split(one.id, fingerprint(2), WHO)
    await database.close()
    database = await open_database(store_url)
    issues = IssueRepository(database, clock)
    await issues.ingest(pairs(event(2)))
    assert await counts(issues) == {1: 3, 2: 3}
    await database.close()


async def test_merges_add_up_and_one_fingerprint_can_leave_again(issues):
    one, other = await two(issues)
    await issues.ingest(pairs(event(3)))
    third = (await by_number(issues))[3]
    await issues.merge(third.id, other.id, WHO)
    await issues.merge(other.id, one.id, WHO)
    assert await issues.fingerprints(one.id) == [fingerprint(n) for n in (1, 2, 3)]
    assert (await counts(issues))[1] == 6
    off = await issues.split(one.id, fingerprint(3), WHO)
    assert off.id == third.id
    await issues.ingest(pairs(event(2), event(3)))
    assert await counts(issues) == {1: 6, 2: 2, 3: 2}
    await issues.split(one.id, fingerprint(2), WHO)
    assert await counts(issues) == {1: 4, 2: 2, 3: 2}


async def owners(issues):
    """Return the number of the error that each issue's sample is of."""
    return {n: int(issue.sample.error.fingerprint, 16) for n, issue in (await by_number(issues)).items()}


async def test_after_a_split_each_issue_has_the_newest_sample_of_its_own_error(issues, clock):
    one, other = await two(issues)
    await issues.merge(other.id, one.id, WHO)
    clock.forward(1)
    last = [event(1, at=clock.now()), event(2, at=clock.now())]
    for made in last:
        await issues.ingest(pairs(made))
    assert (await issues.find(one.id)).sample.event_id == last[1].event_id  # of both, as long as they are one
    await issues.split(one.id, fingerprint(2), WHO)
    found = await by_number(issues)
    assert [found[n].sample.event_id for n in (1, 2)] == [made.event_id for made in last]


async def test_an_issue_has_its_own_sample_after_a_split_though_its_events_were_removed(
    issues, database, clock
):
    one, other = await two(issues)
    await issues.ingest(pairs(event(3), event(4)))
    found = await by_number(issues)
    third, fourth = found[3], found[4]
    await issues.merge(third.id, other.id, WHO)
    for _ in range(2):
        clock.forward(1)
        await issues.ingest(pairs(event(3, at=clock.now())))
    await issues.merge(other.id, one.id, WHO)
    clock.forward(90 * 86_400)
    await issues.ingest(pairs(event(3, at=clock.now())))
    await issues.merge(fourth.id, one.id, WHO)  # its sample is no longer its own; what was set aside stays
    clock.forward(86_400)
    await Retention(database, clock, 90, 0).sweep()
    await issues.split(one.id, fingerprint(2), WHO)
    assert await owners(issues) == {1: 3, 2: 2, 3: 3, 4: 4}
    await issues.split(one.id, fingerprint(3), WHO)
    assert await owners(issues) == {1: 1, 2: 2, 3: 3, 4: 4}
    assert (await by_number(issues))[3].sample.occurred_at == clock.now() - timedelta(days=1)


async def test_an_issue_has_its_own_sample_after_a_split_though_its_payloads_were_not_kept(issues, clock):
    one, other = await two(issues)
    await issues.merge(other.id, one.id, WHO)
    for number in (*[2] * KEPT_PAYLOADS, 1, 2):
        clock.forward(7)  # slower than what becomes the sample in a minute
        await issues.ingest(pairs(event(number, at=clock.now())))
    await issues.split(one.id, fingerprint(2), WHO)
    assert await owners(issues) == {1: 1, 2: 2}
    assert (await by_number(issues))[2].sample.occurred_at == clock.now()


async def test_what_a_later_grouping_made_of_an_error_is_its_own(issues, clock):
    one, other = await two(issues)
    clock.forward(1)
    new = regrouped(11, 1)
    await issues.ingest(pairs(replace(new, occurred_at=clock.now())))
    await issues.merge(other.id, one.id, WHO)
    clock.forward(1)
    await issues.ingest(pairs(event(2, at=clock.now())))
    await issues.split(one.id, fingerprint(2), WHO)
    assert await owners(issues) == {1: 11, 2: 2}
    off = await issues.split(one.id, fingerprint(11), WHO)
    assert off.sample.event_id == new.event_id
    assert await owners(issues) == {1: 1, 2: 2, 11: 11}


def regrouped(number, *earlier):
    """An event under a later grouping version, with what the earlier ones made of it."""
    made = event(number, grouping_version="v2")
    error = replace(made.error, earlier_fingerprints=tuple(fingerprint(n) for n in earlier))
    return replace(made, error=error)


async def test_a_known_error_stays_one_issue_under_a_later_grouping(issues):
    await issues.ingest(pairs(event(1)))
    answer = await issues.ingest(pairs(regrouped(11, 1), regrouped(11, 1)))
    assert answer.tasks == ()
    assert await counts(issues) == {1: 3}
    await issues.ingest(pairs(regrouped(21, 11, 1), event(11)))
    assert await counts(issues) == {1: 5}
    await issues.ingest(pairs(regrouped(12, 2)))
    assert await counts(issues) == {1: 5, 12: 1}


async def test_a_merge_holds_under_a_later_grouping(issues):
    one, other = await two(issues)
    await issues.merge(other.id, one.id, WHO)
    await issues.ingest(pairs(regrouped(12, 2)))
    assert await counts(issues) == {1: 6, 2: 2}


async def test_a_split_takes_along_what_a_later_grouping_made_of_the_fingerprint(issues):
    one, other = await two(issues)
    await issues.merge(other.id, one.id, WHO)
    await issues.ingest(pairs(regrouped(12, 2)))
    await issues.ingest(pairs(regrouped(22, 12, 2)))
    await issues.split(one.id, fingerprint(2), WHO)
    await issues.ingest(pairs(regrouped(12, 2), regrouped(22, 12, 2), regrouped(32, 22, 12, 2)))
    assert (await counts(issues))[2] == 5


async def test_a_fingerprint_that_never_had_an_issue_gets_one_when_it_is_split_off(issues):
    await issues.ingest(pairs(event(1), regrouped(11, 1)))
    one = (await by_number(issues))[1]
    off = await issues.split(one.id, fingerprint(11), WHO)
    assert (off.fingerprint, off.count, off.state, off.title) == (fingerprint(11), 0, "open", one.title)
    (task,) = (await issues.ingest(pairs(regrouped(11, 1)))).tasks
    assert task.issue_id == off.id
    assert await counts(issues) == {1: 2, 11: 1}


async def test_a_repair_of_a_merged_error_belongs_to_the_issue_it_went_to(issues, tasks):
    await issues.ingest(pairs(denial(1), denial(2)))
    found = await by_number(issues)
    await issues.merge(found[2].id, found[1].id, WHO)
    (task,) = (await issues.ingest(pairs(event(2)))).tasks
    assert (task.issue_id, task.fingerprint) == (found[1].id, fingerprint(1))
    again = await tasks.create(NewTask("repair", APP, "normal", {}, event=event(2)))
    assert (again.created, again.task.id) == (False, task.id)


async def test_a_repair_of_an_issue_counts_nothing(issues, tasks):
    await issues.ingest(pairs(denial(1)))
    issue = (await by_number(issues))[1]
    sample = replace(issue.sample, event_id="removed-by-age")
    created = await tasks.create(NewTask("repair", APP, "normal", {}, event=sample, issue_id=issue.id))
    assert created.created
    assert (await issues.find(issue.id)).count == 1


async def test_every_decision_says_who_when_and_what(issues, tasks, clock):
    one, other = await two(issues)
    start = clock.now()
    await issues.decide(other.id, "ignore", WHO)
    clock.forward(10)
    await issues.decide(other.id, "ignore", "somebody else")  # nothing changes
    await issues.decide(other.id, "reopen", WHO)
    await issues.merge(other.id, one.id, WHO)
    await issues.split(one.id, fingerprint(2), WHO)
    made = await issues.decisions(other.id)
    assert [(d.verb, d.who) for d in made] == [(v, WHO) for v in ("ignore", "reopen", "merge", "split")]
    assert [(d.at - start).total_seconds() for d in made] == [0, 10, 10, 10]
    assert made[0].detail == {"from": "open"}
    (repair,) = (await tasks.list(TaskFilter(issue_id=other.id))).items
    assert made[2].detail == {"into": one.id, "from": "open", "taken_back": [repair.id]}
    there = await issues.decisions(one.id)
    assert there[0].detail == {"merged": other.id, "fingerprints": [fingerprint(2)]}
    assert there[1].detail == {"fingerprint": fingerprint(2), "off": other.id}


async def test_decisions_without_sense_are_refused_and_change_nothing(issues):
    one, other = await two(issues)
    elsewhere = Repository("git.example/acme/other", "https://git.example/acme/other", "gitlab")
    await issues.ingest([(event(5), elsewhere)])
    foreign = (await by_number(issues))[5]
    before = (await issues.list()).items
    for refused, code in (
        (issues.merge(one.id, one.id, WHO), "cannot_merge"),
        (issues.merge(one.id, foreign.id, WHO), "cannot_merge"),
        (issues.merge(one.id, "none", WHO), "issue_not_found"),
        (issues.merge("none", one.id, WHO), "issue_not_found"),
        (issues.split(one.id, fingerprint(1), WHO), "cannot_split"),
        (issues.split(one.id, fingerprint(2), WHO), "cannot_split"),
        (issues.decide("none", "ignore", WHO), "issue_not_found"),
    ):
        with pytest.raises(PermanentError, match=code):
            await refused
    assert (await issues.list()).items == before
    await issues.merge(other.id, one.id, WHO)
    for refused in (
        issues.decide(other.id, "reopen", WHO),
        issues.merge(one.id, other.id, WHO),
        issues.split(other.id, fingerprint(2), WHO),
    ):
        with pytest.raises(PermanentError, match="issue_merged"):
            await refused
    assert await issues.decisions(foreign.id) == []
