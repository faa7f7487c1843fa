"""Which program, which flags and which environment the Claude CLI gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ai_ops.core import task_commands
from ai_ops.errors import PermanentError
from ai_ops.flow.fixing import FixMode, FixRequest, Purpose, Session
from ai_ops.integrations import claude_cli
from ai_ops.integrations.claude_args import parse_args


def request(**changes: object) -> FixRequest:
    base = {
        "run_id": "r1",
        "purpose": Purpose.FIX,
        "round": 1,
        "nonce": "n",
        "mode": FixMode.AGENTIC,
        "prompt": "p",
        "checkout": None,
        "tools": ("Read", "Edit"),
        "writes": True,
        "budget_usd": 2.0,
    }
    return FixRequest(**{**base, **changes})  # type: ignore[arg-type]


def test_allowed_arguments_become_words_that_bind() -> None:
    text = "--model opus --effort=high --append-system-prompt '--be nice'"
    flags = parse_args(text)
    assert flags == ("--model=opus", "--effort=high", "--append-system-prompt=--be nice")


@pytest.mark.parametrize(
    "text",
    [
        "--dangerously-skip-permissions",
        "--tools Bash",
        "--settings=x.json",
        "--add-dir /",
        "--mcp-config x",
        "--permission-mode=bypassPermissions",
        "words",
        "--model",
        "--model=",
        "--model 'x",
        "--",
        "-p",
    ],
)
def test_other_arguments_are_refused(text: str) -> None:
    with pytest.raises(PermanentError) as caught:
        parse_args(text)
    assert caught.value.code == "model_bad_flag"


def test_our_flags_stand_after_the_operators() -> None:
    flags = task_commands.build_flags(request(model="opus"), ("--model=haiku",))
    assert flags.index("--model=haiku") < flags.index("--restricted") < flags.index("--model=opus")


def test_the_profile_that_confines_is_always_there() -> None:
    flags = task_commands.build_flags(request(tools=()), ())
    assert {
        "--restricted",
        "--setting-sources=",
        "--strict-mcp-config",
        "--disable-slash-commands",
        "--tools=",
        "--permission-prompts=none",
        "--no-session-persistence",
        "--max-turns=40",
    } <= set(flags)


SESSION = Session("7efbdfc3-0f23-4304-ba97-e1187a22a18d", b"")


@pytest.mark.parametrize(
    ("wanted", "flags"),
    [
        ({}, {"--no-session-persistence"}),
        ({"keep_session": True}, set()),
        ({"session": SESSION}, {f"--resume={SESSION.id}"}),
        ({"session": SESSION, "keep_session": True}, {f"--resume={SESSION.id}"}),
    ],
    ids=["neither", "to be kept", "to go on with", "both"],
)
def test_a_session_is_written_only_where_it_is_needed(wanted: dict[str, Any], flags: set[str]) -> None:
    built = task_commands.build_flags(request(**wanted), ())
    assert {flag for flag in built if "session" in flag or "resume" in flag} == flags


def test_the_operators_turns_count() -> None:
    flags = task_commands.build_flags(request(), ("--max-turns=90",))
    assert [flag for flag in flags if flag.startswith("--max-turns")] == ["--max-turns=90"]


def test_a_missing_program_is_named() -> None:
    with pytest.raises(PermanentError) as caught:
        claude_cli.locate("/nowhere/claude")
    assert caught.value.code == "model_cli_missing"


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ("2.1.247 (Claude Code)", "model_cli_outdated"),
        ("1.9.999", "model_cli_outdated"),
        ("hello", "model_cli_missing"),
        ("", "model_cli_missing"),
    ],
)
async def test_an_unfit_program_is_refused(tmp_path: Path, says: str, code: str) -> None:
    program = tmp_path / "claude"
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    with pytest.raises(PermanentError) as caught:
        await claude_cli.version(program)
    assert caught.value.code == code


async def test_the_bundled_program_is_new_enough() -> None:
    found = await claude_cli.version(claude_cli.locate())
    assert tuple(map(int, found.split("."))) >= claude_cli.LEAST_VERSION
