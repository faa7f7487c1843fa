"""The hook before each tool call, in the real Claude CLI, against the API double."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ai_ops.errors import PermanentError
from ai_ops.flow.judgement import Decision, Judgement
from ai_ops.integrations.claude_hooks import ToolHook
from tests.support.claude_calls import Call, fix_request, use

TOOLS = ("Read", "Edit", "Write", "Bash")


class Judge:
    """Says what it was told to about each command, and remembers what it was asked."""

    def __init__(self, **said: Decision) -> None:
        self.said = said
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def __call__(self, tool: str, given: dict[str, Any]) -> Judgement:
        self.asked.append((tool, given))
        decision = self.said.get(str(given.get("command", "")).split(" ")[0], Decision.ALLOW)
        return Judgement(decision, "" if decision is Decision.ALLOW else "a_rule", "shown")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "a.py").write_text("x = 1\n")
    return tmp_path / "checkout"


def results(call: Call) -> list[str]:
    return [str(data["content"]) for kind, data in call.seen if kind == "tool_result"]


async def test_each_tool_call_is_judged_before_it_is_made(checkout: Path) -> None:
    judge = Judge()
    call = Call(use("Read", file_path="/workspace/a.py"), use("Bash", command="touch made"), {"text": "done"})
    await call.ask(fix_request(checkout, tools=TOOLS, judge=judge))
    assert [tool for tool, _ in judge.asked] == ["Read", "Bash"]
    assert judge.asked[1][1]["command"] == "touch made"
    assert (checkout / "made").exists()


async def test_what_is_blocked_is_not_done_and_claude_is_told_the_rule(checkout: Path) -> None:
    call = Call(use("Bash", command="touch made"), use("Bash", command="mkdir other"), {"text": "done"})
    answer = await call.ask(fix_request(checkout, tools=TOOLS, judge=Judge(touch=Decision.BLOCK)))
    assert not (checkout / "made").exists()
    assert (checkout / "other").exists()
    assert "a_rule" in results(call)[0]
    assert answer.text == "done"


async def test_what_a_person_has_to_see_ends_the_call_at_once(checkout: Path) -> None:
    call = Call(use("Bash", command="touch made"), use("Bash", command="mkdir other"), {"text": "done"})
    with pytest.raises(PermanentError) as failure:
        await call.ask(fix_request(checkout, tools=TOOLS, judge=Judge(touch=Decision.ASK)))
    assert (failure.value.code, failure.value.message) == ("command_held", "a_rule: shown")
    assert sorted(path.name for path in checkout.iterdir()) == ["a.py"]
    assert len(call.double.requests) == 1
    assert call.processes() == []


async def test_a_call_that_is_stopped_gets_no_answer_which_could_be_one_more_paid_request() -> None:
    """The CLI dies a moment after it was told to; with an answer it asked the model again in that moment."""
    stopped: list[bool] = []
    hook = ToolHook(Judge(touch=Decision.ASK), lambda: stopped.append(True))
    (matcher,) = hook.matchers()["PreToolUse"]
    given: Any = {"tool_name": "Bash", "tool_input": {"command": "touch made"}}
    answer = asyncio.ensure_future(matcher.hooks[0](given, None, {"signal": None}))
    for _ in range(10):
        await asyncio.sleep(0)
    assert stopped == [True] and hook.held is not None
    assert not answer.done()
    answer.cancel()


async def test_a_judge_that_fails_blocks(checkout: Path) -> None:
    async def broken(tool: str, given: dict[str, Any]) -> Judgement:
        raise RuntimeError("no answer")

    call = Call(use("Bash", command="touch made"), {"text": "done"})
    await call.ask(fix_request(checkout, tools=TOOLS, judge=broken))
    assert not (checkout / "made").exists()


async def test_the_hooks_of_a_repository_stay_off_beside_ours(checkout: Path) -> None:
    settings = checkout / ".claude" / "settings.json"
    settings.parent.mkdir()
    hook = {"matcher": "", "hooks": [{"type": "command", "command": "touch /workspace/hooked"}]}
    settings.write_text(json.dumps({"hooks": {"PreToolUse": [hook], "SessionStart": [hook]}}))
    shutil.copy(settings, settings.with_name("settings.local.json"))
    judge = Judge()
    await Call(use("Bash", command="true"), {"text": "done"}).ask(
        fix_request(checkout, tools=TOOLS, judge=judge)
    )
    assert len(judge.asked) == 1
    assert not (checkout / "hooked").exists()
