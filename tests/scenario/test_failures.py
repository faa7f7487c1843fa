"""What can go wrong around a repair ends in a named failure with a next step and nothing half done.

Once a person has mended the cause and retries the task, it ends in the one pull request.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support import shop
from tests.support.children import until
from tests.support.git_server import GitFaults, git, push_files
from tests.support.github_double import ApiFaults
from tests.support.leaks import assert_no_secret
from tests.support.messages_double import conversation
from tests.support.scenario import REPOSITORY, stands

NEEDS_A_PACKAGE = "import colours\n\n" + shop.BROKEN
PACKAGE = {"colours.py": "RED = 1\n"}
WITHOUT_TESTS = {"README.md": "A shop.\n"}


@dataclass(frozen=True)
class Trouble:
    """Something that is wrong, the failure's code, the step it ends at, and how a person mends it."""

    name: str
    code: str
    step: str
    cause: Callable[[Any], object]
    mend: Callable[[Any], object]


def bare(scenario):
    return scenario.github.root / f"{REPOSITORY}.git"


def refuse_token(scenario):
    scenario.github.git.token = "another"


def accept_token(scenario):
    scenario.github.git.token = scenario.planted.github_token


def hide(scenario):
    bare(scenario).rename(scenario.folder / "hidden.git")


def show(scenario):
    (scenario.folder / "hidden.git").rename(bare(scenario))


def refuse_push(scenario):
    scenario.github.git.reject_pushes(REPOSITORY, "Only on Tuesdays.")


def accept_push(scenario):
    (bare(scenario) / "hooks" / "pre-receive").unlink()


def host_says(status, method, path="/pulls"):
    def cause(scenario):
        scenario.github.faults = ApiFaults(status=status, method=method, path=path)

    return cause


def host_is_well(scenario):
    scenario.github.faults = ApiFaults()


def git_says(status, service):
    def cause(scenario):
        scenario.github.git.faults = GitFaults(status=status, only=service)

    return cause


def git_is_well(scenario):
    scenario.github.git.faults = GitFaults()


def pushed(files):
    def cause(scenario):
        push_files(bare(scenario), files)

    return cause


def start_empty(scenario):
    hide(scenario)
    scenario.repository(files={})


def first_commit(scenario):
    push_files(bare(scenario), shop.files())


def lose_tests(scenario):
    gone = dict.fromkeys(shop.files(), None)
    push_files(bare(scenario), gone | WITHOUT_TESTS)


def model_says(failure):
    def cause(scenario):
        scenario.script({"reproduce": [{"failure": failure}]})

    return cause


def model_is_well(scenario):
    scenario.script(shop.script())


HOST = {401: "host_unauthorized", 403: "host_forbidden", 404: "host_not_found", 422: "host_rejected"}
TROUBLES = [
    Trouble("git 401", "git_auth_failed", "checkout", refuse_token, accept_token),
    Trouble("git 403", "git_auth_failed", "checkout", git_says(403, ""), git_is_well),
    Trouble("git 404", "git_not_found", "checkout", hide, show),
    Trouble("empty repository", "git_empty_repository", "checkout", start_empty, first_commit),
    Trouble("no tests", "no_test_command", "checkout", lose_tests, first_commit),
    Trouble(
        "bad .ai-ops.yml",
        "project_file_invalid",
        "checkout",
        pushed({".ai-ops.yml": "tests: x\n"}),
        pushed({".ai-ops.yml": None}),
    ),
    Trouble(
        "missing package",
        "setup_required",
        "reproduce",
        pushed({shop.MODULE_PATH: NEEDS_A_PACKAGE}),
        pushed({shop.MODULE_PATH: shop.BROKEN}),
    ),
    Trouble("push refused by a hook", "push_refused", "push", refuse_push, accept_push),
    Trouble("push 403", "git_auth_failed", "push", git_says(403, "git-receive-pack"), git_is_well),
    *(
        Trouble(f"host {status} when asked", code, "checkout", host_says(status, "GET"), host_is_well)
        for status, code in HOST.items()
    ),
    *(
        Trouble(
            f"host {status} when opening", code, "open_pull_request", host_says(status, "POST"), host_is_well
        )
        for status, code in HOST.items()
    ),
    *(
        Trouble(code, code, "reproduce", model_says(code), model_is_well)
        for code in ("model_auth_failed", "model_refused", "model_prompt_too_long", "budget_spent")
    ),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
async def test_a_failure_is_named_and_a_retry_ends_in_the_one_pull_request(install_warm, trouble):
    async with install_warm() as scenario:
        model_is_well(scenario)
        trouble.cause(scenario)
        await scenario.start_server()
        await scenario.report(scenario.logged.error())
        task = await scenario.ended()

        assert stands(task) == ("failed", None, trouble.code), task["error"]
        assert task["error"]["next_step"]
        await assert_told(scenario, task, trouble)
        await assert_no_secret(scenario, task["trace_id"])
        assert scenario.pulls() == await scenario.items("/v1/pull-requests") == []
        assert len(scenario.branches()) == (1 if trouble.step == "open_pull_request" else 0)
        assert list(scenario.workspaces.glob("[!.]*")) == []

        trouble.mend(scenario)
        await scenario.post(f"/v1/tasks/{task['task_id']}/retry")
        task = await scenario.ended()
        assert stands(task) == ("completed", "proved", "reproduced"), task["error"]
        assert task["run_number"] == 2
        (pull,) = scenario.pulls()
        assert scenario.branches() == [pull["head"]]
        failed, opened = (mail["Subject"] for mail in scenario.mail.messages)
        assert failed.startswith(f"[AI-Ops] Failed ({trouble.code}): ")
        assert opened.startswith("[AI-Ops] Pull request: ")
        await scenario.leaves_nothing_behind()


async def assert_told(scenario, task, trouble):
    """The run's trace is complete: what went well, then the step that failed with the task's failure."""
    trace = await scenario.get(f"/v1/traces/{task['trace_id']}")
    assert trace["outcome"] == "failed"
    *before, last = trace["steps"]
    assert {step["state"] for step in before} <= {"done"}
    assert (last["name"], last["state"]) == (trouble.step, "failed")
    assert last["error"] == task["error"]


async def test_a_branch_of_ours_that_a_person_worked_on_is_not_taken_over(install_warm):
    async with install_warm() as scenario:
        model_is_well(scenario)
        host_says(403, "POST")(scenario)
        await scenario.start_server()
        await scenario.report(shop.error())
        task = await scenario.ended()
        (branch,) = scenario.branches()
        theirs = push_files(bare(scenario), {"NOTES.md": "mine\n"}, branch=branch)

        host_is_well(scenario)
        await scenario.post(f"/v1/tasks/{task['task_id']}/retry")
        task = await scenario.ended()
        assert stands(task) == ("failed", None, "branch_taken")
        assert git("rev-parse", branch, cwd=bare(scenario)) == theirs
        assert scenario.pulls() == []


@pytest.mark.parametrize(
    ("cause", "mend", "state", "code"),
    [
        pytest.param(git_says(503, ""), git_is_well, "retrying", "git_unreachable", id="git 503"),
        pytest.param(host_says(502, ""), host_is_well, "retrying", "host_unavailable", id="host 502"),
    ],
)
async def test_what_passes_by_itself_is_waited_for(install_warm, cause, mend, state, code):
    async with install_warm() as scenario:
        model_is_well(scenario)
        cause(scenario)
        await scenario.start_server()
        await scenario.report(shop.error())

        async def waits():
            tasks = await scenario.items("/v1/tasks")
            return tasks and tasks[0]["state"] == state and tasks[0]

        task = await until("the task waits", waits, hint=scenario.server.tail)
        assert code in task["outcome_reason"]
        mend(scenario)
        assert stands(await scenario.ended()) == ("completed", "proved", "reproduced")
        assert len(scenario.pulls()) == len(scenario.mail.messages) == 1


async def test_a_spent_limit_is_waited_for_across_a_kill(install_warm):
    async with install_warm() as scenario:
        model_says("model_rate_limited")(scenario)
        await scenario.start_server()
        await scenario.report(shop.error())

        async def waits():
            tasks = await scenario.items("/v1/tasks")
            return tasks and tasks[0]["state"] == "waiting_unban" and tasks[0]

        task = await until("the task waits", waits, hint=scenario.server.tail)
        assert "model_rate_limited" in task["outcome_reason"]
        await scenario.server.kill()
        model_is_well(scenario)
        await scenario.restart_server()
        assert stands(await scenario.ended()) == ("completed", "proved", "reproduced")
        assert len(scenario.pulls()) == len(scenario.mail.messages) == 1
        await scenario.leaves_nothing_behind()


async def test_a_branch_is_left_alone_when_the_history_was_replaced(install_warm):
    async with install_warm() as scenario:
        model_is_well(scenario)
        host_says(403, "POST")(scenario)
        await scenario.start_server()
        await scenario.report(shop.error())
        task = await scenario.ended()
        (branch,) = scenario.branches()
        ours = git("rev-parse", branch, cwd=bare(scenario))
        tree = git("rev-parse", "main^{tree}", cwd=bare(scenario))
        root = git("commit-tree", tree, "-m", "A new beginning", cwd=bare(scenario))
        git("update-ref", "refs/heads/main", root, cwd=bare(scenario))

        host_is_well(scenario)
        await scenario.post(f"/v1/tasks/{task['task_id']}/retry")
        task = await scenario.ended()
        assert stands(task) == ("failed", None, "branch_taken")
        assert git("rev-parse", branch, cwd=bare(scenario)) == ours
        assert scenario.pulls() == []


async def test_a_host_that_is_away_leaves_a_task_that_can_be_cancelled(install_warm):
    async with install_warm() as scenario:
        model_is_well(scenario)
        scenario.settings["GITHUB_BASE_URL"] = "http://127.0.0.1:9/api/v3"
        await scenario.start_server()
        await scenario.report(shop.error(), repo_url="http://127.0.0.1:9/acme/shop")

        async def waits():
            tasks = await scenario.items("/v1/tasks")
            return tasks and tasks[0]["state"] == "retrying" and tasks[0]

        task = await until("the task waits", waits, hint=scenario.server.tail)
        assert "git_unreachable" in task["outcome_reason"]
        await scenario.post(f"/v1/tasks/{task['task_id']}/cancel")
        assert (await scenario.ended())["state"] == "cancelled"
        await scenario.leaves_nothing_behind()


@pytest.mark.parametrize(
    ("turn", "code"),
    [
        pytest.param(
            {"error": {"status": 401, "type": "authentication_error"}}, "model_auth_failed", id="401"
        ),
        pytest.param({"error": {"status": 404, "type": "not_found_error"}}, "model_not_found", id="404"),
        pytest.param({"text": "I will not.", "stop_reason": "refusal"}, "model_refused", id="refusal"),
    ],
)
async def test_a_failure_of_the_real_cli_is_named_on_the_task(install_warm, turn, code):
    failing = conversation("reproduce", turn)
    async with install_warm(conversation=failing, CLAUDE_TRIAGE_MODEL="none") as scenario:
        await scenario.start_server()
        await scenario.report(shop.error())
        task = await scenario.ended()
        assert stands(task) == ("failed", None, code), task["error"]
        assert task["error"]["next_step"]
        assert scenario.pulls() == scenario.branches() == []
        await scenario.leaves_nothing_behind()
