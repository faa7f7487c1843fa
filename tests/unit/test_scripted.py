"""The deterministic fixer: one script for both modes, and writes that stay in the checkout."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ai_ops.core import code_blocks
from ai_ops.core.model_failures import CODES
from ai_ops.core.prompts import parse_triage
from ai_ops.errors import AiOpsError, PermanentError, TemporaryError
from ai_ops.flow.edits import EditOp
from ai_ops.flow.fixing import FixAnswer, FixMode, FixRequest, Purpose
from ai_ops.flow.run import Usage
from ai_ops.integrations.scripted import ScriptedFixer

SCRIPT = {
    "fix": [
        {
            "files": {"src/a.py": "x = 2\n", "b.txt": "no end", "old.py": None},
            "answer": "I looked.",
            "cause": "x was 1",
            "summary": "x is 2",
            "usage": {"input_tokens": 5, "output_tokens": 6, "cost_usd": 0.5},
        },
        {"raw": 'again <search id="{nonce}"> {other}'},
    ],
    "triage": [{"failure": "model_overloaded"}],
}


class Seen(list[tuple[str, dict[str, Any]]]):
    async def __call__(self, kind: str, data: dict[str, Any]) -> None:
        self.append((kind, data))


async def ask(
    script: Any, checkout: Path | None = None, *, seen: Seen | None = None, **changes: Any
) -> FixAnswer:
    mode = FixMode.AGENTIC if checkout else FixMode.CODE_BLOCKS
    base = {
        "purpose": Purpose.FIX,
        "round": 1,
        "nonce": "NONCE",
        "mode": mode,
        "writes": checkout is not None,
    }
    request = FixRequest(
        run_id="r", prompt="", checkout=checkout, tools=(), budget_usd=1.0, **{**base, **changes}
    )
    return await ScriptedFixer(script).ask(request, Seen() if seen is None else seen)


async def test_agentic_mode_writes_the_files(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text("old")
    seen = Seen()
    answer = await ask(SCRIPT, tmp_path, seen=seen)
    assert (tmp_path / "src/a.py").read_text() == "x = 2\n"
    assert (tmp_path / "b.txt").read_text() == "no end"
    assert not (tmp_path / "old.py").exists()
    assert answer.text == "I looked.\n<cause>x was 1</cause>\n<summary>x is 2</summary>"
    assert answer.usage == Usage(5, 6, 0.5)
    assert [kind for kind, _ in seen] == ["tool_use", "tool_result"] * 3 + ["text"]


async def test_code_blocks_mode_answers_with_the_same_files() -> None:
    answer = await ask(SCRIPT)
    blocks = code_blocks.parse(answer.text, "NONCE")
    assert not isinstance(blocks, code_blocks.Refused)
    read = {block.path: (block.op, block.content, block.final_newline) for block in blocks}
    assert (
        read
        == {
            "src/a.py": (EditOp.WRITE, "x = 2", True),
            "b.txt": (EditOp.WRITE, "no end", False),
            "old.py": (EditOp.DELETE, "", True),
        }
        or read["src/a.py"][1] == "x = 2\n"
    )
    assert answer.text.endswith("<summary>x is 2</summary>")


@pytest.mark.parametrize("round", [2, 3, 9])
async def test_the_last_entry_repeats_and_raw_gets_the_nonce(round: int) -> None:
    answer = await ask(SCRIPT, round=round)
    assert answer.text == 'again <search id="NONCE"> {other}'


async def test_a_failure_is_raised_as_the_model_would_fail() -> None:
    with pytest.raises(TemporaryError) as caught:
        await ask(SCRIPT, purpose=Purpose.TRIAGE)
    assert caught.value.code == "model_overloaded"
    assert "model_overloaded" in CODES


async def test_a_purpose_without_an_entry_is_named() -> None:
    with pytest.raises(PermanentError) as caught:
        await ask(SCRIPT, purpose=Purpose.EXPLAIN)
    assert caught.value.code == "script_silent"
    assert "entry explain" in caught.value.next_step


@pytest.mark.parametrize(
    "path",
    [
        "../out.txt",
        "/etc/out.txt",
        "link/out.txt",
        "file-link",
        ".git/config",
        "sub/../../out.txt",
        "",
        "pipe",
    ],
)
async def test_a_write_outside_the_checkout_fails_and_the_rest_goes_on(tmp_path: Path, path: str) -> None:
    checkout, outside = tmp_path / "checkout", tmp_path / "outside"
    for folder in (checkout / ".git", outside):
        folder.mkdir(parents=True)
    (checkout / ".git/config").write_text("as it was")
    (outside / "target").write_text("as it was")
    (checkout / "link").symlink_to(outside)
    (checkout / "file-link").symlink_to(outside / "target")
    os.mkfifo(checkout / "pipe")
    seen = Seen()
    await ask({"fix": [{"files": {path: "bad", "good.txt": "good"}}]}, checkout, seen=seen)
    assert [data["is_error"] for kind, data in seen if kind == "tool_result"] == [True, False]
    assert (checkout / "good.txt").read_text() == "good"
    assert (checkout / ".git/config").read_text() == (outside / "target").read_text() == "as it was"
    assert sorted(place.name for place in tmp_path.iterdir()) == ["checkout", "outside"]
    assert [place.name for place in outside.iterdir()] == ["target"]


async def test_the_workspace_of_the_sandbox_is_the_checkout(tmp_path: Path) -> None:
    await ask({"fix": [{"files": {"/workspace/a.py": "1"}}]}, tmp_path)
    assert (tmp_path / "a.py").read_text() == "1"


async def test_a_read_only_checkout_stays_as_it_is(tmp_path: Path) -> None:
    seen = Seen()
    await ask({"fix": [{"files": {"a.py": "1"}}]}, tmp_path, seen=seen, writes=False)
    assert seen[1][1]["is_error"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["json", "yaml"])
async def test_a_script_is_read_from_a_file(tmp_path: Path, suffix: str) -> None:
    script = tmp_path / f"script.{suffix}"
    script.write_text(json.dumps({"fix": [{"answer": "grüße 🙂"}]}, ensure_ascii=suffix == "json"))
    assert (await ask(script)).text == "grüße 🙂"


async def test_a_script_that_changed_answers_anew_and_a_broken_one_is_named(tmp_path: Path) -> None:
    script = tmp_path / "script.yml"
    script.write_text("fix: [{answer: first}]")
    fixer = ScriptedFixer(script)
    request = FixRequest("r", Purpose.FIX, 1, "n", FixMode.CODE_BLOCKS, "", None, (), False, 1.0)
    assert (await fixer.ask(request, Seen())).text == "first"
    script.write_text("fix: [{answer: other}]")
    assert (await fixer.ask(request, Seen())).text == "other"
    script.write_text("fix: other")
    with pytest.raises(PermanentError, match="script_invalid"):
        await fixer.ask(request, Seen())


@pytest.mark.parametrize(
    "script",
    [[], {"fix": {}}, {"fix": ["x"]}, {"fix": [{"flies": {}}]}],
    ids=["list", "table", "text", "key"],
)
def test_a_bad_script_is_refused(script: Any) -> None:
    with pytest.raises(AiOpsError) as caught:
        ScriptedFixer(script)
    assert caught.value.code == "script_invalid"


async def test_a_script_without_triage_has_no_opinion() -> None:
    answer = await ask({"fix": []}, purpose=Purpose.TRIAGE)
    assert answer.text
    assert parse_triage(answer.text, "NONCE") is None
