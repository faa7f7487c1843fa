"""Repairs learn from the bug library, and fill it: what the fixer is told, and what reports say of it."""

import html
from dataclasses import replace

import pytest

from ai_ops.core.ports import BugCaseFilter
from ai_ops.flow.bug_case import Reach
from ai_ops.flow.fixing import FixMode
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import TaskState
from tests.support import shop
from tests.support.workshop import SERVER_SECRET, mail_text

pytestmark = pytest.mark.usefixtures("remembered_suites")

NO_FIX = {"files": {shop.MODULE_PATH: shop.BROKEN + "\n# mended\n"}}
SIMILAR = "## Similar bugs of the past"


async def a_past_bug(floor, state=PullRequestState.MERGED, **changes):
    """Repair an error of another name, decide on its pull request, and return its case."""
    task = await floor.repaired(
        shop.error().replace("ZeroDivisionError: division", "ZeroDivisionError: Division")
    )
    (pull,) = await floor.pulls()
    await floor.tools.pull_requests.update(pull.id, state=state, **changes)
    (case,) = (await floor.tools.bug_cases.list(BugCaseFilter())).items
    assert case.issue_id == task.issue_id
    return case


async def next_episode(floor, case):
    """Let the error come back after it was resolved, and return the repair of that, which is another one."""
    floor.fixer.answers_with(shop.script({"files": {shop.MODULE_PATH: shop.FIXED_OTHERWISE}}))
    await floor.tools.issues.decide(case.issue_id, "resolve", "a person")
    task = await (floor.came_back() if case.outcome == "merged" else floor.reported(shop.error()))
    assert (task.issue_id, task.episode) == (case.issue_id, 2)
    return await floor.worked(task)


def prompts_for(floor, purpose):
    return [request.prompt for request in floor.fixer.requests if request.purpose == purpose]


async def test_a_merged_repair_is_a_case_with_all_that_is_known_of_it(workshop):
    script = shop.script({"files": {shop.MODULE_PATH: shop.FIXED}, "usage": {"cost_usd": 0.25}})
    async with workshop(script) as floor:
        case = await a_past_bug(floor)
        task = await floor.tools.tasks.find(case.task_id)
        (pull,) = await floor.pulls()
        assert case.cause and case.summary and (case.cause, case.summary) == (pull.cause, pull.summary)
        assert (case.diff, case.proof, case.outcome) == (pull.diff, pull.proof, "merged")
        assert case.cost_usd == task.cost_usd == 0.25


@pytest.mark.parametrize("mode", FixMode)
async def test_the_fixer_is_told_of_a_bug_that_came_back_and_the_reports_say_so(workshop, mode):
    async with workshop(fix_mode=mode) as floor:
        case = await a_past_bug(floor)
        first, *_ = prompts_for(floor, "fix")
        assert SIMILAR not in first
        task = await next_episode(floor, case)
        _, told = prompts_for(floor, "fix")
        assert SIMILAR in told
        assert f"Error: {case.title}" in told and f"Cause: {case.cause}" in told
        assert "it was merged, and the error came back 1 time" in told
        assert case.diff.splitlines()[0] in told
        assert all(SIMILAR not in prompt for prompt in prompts_for(floor, "reproduce"))
        steps = await floor.steps(task)
        assert steps["fix:1"].output["bug_cases"] == [case.id]
        newest = (await floor.pulls())[0]
        assert f"the error came back 1 time. See: ai-ops bug show {case.id}" in html.unescape(newest.body)
        assert sum(f"ai-ops bug show {case.id}" in mail_text(mail) for mail in floor.mails()) == 1


async def test_what_the_server_knows_to_be_secret_is_masked_before_it_is_told(workshop):
    async with workshop() as floor:
        case = await a_past_bug(floor, cause=f"the key {SERVER_SECRET}", diff=f"+{SERVER_SECRET}\n")
        assert SERVER_SECRET in case.cause
        task = await next_episode(floor, case)
        assert SIMILAR in prompts_for(floor, "fix")[-1]
        assert SERVER_SECRET not in prompts_for(floor, "fix")[-1]
        assert SERVER_SECRET not in await floor.artifact(task, "fix-1-prompt")


@pytest.mark.parametrize(
    ("repo_key", "reach", "is_told"),
    [
        ("local/acme/billing", Reach.OWNER, True),
        ("local/acme/billing", Reach.REPOSITORY, False),
        ("local/other/shop", Reach.OWNER, False),
        ("local/other/shop", Reach.ALL, True),
    ],
)
async def test_bugs_of_other_repositories_are_told_as_far_as_the_server_allows_and_never_their_code(
    workshop, repo_key, reach, is_told
):
    async with workshop(bug_case_reach=reach) as floor:
        task = await floor.reported()
        issue = await floor.tools.issues.find(task.issue_id)
        other = Repository(repo_key, f"file:///{repo_key}", "local")
        event = replace(issue.sample, event_id="0" * 8)
        (foreign,) = (await floor.tools.issues.ingest([(event, other)])).tasks
        await floor.tools.issues.decide(foreign.issue_id, "resolve", "a person")
        (case,) = (await floor.tools.bug_cases.list(BugCaseFilter())).items
        await floor.tools.bug_cases.keep(
            replace(case, cause="their cause", diff="+their_code()\n", title="In their_file.py")
        )
        assert (await floor.worked(task)).state is TaskState.COMPLETED
        (told,) = prompts_for(floor, "fix")
        assert (SIMILAR in told) is ("their cause" in told) is is_told
        assert "their_code" not in told and "their_file" not in told
        (pull,) = await floor.pulls()
        kept = pull.body + "".join(mail_text(mail) for mail in floor.mails())
        assert "their" not in kept and case.id not in kept


async def test_the_report_says_what_was_tried_in_vain_the_risks_and_how_to_turn_it_off(workshop):
    nothing = {"files": {shop.TEST_PATH: "def test_nothing():\n    assert True\n"}}
    good = shop.script()
    script = {
        "reproduce": [nothing, *good["reproduce"]],
        "fix": [NO_FIX, *good["fix"]],
    }
    async with workshop(script) as floor:
        task = await floor.repaired()
        assert task.proof.verdict == "proved"
        (pull,) = await floor.pulls()
        body = html.unescape(pull.body)
        tried = body.partition("### Tried in vain\n\n")[2].partition("\n\n")[0].splitlines()
        assert [line.split(":")[0] for line in tried] == ["- reproduction 1", "- fix 1"]
        assert "passes_on_base" in tried[0] and "still_failing" in tried[1]
        assert "It changes 1 file besides its own tests" in body
        assert f"ai-ops issue ignore {task.issue_id}" in body
        (mail,) = floor.mails()
        for heading in ("Tried in vain", "Risks", "How to turn it off"):
            assert heading in mail_text(mail)


async def test_a_change_that_a_person_approves_later_says_the_same_of_what_was_tried(workshop):
    untyped = "2026-01-02 03:04:05,678 ERROR [shop] the listing is broken\n"
    good = shop.script()
    async with workshop({**good, "fix": [NO_FIX, *good["fix"]]}) as floor:
        task = await floor.worked(await floor.wished(untyped))
        assert task.state is TaskState.NEEDS_HUMAN_REVIEW
        (waiting,) = map(mail_text, floor.mails())
        assert "fix 1: still_failing" in waiting
        assert "Close this pull request" not in waiting and f"issue ignore {task.issue_id}" in waiting
        await floor.worked(await floor.done_to(task, "approve"))
        (pull,) = await floor.pulls()
        assert "fix 1: still_failing" in html.unescape(pull.body)
