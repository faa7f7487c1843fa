"""An issue's episode becomes a bug case where it ends: once, with the same commit, and truly."""

from datetime import timedelta

import pytest
from sqlalchemy import insert

from ai_ops.core.fix_watch import assess
from ai_ops.core.ports import BugCaseFilter, NewTask
from ai_ops.core.redaction import Redactor
from ai_ops.errors import PermanentError
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.run import Run
from ai_ops.flow.task import Proof, TaskState, Verdict
from ai_ops.store import closing, tables
from ai_ops.store.bug_cases import BugCaseRepository
from ai_ops.store.fix_watches import FixWatchRepository
from ai_ops.store.pull_requests import PullRequestRepository
from ai_ops.trace.trace_store import TraceStore
from tests.support.store import APP, START, event, fingerprint, pairs, pull_request


class Library:
    """Issues, their repairs and pull requests over one database."""

    def __init__(self, database, issues, tasks, clock):
        self.database, self.issues, self.tasks, self.clock = database, issues, tasks, clock
        self.pulls = PullRequestRepository(database, clock)
        self.cases = BugCaseRepository(database)

    async def broken(self, number=1):
        """Report an error; return its issue and its repair, which is over and has cost something."""
        (task,) = (await self.issues.ingest(pairs(event(number, at=self.clock.time)))).tasks
        return await self.issues.find(task.issue_id), await self.over(task)

    async def over(self, task):
        await self.tasks.move(task.id, TaskState.PROCESSING)
        return await self.tasks.move(task.id, TaskState.COMPLETED, cost_usd=0.25)

    async def opened(self, issue, task, **changes):
        """Record the pull request of a repair."""
        made = pull_request(
            issue_id=issue.id, task_id=task.id, fingerprint=issue.fingerprint, episode=task.episode,
            id=f"pr-{task.episode}", branch=f"ai-ops/fix-{task.episode}",
            cause="nothing to divide by", summary="asks first", **changes,
        )  # fmt: skip
        return await self.pulls.record(made)

    async def merged(self):
        issue, task = await self.broken()
        pull = await self.opened(issue, task)
        await self.pulls.set_state(pull.id, PullRequestState.MERGED)
        return issue, task, pull

    async def again(self, number=1):
        """Report the error once more, later."""
        self.clock.forward(3600)
        return await self.issues.ingest(pairs(event(number, at=self.clock.time)))

    async def came_back(self):
        """Let the fix watch find that a build with the merged fix has logged the error."""
        watches = FixWatchRepository(self.database, self.clock)
        await watches.begin()
        (watch,) = await watches.due()
        facts = await watches.facts(watch)
        after = assess(watch, facts, dict.fromkeys(facts.releases, True), self.clock.time, timedelta())
        return await watches.recur(watch, after, None)

    async def all(self):
        return list((await self.cases.list(BugCaseFilter())).items)

    async def one(self):
        (case,) = await self.all()
        return case


@pytest.fixture
def library(database, issues, tasks, clock):
    return Library(database, issues, tasks, clock)


async def test_an_issue_that_is_open_is_no_case(library):
    issue, task = await library.broken()
    await library.opened(issue, task)
    await library.issues.decide(issue.id, "ignore", "a person")
    assert await library.all() == []


async def test_a_merge_makes_a_case_of_error_cause_diff_proof_outcome_and_cost(library):
    issue, task, pull = await library.merged()
    case = await library.one()
    assert (case.issue_id, case.episode, case.fingerprint) == (issue.id, 1, issue.fingerprint)
    assert (case.repo_key, case.repo_url, case.title) == (APP.key, APP.url, issue.title)
    assert (case.error, case.likeness.types) == (issue.sample.error, ("ZeroDivisionError",))
    assert (case.cause, case.summary) == ("nothing to divide by", "asks first")
    assert (case.diff, case.proof) == (pull.diff, pull.proof)
    assert (case.outcome, case.resolved, case.recurrences) == ("merged", False, 0)
    assert (case.task_id, case.pull_request_id, case.pr_url) == (task.id, pull.id, pull.url)
    assert case.cost_usd == 0.25


async def test_what_is_said_twice_is_one_case(library):
    issue, _, pull = await library.merged()
    before = await library.one()
    library.clock.forward(60)
    await library.pulls.set_state(pull.id, PullRequestState.MERGED)
    await library.issues.decide(issue.id, "resolve", "a person")
    await library.issues.decide(issue.id, "resolve", "a person")
    case = await library.one()
    assert (case.id, case.created_at, case.resolved) == (before.id, before.created_at, True)


async def test_a_refused_change_is_a_case_too(library):
    issue, task = await library.broken()
    await library.opened(issue, task)
    await library.pulls.set_state("pr-1", PullRequestState.CLOSED)
    assert (await library.one()).outcome == "closed"


@pytest.mark.parametrize("state", [PullRequestState.MERGED, PullRequestState.CLOSED])
async def test_a_pull_request_that_was_over_when_it_was_first_seen_makes_a_case(library, state):
    issue, task = await library.broken()
    await library.opened(issue, task, state=state)
    assert (await library.one()).outcome == state


async def test_a_revision_of_an_open_pull_request_makes_none(library):
    issue, task = await library.broken()
    await library.opened(issue, task)
    await library.pulls.update("pr-1", diff="another", proof=Proof(Verdict.UNPROVED))
    assert await library.all() == []


async def test_an_issue_that_was_resolved_by_hand_is_a_case_with_the_cause_that_was_found(library):
    issue, task = await library.broken()
    trace = TraceStore(library.database, library.clock, Redactor())
    await trace.run_started(Run("run", task.id, 1, START))
    for name, cause in (("reproduce", "first guess"), ("fix", "an empty list"), ("guard", None)):
        await trace.step_started("run", name, 1)
        said = {"said": {"cause": cause, "summary": "s"}} if cause else {}
        await trace.step_done("run", name, 1, said)
    await library.tasks.update(task.id, trace_id="run")
    await library.issues.decide(issue.id, "resolve", "a person")
    case = await library.one()
    assert (case.outcome, case.resolved, case.cause) == ("resolved", True, "an empty list")
    assert (case.diff, case.pull_request_id, case.proof) == ("", None, Proof())


async def test_a_change_that_is_still_open_is_not_taken_for_what_mended_the_error(library):
    issue, task = await library.broken()
    await library.opened(issue, task)
    await library.issues.decide(issue.id, "resolve", "a person")
    case = await library.one()
    assert (case.outcome, case.diff, case.summary) == ("resolved", "", "")
    await library.pulls.set_state("pr-1", PullRequestState.MERGED)
    case = await library.one()
    assert (case.outcome, case.resolved, case.summary) == ("merged", True, "asks first")


async def test_an_issue_without_a_repair_is_a_case_without_a_cause(library):
    await library.issues.ingest(pairs(event(1, exception_type="PermissionDenied")))
    (issue,) = (await library.issues.list()).items
    await library.issues.decide(issue.id, "resolve", "a person")
    case = await library.one()
    assert (case.outcome, case.cause, case.task_id, case.cost_usd) == ("resolved", "", None, 0.0)


async def test_what_is_taken_back_is_no_case_any_more(library):
    issue, task = await library.broken()
    await library.issues.decide(issue.id, "resolve", "a person")
    await library.issues.decide(issue.id, "reopen", "a person")
    assert await library.all() == []
    await library.opened(issue, task)
    await library.pulls.set_state("pr-1", PullRequestState.CLOSED)
    await library.pulls.set_state("pr-1", PullRequestState.OPEN)
    assert await library.all() == []


async def test_an_error_that_comes_back_counts_against_the_case_of_the_episode_that_had_mended_it(library):
    issue, _, _ = await library.merged()
    await library.issues.decide(issue.id, "resolve", "a person")
    assert (await library.again()).tasks == ()
    (task,) = await library.came_back()
    case = await library.one()
    assert (case.episode, case.recurrences, case.resolved) == (1, 1, False)
    assert case.last_recurred_at == library.clock.time
    await library.again()
    assert (await library.one()).recurrences == 1  # one regression, however often it is logged

    await library.opened(issue, await library.over(task))
    await library.pulls.set_state("pr-2", PullRequestState.MERGED)
    newer, older = await library.all()
    assert [(case.episode, case.recurrences) for case in (newer, older)] == [(2, 0), (1, 1)]


async def test_an_error_after_the_merge_of_an_issue_that_is_open_is_no_recurrence(library):
    await library.merged()
    await library.again()
    assert (await library.one()).recurrences == 0


async def test_a_case_of_what_came_back_stays_on_record(library):
    await library.issues.ingest(pairs(event(1, exception_type="PermissionDenied")))
    (issue,) = (await library.issues.list()).items
    await library.issues.decide(issue.id, "resolve", "a person")
    library.clock.forward(60)
    await library.issues.ingest(pairs(event(1, exception_type="PermissionDenied", at=library.clock.time)))
    await library.issues.decide(issue.id, "ignore", "a person")
    case = await library.one()
    assert (case.outcome, case.resolved, case.recurrences) == ("resolved", False, 1)
    await library.issues.decide(issue.id, "resolve", "a person")
    assert ((await library.one()).resolved, (await library.one()).recurrences) == (True, 1)


@pytest.mark.parametrize(("newly_logged", "recurrences"), [(True, 1), (False, 0)])
async def test_a_person_who_brings_the_error_again_reports_a_recurrence_and_one_who_asks_does_not(
    library, newly_logged, recurrences
):
    issue, _, _ = await library.merged()
    await library.issues.decide(issue.id, "resolve", "a person")
    new = NewTask("repair", APP, "normal", {}, event(1), issue_id=None if newly_logged else issue.id)
    assert (await library.tasks.create(new)).created
    assert (await library.one()).recurrences == recurrences


async def test_a_pull_request_that_belongs_to_no_issue_makes_no_case(library):
    await library.pulls.record(pull_request())
    await library.pulls.set_state("pr-1", PullRequestState.MERGED)
    assert await library.all() == []


async def test_a_case_that_cannot_be_made_leaves_the_pull_request_as_it_was(library, monkeypatch):
    issue, task = await library.broken()
    await library.opened(issue, task)

    def refuse(*arguments):
        raise PermanentError("storage_failed", "no")

    monkeypatch.setattr(closing, "keep", refuse)
    with pytest.raises(PermanentError):
        await library.pulls.set_state("pr-1", PullRequestState.MERGED)
    assert (await library.pulls.find("pr-1")).state == "open"


async def test_the_cost_of_an_episode_is_that_of_all_its_tasks(library):
    issue, _, _ = await library.merged()
    async with library.database.write() as connection:
        row = dict((await connection.execute(tables.tasks.select())).mappings().one())
        follow_up = row | {"seq": 9, "id": "follow-up", "kind": "follow_up", "cost_usd": 0.5}
        await connection.execute(insert(tables.tasks), follow_up)
    library.clock.time += timedelta(seconds=1)
    await library.issues.decide(issue.id, "resolve", "a person")
    assert (await library.one()).cost_usd == 0.75


async def test_cases_of_merged_issues_stay_with_the_issue_they_were_of(library):
    issue, task = await library.broken(1)
    other, _ = await library.broken(2)
    await library.opened(issue, task)
    await library.issues.merge(issue.id, other.id, "a person")
    await library.pulls.set_state("pr-1", PullRequestState.MERGED)
    case = await library.one()
    assert (case.issue_id, case.fingerprint) == (issue.id, fingerprint(1))
