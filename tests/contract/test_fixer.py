"""What every Fixer does, whoever answers: the scripted one, and Claude's real CLI on a recorded model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ai_ops.core import code_blocks
from ai_ops.core.ports import Fixer
from ai_ops.errors import AiOpsError, TemporaryError
from ai_ops.flow.fixing import FixAnswer, FixMode, FixRequest
from ai_ops.integrations.claude import ClaudeFixer
from ai_ops.integrations.claude_gateway import ClaudeGateway
from ai_ops.integrations.scripted import ScriptedFixer
from ai_ops.workspace.sandbox import BubblewrapSandbox
from tests.support.claude_calls import a_ledger, fix_request, use
from tests.support.messages_double import MessagesDouble, conversation

Answer = Mapping[str, Any]
Ask = Callable[[Answer, FixRequest], Awaitable[tuple[FixAnswer, list[tuple[str, dict[str, Any]]]]]]

BLOCK = '<code_block path="a.py" op="write" id="{nonce}">\nx = 2\n</code_block id="{nonce}">'
WORDS = "<cause>x was 1</cause>\n<summary>x is 2</summary>"


def turns(answer: Answer) -> list[dict[str, Any]]:
    """Say as a model what the script says."""
    if answer.get("failure") == "model_overloaded":
        return [{"error": {"status": 529, "type": "overloaded_error"}}]
    writes = [
        use("Write", file_path=f"/workspace/{p}", content=c) for p, c in answer.get("files", {}).items()
    ]
    return [*writes, {"text": answer.get("raw", answer.get("answer", ""))}]


@pytest.fixture(params=["scripted", "claude"])
def ask(request: pytest.FixtureRequest) -> Ask:
    async def asked(answer: Answer, wanted: FixRequest) -> tuple[FixAnswer, list[tuple[str, dict[str, Any]]]]:
        seen: list[tuple[str, dict[str, Any]]] = []

        async def watch(kind: str, data: dict[str, Any]) -> None:
            seen.append((kind, data))

        async with MessagesDouble(conversation("fix", *turns(answer))) as double:
            fixer: Fixer = ScriptedFixer({"fix": [dict(answer)]})
            if request.param == "claude":
                gateway = ClaudeGateway(double.url, None, a_ledger())
                fixer = ClaudeFixer(gateway, BubblewrapSandbox(), retries=0)
            return await fixer.ask(wanted, watch), seen

    return asked


async def test_agentic_mode_edits_the_checkout(ask: Ask, tmp_path: Path) -> None:
    answer, seen = await ask({"files": {"sub/a.py": "x = 2\n"}, "answer": WORDS}, fix_request(tmp_path))
    assert (tmp_path / "sub/a.py").read_text() == "x = 2\n"
    assert answer.text == WORDS
    assert [kind for kind, _ in seen] == ["tool_use", "tool_result", "text"]
    assert seen[0][1]["name"] == "Write"
    assert seen[1][1]["is_error"] is False


async def test_code_blocks_mode_answers_in_the_requests_own_blocks(ask: Ask) -> None:
    raw = f'{BLOCK}\n<end_of_answer blocks="1"/>'
    answer, seen = await ask({"raw": raw}, fix_request(None))
    blocks = code_blocks.parse(answer.text, "NONCE")
    assert not isinstance(blocks, code_blocks.Refused)
    assert [(block.path, block.content) for block in blocks] == [("a.py", "x = 2")]
    assert [kind for kind, _ in seen] == ["text"]


async def test_a_read_only_checkout_stays_as_it_is(ask: Ask, tmp_path: Path) -> None:
    wanted = fix_request(tmp_path, writes=False, mode=FixMode.AGENTIC)
    _, seen = await ask({"files": {"a.py": "1"}, "answer": WORDS}, wanted)
    assert list(tmp_path.iterdir()) == []
    assert [data["is_error"] for kind, data in seen if kind == "tool_result"] == [True]


@pytest.mark.parametrize("path", ["../out", "/etc/ai-ops-out", ".git/config"])
async def test_a_write_outside_the_checkout_has_no_effect(ask: Ask, tmp_path: Path, path: str) -> None:
    checkout = tmp_path / "checkout"
    (checkout / ".git").mkdir(parents=True)
    files = {path: "bad", "good.py": "good"}
    await ask({"files": files, "answer": WORDS}, fix_request(checkout))
    assert (checkout / "good.py").exists()
    assert not (tmp_path / "out").exists()
    assert not Path("/etc/ai-ops-out").exists()
    assert list((checkout / ".git").iterdir()) == []


async def test_a_failure_has_its_code_and_its_family(ask: Ask) -> None:
    with pytest.raises(AiOpsError) as caught:
        await ask({"failure": "model_overloaded"}, fix_request(None))
    assert isinstance(caught.value, TemporaryError)
    assert caught.value.code == "model_overloaded"
