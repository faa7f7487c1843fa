"""Asking Claude through the real CLI: both modes, what is sent, and what comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ai_ops.core.ports import Sandbox
from ai_ops.flow.fixing import FixMode
from ai_ops.workspace.sandbox import BubblewrapSandbox, OffSandbox
from tests.support.claude_calls import FIRST_LINE, KEY, Call, fix_request, use


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git/HEAD").write_text("ref: refs/heads/main\n")
    (folder / "a.py").write_text("x = 1\n")
    return folder


def sent(call: Call) -> str:
    return str([request.body for request in call.double.requests])


@pytest.mark.parametrize("sandbox", [BubblewrapSandbox(), OffSandbox()], ids=["bwrap", "off"])
async def test_claude_edits_the_checkout(checkout: Path, sandbox: Sandbox) -> None:
    call = Call(
        {"text": "I read it.", **use("Read", file_path="a.py")},
        use("Edit", file_path="a.py", old_string="x = 1", new_string="x = 2"),
        use("Write", file_path="test_a.py", content="from a import x\n"),
        {"text": "<cause>x was 1</cause>\n<summary>{nonce}</summary>"},
        sandbox=sandbox,
    )
    answer = await call.ask(fix_request(checkout))
    assert (checkout / "a.py").read_text() == "x = 2\n"
    assert (checkout / "test_a.py").read_text() == "from a import x\n"
    assert answer.text == "I read it.\n<cause>x was 1</cause>\n<summary>NONCE</summary>"
    assert answer.turns == 4
    assert answer.session_id
    assert answer.model.startswith("claude-")
    counted = sum(request.body["max_tokens"] > 0 for request in call.double.requests)
    assert counted == 4
    assert answer.usage.cost_usd > 0
    kinds = [kind for kind, _ in call.seen]
    assert kinds == [
        "text",
        "tool_use",
        "tool_result",
        "tool_use",
        "tool_result",
        "tool_use",
        "tool_result",
        "text",
    ]


async def test_code_blocks_mode_asks_once_and_without_tools() -> None:
    block = '<code_block path="a.py" op="write" id="{nonce}">\nx = 2\n</code_block id="{nonce}">'
    call = Call({"text": f'{block}\n<end_of_answer blocks="1"/>'})
    answer = await call.ask(fix_request(None))
    assert answer.text == f'{block}\n<end_of_answer blocks="1"/>'.replace("{nonce}", "NONCE")
    assert [request.body.get("tools") or [] for request in call.double.requests] == [[]]


async def test_the_real_key_goes_to_the_api_and_nowhere_else(checkout: Path) -> None:
    call = Call({"text": "done"})
    answer = await call.ask(fix_request(checkout))
    assert [request.headers["x-api-key"] for request in call.double.requests] == [KEY]
    assert KEY not in f"{answer} {call.seen} {sent(call)}"


async def test_a_read_only_checkout_is_not_written(checkout: Path) -> None:
    write = use("Write", file_path="/workspace/b.py", content="1")
    call = Call(write, {"text": "I could not."})
    await call.ask(fix_request(checkout, writes=False, mode=FixMode.AGENTIC))
    assert not (checkout / "b.py").exists()
    assert [data["is_error"] for kind, data in call.seen if kind == "tool_result"] == [True]


@pytest.mark.parametrize(
    "path",
    [
        "/workspace/.git/config",
        "/workspace/.git/hooks/pre-commit",
        "/workspace/link/x",
        "/tmp/x",
        "/home/ai-ops/x",
    ],
)
async def test_writes_outside_the_working_tree_fail(checkout: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "outside").mkdir()
    (checkout / "link").symlink_to(tmp_path / "outside")
    call = Call(
        use("Write", file_path=path, content="bad"),
        use("Write", file_path="/workspace/good.py", content="good"),
        {"text": "done"},
    )
    await call.ask(fix_request(checkout))
    assert [data["is_error"] for kind, data in call.seen if kind == "tool_result"] == [True, False]
    assert not list((tmp_path / "outside").iterdir())
    assert [place.name for place in (checkout / ".git").iterdir()] == ["HEAD"]


async def test_reads_outside_the_working_tree_fail(checkout: Path) -> None:
    call = Call(
        use("Read", file_path="/etc/passwd"), use("Read", file_path="/proc/self/environ"), {"text": "done"}
    )
    await call.ask(fix_request(checkout))
    assert [data["is_error"] for kind, data in call.seen if kind == "tool_result"] == [True, True]


@pytest.mark.parametrize(
    "words",
    [
        "@/workspace/a.py and @a.py",
        "/help",
        "\0NUL\0",
        "--dangerously-skip-permissions",
        "$(id) `id` {token}",
    ],
)
async def test_the_prompt_is_sent_as_it_is(checkout: Path, words: str) -> None:
    (checkout / "a.py").write_text("inlined = 'by a mention'\n")
    call = Call({"text": "done"})
    await call.ask(fix_request(checkout, prompt=f"{words}\n{FIRST_LINE}\n{words}", tools=()))
    texts = [part["text"] for part in call.double.requests[0].body["messages"][0]["content"]]
    clean = words.replace("\0", "")
    assert f"{clean}\n{FIRST_LINE}\n{clean}" in texts
    assert "by a mention" not in sent(call)


async def test_a_prompt_and_an_answer_may_be_large() -> None:
    call = Call({"text": "é" * 3_000_000, "usage": {"output_tokens": 9}})
    answer = await call.ask(fix_request(None, prompt=f"{FIRST_LINE}\n{'ü' * 300_000}", budget_usd=50.0))
    assert answer.text == "é" * 3_000_000
    assert "ü" * 300_000 in sent(call)
    assert len(str(call.seen)) < 10_000


@pytest.mark.parametrize(
    ("turns", "text"),
    [
        (
            [{"text": '<code_block path="a', "stop_reason": "max_tokens"}, {"text": '.py">'}, {"text": "no"}],
            '<code_block path="a.py">',
        ),
        ([{"drop": "middle", "times": 1, "text": "whole"}], "whole"),
        ([{"stream_error": "overloaded_error", "times": 1, "text": "whole"}], "whole"),
    ],
    ids=["goes on after the output limit", "is cut and asked again", "fails inside the stream"],
)
async def test_an_answer_is_put_together_when_a_call(turns: list[dict[str, Any]], text: str) -> None:
    call = Call(*turns, retries=2)
    assert (await call.ask(fix_request(None))).text == text


async def test_operators_arguments_reach_the_cli() -> None:
    call = Call({"text": "done"}, args="--model claude-haiku-4-5 --append-system-prompt 'Mind the gap.'")
    await call.ask(fix_request(None))
    assert call.double.requests[0].body["model"].startswith("claude-haiku-4-5")
    assert "Mind the gap." in sent(call)


@pytest.mark.parametrize(
    ("own", "asked", "used"),
    [
        ("claude-haiku-4-5", "", "claude-haiku-4-5"),
        ("claude-haiku-4-5", "claude-opus-4-5", "claude-opus-4-5"),
    ],
)
async def test_the_requests_model_comes_before_the_servers(own: str, asked: str, used: str) -> None:
    call = Call({"text": "done"}, model=own)
    await call.ask(fix_request(None, model=asked))
    assert call.double.requests[0].body["model"].startswith(used)


async def test_a_model_that_is_slow_but_alive_is_waited_for() -> None:
    call = Call({"text": "done", "pings": 40})  # 8 s; a busy machine takes a while to start the CLI
    assert (await call.ask(fix_request(None, idle_seconds=6.0))).text == "done"
