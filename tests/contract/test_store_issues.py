"""Issues on a real database: exactly once, one issue and one task an error, and nothing half done."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from ai_ops.core.ports import TaskFilter
from ai_ops.errors import PermanentError
from ai_ops.flow.issue import IssueState, TriageClass, TriageDecision, TriageJudge
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import TaskState
from ai_ops.store import tables
from ai_ops.store.database import open_database
from ai_ops.store.intake_batch import KEPT_PAYLOADS, SAMPLED_PER_MINUTE
from ai_ops.store.issues import IssueRepository
from ai_ops.store.pull_requests import PullRequestRepository
from tests.support.store import (
    APP,
    START,
    denial,
    event,
    fingerprint,
    pairs,
    pull_request,
)


async def only(issues):
    (issue,) = (await issues.list()).items
    return issue


async def rows(database, table):
    async with database.read() as connection:
        return (await connection.execute(select(func.count()).select_from(table))).scalar_one()


async def test_a_first_event_opens_an_issue_and_queues_its_repair(issues, tasks):
    first = event()
    answer = await issues.ingest(pairs(first))
    issue = await only(issues)
    assert (answer.accepted, answer.duplicates, len(answer.tasks)) == (1, 0, 1)
    assert await tasks.find(answer.tasks[0].id) == answer.tasks[0]
    assert answer.tasks[0].issue_id == issue.id
    assert (answer.tasks[0].fingerprint, answer.tasks[0].episode) == (fingerprint(1), 1)
    assert answer.tasks[0].payload == {"requested_by": "event"}
    assert await issues.find(issue.id) == issue
    assert issue.sample == first
    assert (issue.count, issue.episode, issue.state) == (1, 1, "open")
    assert issue.title == "ZeroDivisionError in divide (app/calc.py)"
    assert issue.triage.repair
    assert issue.first_seen == issue.last_seen == START


async def test_the_same_event_again_is_a_duplicate_wherever_it_comes(issues):
    first, second = event(), event()
    assert (await issues.ingest(pairs(first, second, first))).duplicates == 1
    again = await issues.ingest(pairs(first, second))
    assert (again.accepted, again.duplicates, again.tasks) == (0, 2, ())
    assert (await only(issues)).count == 2


async def test_counts_add_up_and_the_newest_event_is_the_sample(issues, clock):
    clock.forward(3600)
    late, early = event(at=START + timedelta(minutes=5), count=7), event(at=START - timedelta(days=1))
    await issues.ingest(pairs(event()))
    await issues.ingest(pairs(late))
    await issues.ingest(pairs(early))
    issue = await only(issues)
    assert issue.count == 9
    assert issue.sample == late
    assert issue.last_seen == late.occurred_at
    assert issue.first_seen == early.occurred_at


async def test_a_clock_that_runs_ahead_does_not_pin_the_issue(issues, clock):
    await issues.ingest(pairs(event(at=START + timedelta(days=400))))
    assert (await only(issues)).last_seen == clock.now()


async def test_ten_thousand_repeats_are_one_issue_and_one_task(issues, tasks, database):
    made = []
    for _ in range(20):
        made += (await issues.ingest(pairs(*(event() for _ in range(500))))).tasks
    assert len(made) == 1
    assert (await only(issues)).count == 10_000
    assert len(await tasks.unfinished()) == 1
    async with database.read() as connection:
        kept = select(func.count()).where(tables.events.c.payload.is_not(None))
        assert (await connection.execute(kept)).scalar_one() == KEPT_PAYLOADS
    assert await rows(database, tables.events) == 10_000


async def test_fifty_callers_at_once_with_one_error_make_one_issue_and_one_task(issues, tasks):
    answers = await asyncio.gather(*(issues.ingest(pairs(event(), event())) for _ in range(50)))
    assert sum(answer.accepted for answer in answers) == 100
    assert sum(len(answer.tasks) for answer in answers) == 1
    assert (await only(issues)).count == 100
    assert len(await tasks.unfinished()) == 1


async def test_callers_that_come_together_share_commits(issues, database):
    commits = 0
    plain = database.write

    def counted():
        nonlocal commits
        commits += 1
        return plain()

    database.write = counted
    await asyncio.gather(*(issues.ingest(pairs(event(n))) for n in range(50)))
    assert commits <= 3


async def test_the_same_error_in_two_repositories_is_two_issues(issues):
    other = Repository("git.example/acme/other", "https://git.example/acme/other", "gitlab")
    answer = await issues.ingest([(event(), APP), (event(), other)])
    assert len(answer.tasks) == 2
    assert {issue.repo_key for issue in (await issues.list()).items} == {APP.key, other.key}


async def test_an_expected_denial_is_counted_with_its_reason_and_never_repaired(issues):
    assert (await issues.ingest(pairs(denial(), denial()))).tasks == ()
    issue = await only(issues)
    assert (issue.count, issue.triage.triage_class, issue.triage.repair) == (2, "expected", False)
    assert issue.triage.reason


async def test_an_ignored_issue_is_counted_but_not_repaired(issues):
    await issues.ingest(pairs(denial()))
    await issues.set_state((await only(issues)).id, IssueState.IGNORED)
    assert (await issues.ingest(pairs(event()))).tasks == ()
    issue = await only(issues)
    assert (issue.count, issue.state) == (2, "ignored")


async def test_a_regression_opens_the_next_episode_with_a_new_repair(issues, tasks, clock):
    (task,) = (await issues.ingest(pairs(event()))).tasks
    await tasks.move(task.id, TaskState.PROCESSING)
    await tasks.move(task.id, TaskState.COMPLETED)
    clock.forward(60)
    await issues.set_state((await only(issues)).id, IssueState.RESOLVED)
    clock.forward(60)
    assert (await issues.ingest(pairs(event(at=START)))).tasks == ()  # from before
    assert (await only(issues)).state == "resolved"
    (second,) = (await issues.ingest(pairs(event(at=clock.now()), event(at=clock.now())))).tasks
    issue = await only(issues)
    assert (issue.state, issue.episode, second.episode, issue.count) == ("open", 2, 2, 4)


async def test_a_regression_under_an_open_pull_request_makes_no_second_one(issues, tasks, database, clock):
    (task,) = (await issues.ingest(pairs(event()))).tasks
    await tasks.move(task.id, TaskState.PROCESSING)
    await tasks.move(task.id, TaskState.COMPLETED)
    pull_requests = PullRequestRepository(database, clock)
    record = await pull_requests.record(pull_request(fingerprint=fingerprint(1), episode=1))
    await issues.set_state((await only(issues)).id, IssueState.RESOLVED)
    clock.forward(60)
    assert (await issues.ingest(pairs(event(at=clock.now())))).tasks == ()
    await pull_requests.set_state(record.id, PullRequestState.MERGED)
    await issues.set_state((await only(issues)).id, IssueState.RESOLVED)
    clock.forward(60)
    assert (await issues.ingest(pairs(event(at=clock.now())))).tasks == ()  # now the fix watch judges
    assert (await only(issues)).state == "resolved"


async def test_an_unknown_issue_cannot_be_decided_about(issues):
    with pytest.raises(PermanentError, match="issue_not_found"):
        await issues.set_state("none", IssueState.IGNORED)
    assert await issues.find("none") is None


async def test_pages_hold_every_issue_once_newest_first_while_more_arrive(issues):
    await issues.ingest(pairs(*(event(n) for n in range(7))))
    seen, cursor = [], None
    while True:
        found = await issues.list(limit=3, cursor=cursor)
        seen += [int(issue.fingerprint, 16) for issue in found.items]
        await issues.ingest(pairs(event(100 + len(seen))))
        cursor = found.next_cursor
        if cursor is None:
            break
    assert seen == [6, 5, 4, 3, 2, 1, 0]


async def test_a_page_holds_at_most_two_hundred(issues):
    await issues.ingest(pairs(*(event(n) for n in range(205))))
    assert len((await issues.list(limit=10_000)).items) == 200
    assert len((await issues.list(limit=-1)).items) == 1


@pytest.mark.parametrize(
    "cursor", ["x", "v1:5", "djE6LTE", "'; DROP TABLE issues", "é", "djI6NQ", "A" * 5000]
)
async def test_a_foreign_cursor_is_refused(issues, cursor):
    with pytest.raises(PermanentError, match="invalid_cursor"):
        await issues.list(cursor=cursor)


async def test_hostile_text_is_stored_capped_and_readable(issues):
    odd = "\ud800 \x00 '; DROP TABLE issues;-- 𐏿"
    hostile = replace(
        event(message=odd, raw_excerpt=odd + "x" * 200_000, exception_type="Bad\x00Error"),
        node=odd,
        release="r" * 9999,
        context=(odd,) * 500,
    )
    await issues.ingest(pairs(hostile))
    sample = (await only(issues)).sample
    assert "\x00" not in sample.error.message
    assert "DROP TABLE" in sample.error.message
    assert len(sample.error.raw_excerpt) < 70_000
    assert len(sample.release) <= 256
    assert len(sample.context) <= 50


async def test_one_poisoned_batch_does_not_fail_its_neighbours(issues):
    poisoned = replace(event(2), event_id=None)
    answers = await asyncio.gather(
        issues.ingest(pairs(event(1))),
        issues.ingest(pairs(event(1))),
        issues.ingest(pairs(poisoned)),
        issues.ingest(pairs(event(3))),
        return_exceptions=True,
    )
    assert [getattr(answer, "accepted", None) for answer in answers] == [1, 1, None, 1]
    assert {issue.fingerprint for issue in (await issues.list()).items} == {fingerprint(1), fingerprint(3)}


async def test_a_cancelled_caller_does_not_take_the_others_with_it(issues):
    calls = [asyncio.create_task(issues.ingest(pairs(event(n)))) for n in range(3)]
    await asyncio.sleep(0)
    calls[0].cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [getattr(answer, "accepted", None) for answer in answers] == [None, 1, 1]


async def test_two_servers_on_one_database_make_one_task(issues, store_url, clock):
    other = await open_database(store_url)
    second = IssueRepository(other, clock)
    answers = await asyncio.gather(*(one.ingest(pairs(event(), event())) for one in (issues, second) * 10))
    await other.close()
    assert sum(len(answer.tasks) for answer in answers) == 1
    assert (await only(issues)).count == 40


async def test_of_a_minutes_events_only_the_first_ones_become_the_sample(issues, clock):
    for _ in range(SAMPLED_PER_MINUTE + 5):
        clock.forward(1)
        await issues.ingest(pairs(event(1, at=clock.now())))
    issue = await only(issues)
    assert issue.last_seen == clock.now()
    assert issue.sample.occurred_at == clock.now() - timedelta(seconds=5)
    clock.forward(60)
    await issues.ingest(pairs(event(1, at=clock.now())))
    issue = await only(issues)
    assert issue.sample.occurred_at == clock.now()


async def test_titles_are_looked_up_together_and_what_is_not_there_is_left_out(issues):
    await issues.ingest(pairs(event()))
    issue = await only(issues)
    assert await issues.titles({issue.id, "elsewhere"}) == {issue.id: issue.title}
    assert await issues.titles([]) == {}


async def test_a_repair_of_a_regression_is_made_from_the_event_that_brought_it_back(issues, tasks, clock):
    for _ in range(SAMPLED_PER_MINUTE):
        answer = await issues.ingest(pairs(event(1, at=clock.now())))
    issue = await only(issues)
    (task,) = (await tasks.list(TaskFilter())).items
    await tasks.move(task.id, TaskState.PROCESSING)
    await tasks.move(task.id, TaskState.COMPLETED)
    await issues.decide(issue.id, "resolve", "a person")
    clock.forward(1)
    back = replace(event(1, at=clock.now()), release="new")
    answer = await issues.ingest(pairs(back))
    assert len(answer.tasks) == 1
    assert (await only(issues)).sample == back


async def test_what_triage_says_later_stands_until_a_repair_is_called_for_again(issues, tasks, clock):
    (first,) = (await issues.ingest(pairs(event()))).tasks
    issue = await only(issues)
    assert issue.triage.judge is TriageJudge.RULES
    said = TriageDecision(TriageClass.EXPECTED, False, "told to the customer\0", TriageJudge.MODEL)
    await issues.judged(issue.id, said)
    await issues.ingest(pairs(event()))
    known = await only(issues)
    assert known.triage == replace(said, reason="told to the customer\ufffd")
    assert known.count == 2

    clock.forward(60)
    await tasks.move(first.id, TaskState.CANCELLED)
    await issues.decide(issue.id, "resolve", "somebody")
    clock.forward(60)
    (task,) = (await issues.ingest(pairs(event(at=clock.now())))).tasks
    assert (await only(issues)).triage.judge is TriageJudge.RULES
    assert task.episode == 2


async def test_the_release_of_an_error_is_told_with_the_one_that_ran_before_it(issues, clock):
    def seen(number, release, **where):
        return replace(event(number, at=clock.now()), release=release, **where)

    for release in ("r1", "r2", "r3"):
        clock.forward(60)
        await issues.ingest(pairs(seen(9, release), seen(8, release, environment="staging")))
    await issues.ingest(pairs(seen(1, "r3")))
    clock.forward(60)
    await issues.ingest(pairs(seen(1, "r4"), seen(2, "r1", environment="staging"), seen(3, "")))
    found = {issue.fingerprint: issue for issue in (await issues.list()).items}
    told = {n: await issues.release_change(found[fingerprint(n)]) for n in (1, 2, 3)}
    assert (told[1].before, told[1].after) == ("r2", "r3")  # where it began, not where it is now
    assert (told[2], told[3]) == (None, None)  # the first release there; none
    later = await issues.release_change(replace(found[fingerprint(1)], episode=2))
    assert (later.before, later.after) == ("r3", "r4")
