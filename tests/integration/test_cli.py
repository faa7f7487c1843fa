"""The command line against a real server: every command, its --json, its exit codes."""

import asyncio
import contextlib
import json
import os
import pty
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from openapi_schema_validator import OAS31Validator

from ai_ops.core.identity import run_id
from ai_ops.core.ports import NewTask
from ai_ops.flow.task import Proof, TaskState, Verdict
from tests.support.cli import AI_OPS, ROOT, ai_ops
from tests.support.local_server import LocalServer
from tests.support.running_server import running


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with LocalServer(tmp_path_factory.mktemp("cli")) as running:
        running.finish_a_repair()
        yield running


def on_a_terminal(*arguments, columns, **environment):
    """Run a command on a terminal of its own and return (exit code, what it shows)."""
    ours, theirs = pty.openpty()
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    shown = b""
    with subprocess.Popen(
        [*AI_OPS, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**env, "COLUMNS": str(columns), **environment},
    ) as command:
        os.close(theirs)
        with contextlib.suppress(OSError):  # how a terminal says that nobody writes to it any more
            while part := os.read(ours, 65536):
                shown += part
    os.close(ours)
    return command.returncode, shown.decode().replace("\r\n", "\n")


def read(server, *arguments):
    code, out, err = ai_ops(*arguments, "--json", url=server.url)
    assert code == 0, err
    return json.loads(out)


def test_help_lists_every_command():
    code, out, _ = ai_ops("--help")
    assert code == 0
    for name in ["server", "agent", "local", "demo", "doctor", "task", "issue", "trace", "pr", "config"]:
        assert f" {name} " in out


@pytest.mark.parametrize(
    ("modules", "unneeded"),
    [
        (
            "ai_ops.cli.app, ai_ops.cli.client, ai_ops.config_loading",
            "aiohttp sqlalchemy ai_ops.core.commands",
        ),
        ("ai_ops.wiring.masking, ai_ops.agent.replay", "aiohttp sqlalchemy ai_ops.wiring.adapters"),
        ("ai_ops.preflight", "aiohttp sqlalchemy ai_ops.wiring"),
        ("ai_ops.cli.importing", "aiohttp sqlalchemy ai_ops.wiring"),
    ],
    ids=["client", "replay", "config check", "import"],
)
def test_a_command_loads_what_it_needs_and_no_more(modules, unneeded):
    code = f"import sys, {modules}; sys.exit(' '.join({set(unneeded.split())} & sys.modules.keys()) or 0)"
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert (done.stderr.strip(), done.returncode) == ("", 0)


def test_version_is_told():
    code, out, _ = ai_ops("--version")
    assert (code, out.split()[0]) == (0, "ai-ops")


@pytest.mark.parametrize("command", [("task", "list"), ("trace",), ("agent",)], ids=" ".join)
def test_version_is_told_behind_any_command(command):
    code, out, _ = ai_ops(*command, "--version")
    assert (code, out) == (0, ai_ops("--version")[1])


@pytest.mark.parametrize("command", [(), ("task", "list")], ids=["all", "a command"])
def test_help_asks_for_no_value_of_a_flag(command):
    _, out, _ = ai_ops(*command, "--help")
    flags = [line for line in out.splitlines() if "--version" in line or "--json" in line]
    assert flags and not any("<bool>" in line for line in flags)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        (("task", "list", "--jsn"), "--json"),
        (("agent", "--servr-url", "x"), "--server-url"),
        (("taks",), "task"),
    ],
    ids=lambda words: words if isinstance(words, str) else words[-1],
)
def test_a_misspelt_flag_or_command_is_told_with_what_it_may_be(wrong, meant):
    code, _, err = ai_ops(*wrong)
    assert code == 2
    assert meant in err.rpartition("error" if "agent" in wrong else "Error")[2]


def test_the_agent_has_its_own_help():
    code, out, _ = ai_ops("agent", "--help")
    assert code == 0
    assert "--log-path" in out


def test_a_repair_is_seen_in_tasks_issues_traces_and_pull_requests(server):
    (task,) = read(server, "task", "list", "--kind", "repair")["items"]
    assert task["state"] == "completed"
    assert task["proof"]["verdict"] == "proved"
    assert read(server, "task", "show", task["task_id"])["task_id"] == task["task_id"]
    (issue,) = read(server, "issue", "list")["items"]
    assert issue["issue_id"] == task["issue_id"]
    assert read(server, "issue", "show", issue["issue_id"])["triage"]["triage_class"] == "code_fault"
    trace = read(server, "trace", "show", task["trace_id"])
    assert [step["name"] for step in trace["steps"]][:3] == ["checkout", "triage", "reproduce"]
    assert task["trace_id"] in {item["trace_id"] for item in read(server, "trace", "list")["items"]}
    (pull_request,) = read(server, "pr", "list")["items"]
    assert "+    if not stars:" in read(server, "pr", "show", pull_request["pull_request_id"])["diff"]


def test_the_logs_of_a_task_are_data_too(server):
    (task,) = read(server, "task", "list", "--kind", "repair")["items"]
    shown = read(server, "task", "show", task["task_id"], "--show-logs")
    assert shown.pop("trace") == read(server, "trace", "show", task["trace_id"])
    assert shown == read(server, "task", "show", task["task_id"])


def test_a_prompt_task_shows_what_it_answered_and_where_it_belongs(server):
    made = read(
        server, "task", "create", "What", "--prompt", "What is it?", "--type", "lightweight", "--follow"
    )
    code, out, _ = ai_ops("task", "show", made["task_id"], url=server.url)
    assert code == 0 and "lightweight" in out and out.endswith("\nA shop.\n")


def test_tasks_are_narrowed_by_priority(server):
    made = read(server, "task", "create", "Low", "--description", "x", "--priority", "low", "--follow")
    listed = read(server, "task", "list", "--priority", "low", "--priority", "urgent")["items"]
    assert [item["task_id"] for item in listed] == [made["task_id"]]


def test_lists_are_narrowed_by_state_and_by_issue(server):
    (task,) = read(server, "task", "list", "--kind", "repair")["items"]
    issue = task["issue_id"][:8]
    assert [each["task_id"] for each in read(server, "task", "list", "--issue", issue)["items"]] == [
        task["task_id"]
    ]
    assert read(server, "task", "list", "--issue", "00000000")["items"] == []
    for noun, other in (("issue", "ignored"), ("pr", "closed")):
        assert len(read(server, noun, "list", "--state", "open", "--state", other)["items"]) == 1
        assert read(server, noun, "list", "--state", other)["items"] == []
        assert ai_ops(noun, "list", "--state", "none", url=server.url)[0] == 2


def test_all_that_is_wrong_with_a_request_is_told_at_once(server):
    wrong = ("--budget-usd=-1", "--timeout-seconds=0")
    code, out, err = ai_ops("task", "create", "x", "--description", "y", *wrong, url=server.url)
    assert (code, out) == (2, "")
    assert err.count("budget_usd: ") == err.count("timeout_seconds: ") == 1


def test_a_repository_that_is_not_allowed_is_a_refusal(server):
    elsewhere = ("--repo-url", "https://github.com/acme/shop")
    code, _, err = ai_ops("task", "create", "x", "--description", "y", *elsewhere, url=server.url)
    assert code == 4 and "repo_not_allowed" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("task", "list"),
        ("task", "show", "TASK", "--show-logs"),
        ("issue", "list"),
        ("issue", "show", "ISSUE"),
        ("trace", "list"),
        ("trace", "show", "TRACE"),
        ("trace", "show", "TRACE", "--artifact", "fix-1-diff"),
        ("pr", "list"),
        ("pr", "show", "PR"),
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_words_for_people_say_what_happened(server, arguments):
    (task,) = read(server, "task", "list", "--kind", "repair")["items"]
    names = {"TASK": task["task_id"], "ISSUE": task["issue_id"], "TRACE": task["trace_id"]}
    names["PR"] = task["pull_request_id"]
    code, out, err = ai_ops(*(names.get(word, word) for word in arguments), url=server.url)
    assert code == 0, err
    assert out.strip()
    assert "\x1b" not in out, "NO_COLOR"


LISTS = ["task", "issue", "trace", "pr"]
IDS = {"task": "task_id", "issue": "issue_id", "trace": "trace_id", "pr": "pull_request_id"}


@pytest.mark.parametrize("noun", LISTS)
@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_a_terminal_of_any_width_shows_ids_whole(server, noun, columns):
    (item, *_) = read(server, noun, "list")["items"]
    code, shown = on_a_terminal(noun, "list", columns=columns, AI_OPS_URL=server.url, NO_COLOR="1")
    assert code == 0
    head, *rows = [line for line in shown.splitlines() if not line.startswith("(no room")]
    assert rows[0].startswith(item[IDS[noun]] + " ")
    assert len(rows) == len(read(server, noun, "list")["items"])
    assert max(map(len, [head, *rows])) <= max(columns, 60)
    assert "\x1b" not in shown


def test_colour_is_for_terminals_that_want_it(server):
    assert "\x1b[1mTASK" in on_a_terminal("task", "list", columns=80, AI_OPS_URL=server.url)[1]
    for no in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in on_a_terminal("task", "list", columns=80, AI_OPS_URL=server.url, **no)[1]


@pytest.mark.parametrize("noun", LISTS)
def test_a_pipe_gets_whole_lines_whatever_the_width_is_said_to_be(server, noun):
    items = read(server, noun, "list")["items"]
    code, out, err = ai_ops(noun, "list", url=server.url, environment={"COLUMNS": "20"})
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 1 + len(items)
    assert all(
        item[IDS[noun]] in out and (item.get("url") or item.get("pr_url") or "") in out for item in items
    )


@pytest.mark.parametrize("noun", ["task", "issue"])
def test_a_list_names_the_error_and_the_repository(server, noun):
    (issue,) = read(server, "issue", "list")["items"]
    lines = ai_ops(noun, "list", url=server.url)[1].splitlines()
    assert {"TITLE", "REPOSITORY"} <= set(lines[0].split())
    (told,) = [line for line in lines if issue["title"] in line]
    assert issue["repo_key"] in told
    narrow = on_a_terminal(noun, "list", columns=80, AI_OPS_URL=server.url, NO_COLOR="1")[1]
    assert issue["title"][:15] in narrow
    assert "repository" in narrow.rpartition("(no room for ")[2]


@pytest.mark.parametrize("noun", LISTS)
def test_the_beginning_of_an_id_is_enough(server, noun):
    whole = read(server, noun, "list")["items"][0][IDS[noun]]
    assert read(server, noun, "show", whole[:8])[IDS[noun]] == whole
    assert ai_ops(noun, "show", whole[:5], url=server.url)[0] == 2


def test_a_reader_who_has_had_enough_is_no_failure(server):
    command = f"{sys.executable} -m ai_ops config show | head -c1"
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": str(ROOT)}
    for _ in range(3):
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], env=env, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_a_task_names_its_pull_request_and_what_it_is_now(server):
    (task,) = read(server, "task", "list", "--kind", "repair")["items"]
    _, before, _ = ai_ops("task", "show", task["task_id"], url=server.url)
    assert f"{task['pull_request_id']} (open)" in before
    assert f"{server.url}/v1/pull-requests/{task['pull_request_id']}" in before
    assert "a pull request was opened" in before


def test_a_local_pull_request_is_talked_about(server):
    (pull_request,) = read(server, "pr", "list")["items"]
    known = pull_request["pull_request_id"]
    code, diff, _ = ai_ops("pr", "diff", known, url=server.url)
    assert (code, diff.rstrip("\n")) == (0, pull_request["diff"].rstrip("\n"))
    names = ("pull_request_id", "issue_id", "task_id", "base_sha", "head_sha", "diff")
    assert read(server, "pr", "diff", known) == {name: pull_request[name] for name in names}
    code, out, err = ai_ops("pr", "comment", known, "/ai-ops explain", "--author", "ann", url=server.url)
    assert (code, out) == (0, ""), err
    assert f"ai-ops pr comments {known}" in err
    deadline = time.monotonic() + 30
    while len(read(server, "pr", "comments", known)["items"]) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    code, out, _ = ai_ops("pr", "comments", known, url=server.url)
    assert (code, " ann:\n/ai-ops explain\n" in out) == (0, True)
    assert " ai-ops:\n**Proved: " in out


def test_words_on_one_that_is_left_alone_are_said_to_be_followed_in_part(server):
    (pull_request,) = read(server, "pr", "list")["items"]
    known = pull_request["pull_request_id"]

    def wait_for_held(held):
        deadline = time.monotonic() + 30
        while bool(read(server, "pr", "show", known)["held"]) is not held and time.monotonic() < deadline:
            time.sleep(0.1)

    said = ai_ops("pr", "comment", known, "/ai-ops stop", "--author", "ann", url=server.url)[2]
    assert "what begins with the prefix is answered" in said, "as it stands before these words"
    wait_for_held(True)
    said = ai_ops("pr", "comment", known, "/ai-ops resume", "--author", "ann", url=server.url)[2]
    assert "it is left to people (ann said: stop), so only `resume` and `ignore this error` are" in said
    wait_for_held(False)


def test_a_local_pull_request_is_merged_once_and_again_without_harm(server):
    (pull_request,) = read(server, "pr", "list")["items"]
    merged = read(server, "pr", "merge", pull_request["pull_request_id"])
    assert merged["state"] == "merged"
    assert read(server, "pr", "merge", pull_request["pull_request_id"])["state"] == "merged"
    assert "no reviews yet" in server.file_on_main("shop/ratings.py")
    code, out, err = ai_ops("pr", "merge", pull_request["pull_request_id"], url=server.url)
    assert (code, out) == (0, "")
    already, then = err.splitlines()
    assert already == "it is merged into main already"
    assert then.startswith("its issue stays open until builds that hold the fix have stayed quiet")
    assert f"the fix watch begins within a minute, then ai-ops issue show {pull_request['issue_id']}" in then
    said = ai_ops("pr", "comment", pull_request["pull_request_id"], "/ai-ops explain", url=server.url)
    assert said == (0, "", "written; nobody follows words here any more: it is merged\n")
    assert ai_ops("issue", "resolve", pull_request["issue_id"], url=server.url)[0] == 0
    again = ai_ops("pr", "merge", pull_request["pull_request_id"], url=server.url)
    assert again == (0, "", f"{already}\n")
    assert ai_ops("issue", "reopen", pull_request["issue_id"], url=server.url)[0] == 0
    for noun, shown in (("pr", "list"), ("task", "list")):
        assert "merged" in ai_ops(noun, shown, url=server.url)[1]
    (task,) = read(server, "task", "list", "--kind", "repair")["items"]
    told = ai_ops("task", "show", task["task_id"], url=server.url)[1]
    assert f"{task['pull_request_id']} (merged)" in told
    assert "open:" not in told


def test_a_prompt_task_is_created_and_answered(server):
    task = read(
        server, "task", "create", "Review utils", "--description", "What is here?", "--priority", "high"
    )
    assert task["state"] == "pending"
    task = read(server, "task", "show", "--follow", task["task_id"])
    assert task["state"] == "completed", task
    code, out, _ = ai_ops("trace", "show", task["trace_id"], "--artifact", "answer", url=server.url)
    assert (code, out.strip()) == (0, "A shop.")


PLAN = {
    "type": "object",
    "additionalProperties": False,
    "required": ["type", "command", "tools", "rules", "writes", "egress", "egress_allow", "recovery",
                 "budget_usd", "wall_seconds", "idle_seconds", "folder", "pull_request"],
    "properties": {
        "type": {"enum": ["lightweight", "medium_context", "heavy_context"]},
        "command": {"type": "string", "pattern": "^claude --print "},
        "tools": {"type": "array", "items": {"type": "string"}},
        "rules": {"type": "array", "items": {"type": "string"}},
        "writes": {"type": "boolean"},
        "egress": {"type": "boolean"},
        "egress_allow": {"type": "array", "items": {"type": "string"}},
        "recovery": {"enum": ["restart", "last_lines", "checkpoint"]},
        "budget_usd": {"type": "number"},
        "wall_seconds": {"type": "number"},
        "idle_seconds": {"type": "number"},
        "folder": {"type": ["string", "null"]},
        "pull_request": {"type": "boolean"},
    },
}  # fmt: skip


def test_a_dry_run_shows_the_command_line_and_creates_nothing(server):
    before = read(server, "task", "list")["items"]
    asked = ("task", "create", "Look", "--description", "What is here?", "--dry-run")
    plan = read(
        server, *asked, "--allowed-tool", "Read", "--allowed-tool", "Bash(make test)", "--budget-usd", "0.5"
    )
    OAS31Validator(PLAN).validate(plan)
    assert (plan["type"], plan["tools"], plan["rules"]) == (
        "heavy_context",
        ["Read", "Bash"],
        ["Bash(make test)"],
    )
    code, out, err = ai_ops(*asked, url=server.url)
    assert code == 0
    assert out.startswith("claude --print --restricted ")
    assert out.count("\n") == 1
    assert err.splitlines() == [
        "heavy_context; may write; cut off, it goes on by checkpoint",
        "costs at most 2.00 USD, whatever the CLI is told",
        "reaches: no host (EGRESS_ALLOW is empty)",
        "nothing was created",
    ]
    assert read(server, "task", "list")["items"] == before


@pytest.mark.parametrize(
    ("more", "code"),
    [(["--folder", "/etc"], 4), (["--pull-request"], 2), (["--budget-usd", "x"], 2)],
    ids=["folder", "no repository", "no number"],
)
def test_a_dry_run_says_what_would_be_refused(server, more, code):
    asked = ("task", "create", "Look", "--description", "?", "--dry-run")
    found, out, err = ai_ops(*asked, *more, url=server.url)
    assert (found, out) == (code, ""), err
    assert err


def test_without_a_server_a_dry_run_is_unreachable():
    assert ai_ops("task", "create", "a", "--description", "b", "--dry-run", url="http://127.0.0.1:9")[0] == 5


def test_following_shows_the_steps_and_then_the_task(server):
    told = ["Look", "--description", "What is here?", "--follow"]
    code, out, err = ai_ops("task", "create", *told, url=server.url)
    assert (code, err) == (0, "")
    task_id, *steps = out.splitlines()
    assert [line.split()[:2] for line in steps[:3]] == [["✓", "prepare"], ["✓", "work"], ["✓", "deliver"]]
    assert steps[3] == f"task:            {task_id}"
    again = ai_ops("task", "show", task_id[:8], "--follow", url=server.url)
    assert again == (0, "\n".join([*steps, ""]), "")
    shown = on_a_terminal("task", "show", task_id, "--follow", columns=80, AI_OPS_URL=server.url)[1]
    assert "… work" in shown


BLOCKED = {"state": TaskState.NEEDS_HUMAN_REVIEW, "proof": Proof(Verdict.BLOCKED)}
APPROVABLE = {
    "state": TaskState.NEEDS_HUMAN_REVIEW,
    "proof": Proof(Verdict.UNPROVED),
    "payload": {"candidate_run": "run-1"},
    "trace_id": "run-1",
}


@pytest.mark.parametrize(
    ("verb", "task", "words"),
    [
        ("cancel", {}, "the task is cancelled"),
        ("retry", {"state": TaskState.FAILED}, "run 2 waits for its turn; watch it with: ai-ops task show"),
        ("approve", APPROVABLE, "approved; run 2 publishes the change; watch it with: ai-ops task show"),
        (
            "approve",
            BLOCKED,
            "nothing is published: accepted without a change: the guard withheld it; the task",
        ),
        ("reject", BLOCKED, "rejected; nothing is published; the task is cancelled"),
    ],
    ids=["cancel", "retry", "approve", "approve what is blocked", "reject"],
)
async def test_a_verb_says_what_it_did(tmp_path, verb, task, words):
    async with running(tmp_path) as server, server.engine_off():
        created = await server.tasks.create(NewTask("prompt", None, "normal", {"prompt": "Look"}))
        if state := task.get("state"):
            await server.tasks.move(created.task.id, TaskState.PROCESSING)
            changes = {name: value for name, value in task.items() if name != "state"}
            await server.tasks.move(created.task.id, state, **changes)
        environment = {"AI_OPS_API_KEY": server.key}
        told = ["task", verb, created.task.id[:8]]
        code, out, err = await asyncio.to_thread(
            ai_ops, *told, url=server.listening.url, environment=environment
        )
    assert (code, out) == (0, "")
    assert err.startswith(words)


async def test_a_task_that_waits_is_shown_with_the_time_that_is_left_and_what_was_found(tmp_path):
    async with running(tmp_path) as server, server.engine_off():
        created = await server.tasks.create(NewTask("prompt", None, "normal", {"prompt": "Look"}))
        await server.tasks.move(created.task.id, TaskState.PROCESSING)
        until = datetime.now(UTC) + timedelta(hours=5, minutes=2.5)
        when = {"waiting_for": "model_session_limit", "waiting_until": until}
        run = run_id(created.task.id, 1)
        await server.tasks.move(created.task.id, TaskState.WAITING_UNBAN, trace_id=run, **when)
        found = {"paths": ["tests/test_a.py"], "said": {"cause": "No stars.", "summary": ""}}
        await server.trace.step_done(run, "reproduce", 1, {"reproduced": True, **found})
        environment = {"AI_OPS_API_KEY": server.key}
        told = ["task", "show", created.task.id]
        code, out, _ = await asyncio.to_thread(
            ai_ops, *told, url=server.listening.url, environment=environment
        )
    assert code == 0
    assert f"goes on:         at {until:%Y-%m-%d %H:%M:%S} UTC, in 5 h 2 min" in out
    assert "cause:           No stars." in out
    assert "reproduced by:   tests/test_a.py" in out


def test_an_artifact_that_is_not_there_is_told_with_those_that_are(server):
    (task,) = read(server, "task", "list", "--kind", "repair")["items"]
    code, _, err = ai_ops("trace", "show", task["trace_id"], "--artifact", "nope", url=server.url)
    assert (code, "the trace has " in err, "fix-1-diff" in err) == (3, True, True)
    code, _, err = ai_ops("trace", "show", "00000000", "--artifact", "nope", url=server.url)
    assert (code, "the trace has none, or is not there" in err) == (3, True)


def test_a_list_may_wait_for_a_server_that_starts():
    code, _, err = ai_ops("pr", "list", "--wait", "1", url="http://127.0.0.1:9")
    assert code == 5
    assert "ai-ops server" in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("task", "show", "no-such-task"), 3, "(task_not_found); see `ai-ops task list`"),
        (("task", "show", "abc"), 2, "An id may be shortened to 6 characters, not to 3 (id_too_short)"),
        (("pr", "show", "no-such-pr"), 3, "pull_request_not_found"),
        (("trace", "show", "no-such-trace"), 3, "trace_not_found"),
        (("issue", "show", "no-such-issue"), 3, "issue_not_found"),
        (("task", "list", "--state", "sleeping"), 2, "must be one of"),
        (("task", "create", "x", "--description", "x", "--type", "huge"), 2, "type"),
        (("task", "frobnicate"), 2, "frobnicate"),
        (("task", "list", "--limit", "0"), 2, "limit"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_a_failure_has_its_exit_code_and_says_why(server, arguments, code, words):
    seen, out, err = ai_ops(*arguments, url=server.url)
    assert seen == code, err
    assert words in err
    assert not out


def test_an_illegal_transition_is_refused_with_4(server):
    (task,) = read(server, "task", "list", "--kind", "repair")["items"]
    code, _, err = ai_ops("task", "cancel", task["task_id"], url=server.url)
    assert code == 4
    assert "illegal_transition" in err


def test_no_server_is_5_and_says_how_to_start_one():
    code, _, err = ai_ops("task", "list", url="http://127.0.0.1:9")
    assert code == 5
    assert "ai-ops server" in err


def test_the_server_to_ask_and_its_key_may_stand_in_dotenv_and_the_environment_goes_first(server, tmp_path):
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"AI_OPS_URL={server.url}\n")
    assert ai_ops("task", "list", cwd=tmp_path)[0] == 0
    code, _, err = ai_ops("task", "list", cwd=tmp_path, url="http://127.0.0.1:9")
    assert (code, "127.0.0.1:9" in err) == (5, True)
    dotenv.write_text(f"AI_OPS_URL={server.url}\nAI_OPS_API_KEY_FILE={tmp_path}/key\n")
    (tmp_path / "key").write_text("of-another-server\n")
    code, _, err = ai_ops("task", "list", cwd=tmp_path)
    assert (code, "key_unknown" in err, "AI_OPS_API_KEY" in err) == (4, True, True), "the key is shown"


def test_config_show_masks_secrets_and_names_origins(tmp_path):
    environment = {"GITHUB_TOKEN": "planted-token-value", "HTTP_PORT": "8099"}
    code, out, _ = ai_ops("config", "show", "--json", cwd=tmp_path, environment=environment)
    rows = {row["key"]: row for row in json.loads(out)["settings"]}
    assert code == 0
    assert rows["HTTP_PORT"] == {"key": "HTTP_PORT", "value": "8099", "origin": "environment"}
    assert rows["GITHUB_TOKEN"]["value"] == "***"
    assert "planted" not in out


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "table"])
def test_config_check_names_every_bad_key(tmp_path, as_json):
    environment = {"HTTP_PORT": "many", "CODE_HOST": "svn"}
    flags = ["--json"] if as_json else []
    code, out, _ = ai_ops("config", "check", *flags, cwd=tmp_path, environment=environment)
    assert code == 1
    assert "HTTP_PORT" in out
    assert "CODE_HOST" in out


CREDENTIALS = {"ANTHROPIC_API_KEY": "any", "GITHUB_TOKEN": "any"}


def test_config_check_is_content_with_defaults_and_credentials(tmp_path):
    said = ai_ops("config", "check", cwd=tmp_path, environment=CREDENTIALS)
    assert said == (0, "", "The settings are fine.\n")


@pytest.mark.parametrize("command", [("config", "check"), ("server", "--host", "0.0.0.0")], ids=" ".join)
def test_credentials_that_are_missing_are_told_before_a_repair_misses_them(tmp_path, command):
    code, out, err = ai_ops(*command, cwd=tmp_path)
    assert code == (0 if command[0] == "config" else 1), "the server goes no further than the warnings"
    for name in CREDENTIALS:
        assert (out + err).count(f"{name} (default) is not set") == 1


def test_config_check_names_what_the_server_cannot_start_on_and_how_to_mend_it(tmp_path):
    environment = {"CODE_HOST": "local", "ALLOWED_REPOS": f"{tmp_path}/nowhere", "SCRIPTED_ANSWERS": "no.yml"}
    code, out, err = ai_ops("config", "check", cwd=tmp_path, environment=environment)
    assert code == 1
    first, second = out.splitlines()
    assert first.startswith("ALLOWED_REPOS (environment) names ") and "Make the folder" in first
    assert second.startswith("SCRIPTED_ANSWERS (environment) names no.yml, which is not there. Mend")
    assert err == "2 problems: a server does not start on these settings.\n"


def test_config_check_warns_of_typos_and_leaves_other_programs_keys_alone(tmp_path):
    (tmp_path / ".env").write_text("GITHUB_TOKN=planted-token-value\nPOSTGRES_PASSWORD=planted-too\n")
    code, out, err = ai_ops("config", "check", cwd=tmp_path, environment=CREDENTIALS)
    assert code == 0
    assert out == "warning: GITHUB_TOKN (.env) is not a setting. Did you mean GITHUB_TOKEN?\n"
    assert "left alone: POSTGRES_PASSWORD." in err
    assert "fine, with 1 warning." in err
    code, out, _ = ai_ops("config", "check", "--json", cwd=tmp_path, environment=CREDENTIALS)
    told = json.loads(out)
    assert (code, told["ok"], told["problems"]) == (0, True, [])
    assert [warning["key"] for warning in told["warnings"]] == ["GITHUB_TOKN", "POSTGRES_PASSWORD"]
    assert "planted" not in out


def test_config_check_warns_of_a_receiver_whose_mail_only_becomes_a_file(tmp_path):
    environment = CREDENTIALS | {"RECEIVER_EMAIL": "a@b.example"}
    code, out, err = ai_ops("config", "check", cwd=tmp_path, environment=environment)
    assert code == 0
    assert out.startswith(
        "warning: RECEIVER_EMAIL (environment) gets no mail: without SMTP_SERVER it is only"
    )
    assert "fine, with 1 warning." in err


@pytest.mark.parametrize("command", ["server", "local"])
@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"SCRIPTED_ANSWERS": "no.yml"}, "which is not there"),
        ({"CODE_HOST": "local", "ALLOWED_REPOS": "/no/such"}, "names /no/such, which is no folder"),
    ],
    ids=["script", "folder"],
)
def test_nothing_starts_on_what_config_check_names(tmp_path, command, environment, words):
    code, out, err = ai_ops(command, cwd=tmp_path, environment=environment)
    assert (code, out) == (2, "")
    assert words in err
    assert not (tmp_path / "data").exists(), "refused before anything is made"


@pytest.mark.parametrize("name", [".env", "ai-ops.toml"])
def test_the_agent_warns_once_of_settings_without_effect(tmp_path, name):
    (tmp_path / name).write_text('agent_repo_ur = "x"\n')
    (tmp_path / "a.log").touch()
    arguments = ["--log-path", "a.log", "--repo-url", "https://github.com/acme/shop", "--once"]
    code, _, err = ai_ops("agent", *arguments, cwd=tmp_path)
    assert code == 0, err
    assert err.count(f"agent_repo_ur ({name}) is not a setting. Did you mean agent_repo_url?") == 1


@pytest.mark.parametrize("command", ["agent", "server", "config check", "task list"])
def test_a_file_of_settings_that_is_no_text_is_named(tmp_path, command):
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    code, out, err = ai_ops(*command.split(), cwd=tmp_path)
    assert code in (1, 2)
    assert "it is not UTF-8 text" in out + err and "Traceback" not in err


def test_the_server_warns_once_of_settings_without_effect(tmp_path):
    (tmp_path / ".env").write_text("GITHUB_TOKN=planted-token-value\nPOSTGRES_PASSWORD=planted-too\n")
    code, _, err = ai_ops("server", "--host", "0.0.0.0", cwd=tmp_path)
    assert code == 1, "it goes no further than the warning"
    assert err.count("GITHUB_TOKN (.env) is not a setting. Did you mean GITHUB_TOKEN?") == 1
    assert "POSTGRES" not in err and "planted" not in err


BAD_ELSEWHERE = {
    "SMTP_PASSWORD_FILE": "/no/such",
    "MAX_ROUNDS": "many",
    "CODE_HOST": "local",
    "SCRIPTED_ANSWERS": "no.yml",
}


def test_a_client_asks_for_nothing_but_the_server_and_its_key(server, tmp_path):
    port = server.url.rsplit(":", 1)[1]
    for environment in ({"HTTP_PORT": port}, {"AI_OPS_URL": server.url, "HTTP_PORT": "many"}):
        code, _, err = ai_ops("task", "list", cwd=tmp_path, environment=BAD_ELSEWHERE | environment)
        assert code == 0, err


def test_a_client_reads_its_address_from_the_env_file_too(server, tmp_path):
    (tmp_path / ".env").write_text(f"AI_OPS_URL={server.url}\nAI_OPS_API_KEY=any\nSERVER_API_KEY_FILE=/no\n")
    code, _, err = ai_ops("task", "list", cwd=tmp_path)
    assert (code, "key_unknown" in err) == (4, True), "the server was reached, with that key"


def test_a_bad_key_file_that_a_client_needs_is_named(server, tmp_path):
    environment = {"AI_OPS_URL": server.url, "SERVER_API_KEY_FILE": "/no/such"}
    code, _, err = ai_ops("task", "list", cwd=tmp_path, environment=environment)
    assert code == 2
    assert "SERVER_API_KEY_FILE (environment) names /no/such, which cannot be read" in err


def findings(tmp_path, **environment):
    """Return the doctor's exit code and its findings by name."""
    code, out, err = ai_ops("doctor", "--json", cwd=tmp_path, environment=environment)
    assert "Traceback" not in err, err
    return code, {finding["check"]: finding for finding in json.loads(out)["findings"]}


def test_doctor_names_each_check_and_how_to_mend_it(tmp_path):
    code, found = findings(tmp_path)
    assert code == 1, "no credential and no token are failures"
    for name in ("git", "sandbox", "claude", "database", "disk"):
        assert found[name]["state"] == "ok"
    assert "ANTHROPIC_API_KEY" in found["claude credential"]["mend"]
    assert "GITHUB_TOKEN" in found["code host github"]["mend"]


def test_doctor_says_of_each_sandbox_why_it_cannot_be_chosen(tmp_path):
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for program in ("podman", "bwrap"):
        (bin_folder / program).write_text("#!/bin/sh\necho no user namespaces >&2; exit 1\n")
        (bin_folder / program).chmod(0o755)
    path = f"{bin_folder}:{os.environ['PATH']}"
    _, found = findings(tmp_path, SANDBOX="auto", PATH=path, DOCKER_HOST="unix:///no/such/docker.sock")
    assert found["sandbox"]["state"] == "failed"
    assert "bubblewrap: it could not set up the sandbox: no user namespaces" in found["sandbox"]["seen"]
    assert "podman: " in found["sandbox"]["seen"]
    assert "docker: " in found["sandbox"]["seen"]


def test_doctor_asks_for_no_claude_credential_where_answers_are_scripted(tmp_path):
    (tmp_path / "answers.json").write_text('{"fix": [{"answer": "x"}]}')
    environment = {"CODE_HOST": "local", "ALLOWED_REPOS": str(tmp_path), "SCRIPTED_ANSWERS": "answers.json"}
    code, found = findings(tmp_path, **environment)
    assert code == 0
    assert found["claude credential"]["state"] == "ok"
    assert found["claude"]["seen"] == "scripted answers: answers.json"


def test_doctor_names_bad_settings_and_says_nothing_that_rests_on_them(tmp_path):
    bad = {
        "SCRIPTED_ANSWERS": "no.yml",
        "GITLAB_BASE_URL": "https://gl.example/api/v4",
        "DATA_DIR": "/dev/null/x",
    }
    code, found = findings(tmp_path, CODE_HOST="gitlab", **bad)
    assert code == 1
    assert [found[f"{name} (environment)"]["state"] for name in bad] == ["failed"] * 3
    assert not found.keys() & {"claude", "code host gitlab", "database", "disk"}
    assert found["git"]["state"] == "ok"


def test_doctor_misses_the_token_of_the_host_that_is_used(tmp_path):
    code, found = findings(tmp_path, CODE_HOST="gitlab")
    assert code == 1
    assert found["code host gitlab"]["state"] == "failed"
    assert "GITLAB_TOKEN" in found["code host gitlab"]["mend"]


def test_doctor_warns_of_what_config_check_warns_of_and_of_each_thing_once(tmp_path):
    table = '[[webhook]]\nname = "ops"\nurl = "http://127.0.0.1:9/"\n'
    (tmp_path / "ai-ops.toml").write_text(f'{table}secret = "a-secret-of-32-characters-or-more"\n')
    _, found = findings(tmp_path, RECEIVER_EMAIL="a@b.example")
    hook = found["[[webhook]] ops (ai-ops.toml)"]
    assert hook["state"] == "warning" and "nothing is sent there" in hook["seen"]
    once = {"RECEIVER_EMAIL", "ANTHROPIC_API_KEY", "GITHUB_TOKEN"}
    assert not once & {name.partition(" ")[0] for name in found}, "these have checks of their own"


def test_doctor_looks_at_nothing_while_settings_cannot_be_read(tmp_path):
    code, found = findings(tmp_path, HTTP_PORT="many")
    assert (code, list(found)) == (1, ["HTTP_PORT (environment)", "the rest"])


def test_doctor_names_a_check_that_the_system_refuses(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ai_ops.db").mkdir()
    code, found = findings(tmp_path)
    assert (code, found["database"]["state"]) == (1, "failed")


def test_doctor_never_tells_a_credential(tmp_path):
    environment = {
        "ANTHROPIC_API_KEY": "planted-anthropic-key",
        "CODE_HOST": "local",
        "ALLOWED_REPOS": str(tmp_path),
    }
    code, out, err = ai_ops("doctor", cwd=tmp_path, environment=environment)
    assert code == 0, out
    assert "planted" not in out + err


def test_a_server_beyond_loopback_without_a_key_refuses_and_says_why(tmp_path):
    code, _, err = ai_ops("server", "--host", "0.0.0.0", "--port", "0", cwd=tmp_path)
    assert code == 1
    assert "SERVER_API_KEY" in err


def test_a_second_server_on_the_same_data_refuses(server):
    code, _, err = ai_ops("server", "--port", "0", cwd=server.folder, environment=server.environment)
    assert code == 1
    assert "data" in err.lower()


def test_a_taken_port_is_said(server, tmp_path):
    port = server.url.rsplit(":", 1)[1]
    code, _, err = ai_ops("server", "--port", port, cwd=tmp_path)
    assert code == 1
    assert "HTTP_PORT" in err
