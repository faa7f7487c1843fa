"""One line in a log ends in one proved pull request and one mail, and no secret is anywhere on the way.

Every part is the real one: the agent and the server as processes, git over smart HTTP with a token, the
Claude CLI in bubblewrap, an SMTP server with STARTTLS and a login.
"""

import asyncio
import json
import sys

import pytest

from tests.support import shop
from tests.support.children import Witness
from tests.support.git_server import git
from tests.support.leaks import everything_shown, found_in_files
from tests.support.scenario import REPOSITORY, stands

CUSTOMER_TOKEN = "ghp_" + "Customer0123456789" * 2
"""What the application logged and should not have."""

MODES = [
    pytest.param("code_blocks", shop.CODE_BLOCKS, id="code_blocks"),
    pytest.param("agentic", shop.AGENTIC, id="agentic"),
]


async def fail_once(scenario):
    """Let the application fail as it does in production, after it has logged a customer's secret."""
    with scenario.log.open("a") as log:
        log.write(f"2026-01-02 03:04:05,000 WARNING [shop] calling the bank, token={CUSTOMER_TOKEN}\n")
    argv = [sys.executable, str(shop.APP), "--log", str(scenario.log)]
    application = await asyncio.create_subprocess_exec(*argv)
    assert await application.wait() == 0


@pytest.mark.parametrize(("mode", "conversation"), MODES)
async def test_a_line_in_a_log_becomes_a_proved_pull_request_and_a_mail(install, mode, conversation):
    async with install(conversation=conversation, CLAUDE_FIX_MODE=mode) as scenario:
        witness = Witness((*scenario.planted.all(), CUSTOMER_TOKEN))
        async with witness.watching(scenario.server, scenario.agent):
            await scenario.start_server()
            scenario.log.touch()
            scenario.start_agent()
            await fail_once(scenario)
            task = await scenario.ended()

        assert stands(task) == ("completed", "proved", "reproduced"), scenario.server.tail()
        rules = [reason["rule"] for reason in task["proof"]["reasons"]]
        assert rules == ["reproduced", "passes_after", "suite_clean"]
        assert task["cost_usd"] > 0
        assert_one_pull_request(scenario, task)
        assert_one_mail(scenario, task)
        await assert_the_trace_tells_it(scenario, task, mode)
        await assert_no_secret_anywhere(scenario, task, witness)
        await scenario.leaves_nothing_behind()
        assert list(scenario.temporary.glob("*")) == []


def assert_one_pull_request(scenario, task):
    (pull,) = scenario.pulls()
    assert (scenario.branches(), pull["base"], pull["draft"]) == ([pull["head"]], "main", False)
    assert task["pr_url"] == f"{scenario.github.url}/{REPOSITORY}/pull/{pull['number']}"
    bare = scenario.github.root / f"{REPOSITORY}.git"
    changed = git("diff", "--name-only", f"main...{pull['head']}", cwd=bare).split()
    assert changed == sorted([shop.MODULE_PATH, shop.TEST_PATH])
    assert git("rev-list", "--count", f"main..{pull['head']}", cwd=bare) == "1"
    assert "shop/ratings.py" in pull["body"]
    # Git showed the token and nobody else got through.
    assert {request.user for request in scenario.github.git.requests} <= {"x-access-token", ""}


def assert_one_mail(scenario, task):
    (mail,) = scenario.mail.messages
    assert "ZeroDivisionError" in mail["Subject"]
    for part in ("plain", "html"):
        assert task["pr_url"] in mail.get_body((part,)).get_content()


async def assert_the_trace_tells_it(scenario, task, mode):
    trace = await scenario.get(f"/v1/traces/{task['trace_id']}")
    assert {step["state"] for step in trace["steps"]} == {"done"}
    assert all(step["entries"] == 1 for step in trace["steps"])
    artifacts = await scenario.artifacts(task["trace_id"])
    assert {"triage-1-answer", "reproduce-1-prompt", "fix-1-prompt", "fix-1-diff"} <= artifacts.keys()
    assert len(scenario.messages.requests) == (3 if mode == "code_blocks" else 7)
    (issue,) = await scenario.items("/v1/issues")
    assert (issue["triage"]["triage_class"], issue["triage"]["judge"]) == ("code_fault", "model")


async def assert_no_secret_anywhere(scenario, task, witness):
    """The secrets were really used, the processes were really seen, and nothing of them is left."""
    key = scenario.planted.claude_key
    assert {request.headers.get("x-api-key") for request in scenario.messages.requests} == {key}
    assert witness.programs >= {"git", "bwrap", "claude", "pytest"}
    assert witness.found == set()
    prompts = json.dumps([request.body for request in scenario.messages.requests])
    assert "ZeroDivisionError" in prompts
    shown = await everything_shown(scenario, task["trace_id"]) + prompts
    for secret in (*scenario.planted.all(), CUSTOMER_TOKEN):
        assert secret not in shown
        assert found_in_files(scenario.folder, secret, apart_from=("app.log",)) == []
    assert found_in_files(scenario.folder, CUSTOMER_TOKEN) == ["app.log"]
