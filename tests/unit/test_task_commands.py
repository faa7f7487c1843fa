"""Which tools a prompt task has by its type, how they are narrowed, and the command line that follows."""

from pathlib import Path

import pytest

from ai_ops.core.orchestrator.planning import Planning, plan_request
from ai_ops.core.task_commands import GIT_RULES, build_flags, command_line, powers
from ai_ops.flow.fixing import FixMode, FixRequest, Purpose
from ai_ops.flow.task import TaskType
from ai_ops.workspace.task_folders import TaskFolders
from tests.support.workshop import POLICY

READ = ("Read", "Glob", "Grep")
LIGHT, MEDIUM, HEAVY = TaskType


@pytest.mark.parametrize(
    ("kind", "tools", "rules", "writes", "egress"),
    [
        (LIGHT, READ, (), False, False),
        (MEDIUM, (*READ, "Write", "Edit", "Bash"), GIT_RULES, True, False),
        (HEAVY, (*READ, "Write", "Edit", "Bash", "WebFetch"), ("Bash", "WebFetch"), True, True),
    ],
    ids=["light", "medium", "heavy"],
)
def test_a_type_says_what_a_task_may_do(kind, tools, rules, writes, egress):
    may = powers(kind)
    assert (may.tools, may.rules, may.writes, may.egress) == (tools, rules, writes, egress)


@pytest.mark.parametrize(
    ("kind", "allowed", "tools", "rules"),
    [
        (LIGHT, ["Read", "Bash", "Write"], ("Read",), ()),
        (LIGHT, [], (), ()),
        (MEDIUM, ["Bash"], ("Bash",), GIT_RULES),
        (MEDIUM, ["Bash(git log:*)"], ("Bash",), ("Bash(git log:*)",)),
        (MEDIUM, ["Bash(rm:*)"], ("Bash",), ()),
        (MEDIUM, ["WebFetch"], (), ()),
        (HEAVY, ["Read", "Bash(make test)"], ("Read", "Bash"), ("Bash(make test)",)),
        (HEAVY, ["WebFetch(domain:packages.example)"], ("WebFetch",), ("WebFetch(domain:packages.example)",)),
        (HEAVY, ["Bash", "Bash"], ("Bash",), ("Bash",)),
        (HEAVY, ["bash", "Bash)", "Bash(a)(b)", "Task", "mcp__x__y", "--tools=Bash"], (), ()),
    ],
    ids=lambda value: str(value)[:40],
)
def test_allowed_tools_narrow_and_never_widen(kind, allowed, tools, rules):
    may = powers(kind, allowed)
    assert (may.tools, may.rules) == (tools, rules)
    assert set(may.tools) <= set(powers(kind).tools)


def test_a_heavy_task_that_was_narrowed_to_reading_cannot_write_and_reaches_nothing():
    may = powers(HEAVY, list(READ))
    assert (may.writes, may.egress) == (False, False)


def request(**changes):
    base = {"run_id": "r", "purpose": Purpose.TASK, "round": 1, "nonce": "n", "mode": FixMode.AGENTIC,
            "prompt": "p", "checkout": None, "tools": READ, "writes": False, "budget_usd": 2.0}  # fmt: skip
    return FixRequest(**{**base, **changes})


def test_rules_and_pages_have_their_flags_and_others_have_not():
    plain = build_flags(request(), ())
    assert not [flag for flag in plain if flag.startswith(("--allowedTools", "--settings="))]
    heavy = build_flags(request(tools=("WebFetch",), rules=("Bash", "WebFetch")), ())
    assert "--allowedTools=Bash,WebFetch" in heavy
    assert '--settings={"skipWebFetchPreflight":true}' in heavy


def test_the_command_line_can_be_typed_and_holds_no_prompt():
    line = command_line(request(rules=("Bash(git log:*)",), prompt="say hello"), ("--effort=high",))
    assert line.startswith("claude --print --effort=high --restricted ")
    assert "'--allowedTools=Bash(git log:*)'" in line
    assert "hello" not in line


def test_the_plan_of_a_task_is_what_is_asked_later():
    payload = {"type": "heavy_context", "budget_usd": 0.5, "timeout_seconds": 60, "pull_request": True}
    planned = plan_request(payload, POLICY, budget_usd=0.5)
    shown = Planning(POLICY, TaskFolders(()), ("packages.example",)).shown(payload)
    assert shown["command"] == command_line(planned, ())
    assert (shown["recovery"], shown["egress_allow"], shown["wall_seconds"]) == (
        "checkpoint",
        ["packages.example"],
        60,
    )
    assert (planned.pauses, planned.keep_session, planned.max_turns) == (True, True, 40)


@pytest.mark.parametrize("kind", [LIGHT, MEDIUM])
def test_only_heavy_tasks_work_in_chunks_and_reach_hosts(kind):
    planned = plan_request({"type": kind}, POLICY, budget_usd=1.0)
    assert (planned.pauses, planned.keep_session, planned.egress) == (False, False, False)
    assert (
        Planning(POLICY, TaskFolders(()), ("packages.example",)).shown({"type": kind})["egress_allow"] == []
    )


def test_a_payload_without_a_type_may_do_least():
    assert plan_request({}, POLICY, budget_usd=1.0).tools == READ


# --- folders of the server ---


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("projects/shop", "projects-of-others", "projects/data"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "projects/leads-out").symlink_to(tmp_path / "projects-of-others")
    (tmp_path / "projects/file").touch()
    return tmp_path


def test_a_folder_beneath_a_root_is_opened_where_it_really_is(place):
    folders = TaskFolders((place / "projects",))
    assert folders.open(str(place / "projects/../projects/shop")) == (place / "projects/shop").resolve()


@pytest.mark.parametrize(
    "folder",
    ["leads-out", "../projects-of-others", "..", "none", "file", "data", "data/..", "shop\0"],
)
def test_other_folders_are_refused(place, folder):
    folders = TaskFolders((place / "projects",), (place / "projects/data",))
    with pytest.raises(Exception, match="folder_not_allowed"):
        folders.open(f"{place}/projects/{folder}")


@pytest.mark.parametrize("folder", ["projects/shop", "", "~/shop"])
def test_a_folder_is_given_by_its_absolute_path(place, folder, monkeypatch):
    monkeypatch.chdir(place)
    with pytest.raises(Exception, match="folder_not_allowed"):
        TaskFolders((place / "projects",)).open(folder)


def test_without_roots_there_is_no_folder(place):
    with pytest.raises(Exception, match="no folder of its own"):
        TaskFolders(()).open(str(place / "projects/shop"))
