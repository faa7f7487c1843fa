"""What is too old goes, a little at a time; counts, costs and what a person still needs stay."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from ai_ops.core.budgets import Budgets, PlannedCall
from ai_ops.core.flood import IntakeRules
from ai_ops.core.redaction import Redactor
from ai_ops.flow.run import Run
from ai_ops.flow.task import TaskState
from ai_ops.store import retention as module
from ai_ops.store import tables
from ai_ops.store.database import open_database
from ai_ops.store.issues import IssueRepository
from ai_ops.store.ledger import LedgerRepository
from ai_ops.store.pull_requests import PullRequestRepository
from ai_ops.store.retention import Retention
from ai_ops.store.tasks import TaskRepository
from ai_ops.trace.trace_store import TraceStore
from tests.support.store import event, pairs, pull_request

DAY = 86_400


@pytest.fixture
async def database(store_url, monkeypatch):
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0)
    made = await open_database(store_url)
    yield made
    await made.close()


@pytest.fixture
def issues(database, clock):
    return IssueRepository(database, clock, IntakeRules(stored_per_minute=700))


async def rows(database, table):
    async with database.read() as connection:
        return (await connection.execute(select(func.count()).select_from(table))).scalar_one()


async def test_old_events_go_in_small_parts_and_their_issue_keeps_its_counts(database, clock, issues):
    await issues.ingest(pairs(*(event(count=2) for _ in range(1200))))
    clock.forward(91 * DAY)
    await issues.ingest(pairs(event(at=clock.now())))
    retention = Retention(database, clock, 90, 90)
    commits, write = [], database.write
    database.write = lambda: commits.append(1) or write()
    await retention.sweep()
    assert await rows(database, tables.events) == 1
    assert await rows(database, tables.counted_events) == 0
    assert retention.removed == {"events": 1200, "traces": 0}
    assert len(commits) >= 4  # never more than 500 rows in one
    (issue,) = (await issues.list()).items
    assert (issue.count, issue.only_counted) == (2401, 500)
    assert issue.first_seen < clock.now() - timedelta(days=90)
    await retention.sweep()
    assert retention.removed["events"] == 1200


@pytest.mark.parametrize("number", [1, 600], ids=["one", "more than are removed at once"])
async def test_events_from_while_the_clock_was_ahead_go_by_their_date_and_hold_up_no_other(
    database, clock, issues, number
):
    await issues.ingest(pairs(event()))
    clock.forward(200 * DAY)
    await issues.ingest(pairs(*(event() for _ in range(number))))
    clock.forward(-200 * DAY)
    await issues.ingest(pairs(event(), event()))
    clock.forward(91 * DAY)
    retention = Retention(database, clock, 90, 90)
    await retention.sweep()
    assert (await rows(database, tables.events), retention.removed["events"]) == (number, 3)
    clock.forward(200 * DAY)
    await retention.sweep()
    assert await rows(database, tables.events) == 0


@pytest.mark.parametrize("days", [0, 90])
async def test_what_is_young_or_kept_for_ever_stays(database, clock, issues, days):
    await issues.ingest(pairs(event(), event()))
    clock.forward((0.9 * days or 5000) * DAY)
    await Retention(database, clock, days, days).sweep()
    assert await rows(database, tables.events) == 2


async def test_intake_goes_on_while_old_events_are_removed(database, clock, issues):
    await issues.ingest(pairs(*(event() for _ in range(1200))))
    clock.forward(91 * DAY)
    sweeping = asyncio.create_task(Retention(database, clock, 90, 90).sweep())
    answers = [await issues.ingest(pairs(event(at=clock.now()))) for _ in range(5)]
    await sweeping
    assert [answer.accepted for answer in answers] == [1] * 5
    assert await rows(database, tables.events) == 5


def of(release, clock, **more):
    return replace(event(at=clock.now()), release=release, **more)


async def known_releases(database):
    async with database.read() as connection:
        query = select(tables.releases.c.release).order_by(tables.releases.c.seq)
        return list((await connection.execute(query)).scalars())


async def test_releases_that_are_gone_go_and_those_that_are_seen_stay(database, clock, issues):
    await issues.ingest(pairs(*(of(name, clock) for name in ("back", "old", "steady"))))
    await issues.ingest(pairs(of("alone", clock, environment="staging")))
    await issues.ingest(pairs(of("newest", clock)))
    retention = Retention(database, clock, 90, 90)
    for _ in range(4):  # seen so often that the process remembers it
        clock.forward(30 * DAY)
        await issues.ingest(pairs(of("steady", clock)))
        await retention.sweep()
    assert await known_releases(database) == ["steady", "alone", "newest"]
    await issues.ingest(pairs(of("back", clock)))  # forgotten meanwhile, in memory too
    assert await known_releases(database) == ["steady", "alone", "newest", "back"]
    await Retention(database, clock, 0, 90).sweep()
    assert len(await known_releases(database)) == 4


async def test_releases_without_end_do_not_pile_up(database, clock, issues):
    await issues.ingest(pairs(*(of(f"r{number}", clock) for number in range(1200))))
    clock.forward(91 * DAY)
    await Retention(database, clock, 90, 90).sweep()
    assert len(await known_releases(database)) == 1


async def test_after_months_without_an_error_the_next_release_is_still_a_change(database, clock):
    issues = IssueRepository(database, clock, IntakeRules(storm_fingerprints=3))
    await issues.ingest(pairs(of("old", clock)))
    clock.forward(200 * DAY)
    await Retention(database, clock, 90, 90).sweep()
    new = [replace(event(n, at=clock.now()), release="new") for n in range(2, 6)]
    (task,) = (await issues.ingest(pairs(*new))).tasks
    assert task.payload["storm"]["release_before"] == "old"


async def recorded(database, clock, task_id, number):
    """A run with everything that a run leaves."""
    trace = TraceStore(database, clock, Redactor())
    run = f"{number}-{task_id}"[:36]
    await trace.run_started(Run(run, task_id, number, clock.now()))
    await trace.step_started(run, "fix", 1)
    await trace.step_done(run, "fix", 1, {"usage": {"input_tokens": 1, "output_tokens": 1, "cost_usd": 0.5}})
    await trace.put_artifact(run, "prompt", "words")
    await trace.put_patch(run, "candidate", "diff")
    await trace.emit(run, "text", {"text": "x"})
    return trace, run


@pytest.mark.parametrize(
    ("ended_in", "goes"),
    [(TaskState.COMPLETED, True), (TaskState.FAILED, True), (TaskState.NEEDS_HUMAN_REVIEW, False)],
)
async def test_the_trace_of_a_finished_task_goes_and_that_of_one_in_review_stays(
    database, clock, issues, ended_in, goes
):
    (task,) = (await issues.ingest(pairs(event()))).tasks
    tasks = TaskRepository(database, clock)
    await tasks.move(task.id, TaskState.PROCESSING)
    trace, run = await recorded(database, clock, task.id, 1)
    await tasks.move(task.id, ended_in)
    await trace.run_ended(run, ended_in)
    clock.forward(91 * DAY)
    retention = Retention(database, clock, 0, 90)
    await retention.sweep()
    left = [
        await rows(database, table)
        for table in (tables.steps, tables.trace_events, tables.artifacts, tables.patches)
    ]
    assert (left == [0, 0, 0, 0]) is goes
    assert retention.removed["traces"] == int(goes)
    kept = await trace.find_run(run)
    assert kept is not None
    assert kept.outcome == ended_in
    await retention.sweep()
    assert retention.removed["traces"] == int(goes)


async def test_the_run_that_made_an_open_pull_request_keeps_its_trace(database, clock):
    trace, run = await recorded(database, clock, "t1", 1)
    await trace.run_ended(run, "completed")
    pulls = PullRequestRepository(database, clock)
    await pulls.record(pull_request(run_id=run))
    clock.forward(91 * DAY)
    retention = Retention(database, clock, 0, 90)
    await retention.sweep()
    assert await trace.patch(run, "candidate") == "diff"
    await pulls.set_state("pr-1", "merged")
    await retention.sweep()
    assert await trace.patch(run, "candidate") is None


async def test_a_run_that_has_not_ended_or_ended_lately_keeps_its_trace(database, clock):
    trace, ended = await recorded(database, clock, "t1", 1)
    _, running = await recorded(database, clock, "t2", 1)
    clock.forward(91 * DAY)
    await trace.run_ended(ended, "completed")
    clock.forward(89 * DAY)
    await Retention(database, clock, 0, 90).sweep()
    assert [len(await trace.steps(run)) for run in (ended, running)] == [1, 1]


async def test_calls_of_the_ledger_go_with_age_but_not_those_of_a_run_that_goes_on(database, clock):
    ledger = LedgerRepository(database, clock, Budgets(0.0, 1e6))
    trace = TraceStore(database, clock, Redactor())
    for run in ("over", "goes on"):
        await trace.run_started(Run(run, run, 1, clock.now()))
        for _ in range(600):
            await ledger.reserve(PlannedCall(run, 1e6, "m", 0.0, 1.0))
    await trace.run_ended("over", "completed")
    retention = Retention(database, clock, 0, 0.01)
    clock.forward(1.9 * DAY)
    await retention.sweep()
    assert await rows(database, tables.model_calls) == 1200  # a budget looks back on them
    clock.forward(0.2 * DAY)
    await retention.sweep()
    assert await rows(database, tables.model_calls) == 600
    assert (await ledger.spent("goes on")).run == 600.0
    await Retention(database, clock, 0, 0).sweep()
    assert await rows(database, tables.model_calls) == 600
