"""``ai-ops schedule`` against a real server, and what it makes of other tools' files."""

import json

import pytest

from ai_ops.cli.client import ApiClient
from tests.support.cli import ai_ops
from tests.support.local_server import LocalServer

SCHEDULED = {
    "tasks": [
        {"id": "nightly", "name": "Nightly look", "cron": "0 3 * * *", "prompt": "Look", "enabled": True},
        {"id": 7, "cron": "@weekly", "prompt": "Tidy", "workspace": "", "enabled": False},
    ]
}
QUEUE = {
    "list": [
        {
            "id": "q1",
            "prompt": "Summarise",
            "timeout": 90_000,
            "autoApprove": True,
            "allowedTools": ["Read", "Grep"],
            "scheduled": True,
            "scheduledId": "nightly",
        }
    ]
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with LocalServer(tmp_path_factory.mktemp("schedules")) as running:
        yield running


def schedule(server, *arguments):
    return ai_ops("schedule", *arguments, url=server.url)


def as_json(server, *arguments, code=0):
    got, out, err = schedule(server, *arguments, "--json")
    assert got == code, err
    return json.loads(out)


def test_a_schedule_lives_from_create_to_delete(server):
    made = as_json(
        server, "create", "Daily look", "0 4 * * *", "--prompt", "Look", "--timezone", "Asia/Shanghai"
    )
    short = made["schedule_id"][:8]
    code, out, _ = schedule(server, "list")
    assert code == 0 and "Daily look" in out and "At 04:00 every day (Asia/Shanghai)" in out
    assert as_json(server, "edit", short, "--cron", "@hourly", "--overlap", "queue")["overlap"] == "queue"
    assert as_json(server, "disable", short)["next_run"] is None
    assert as_json(server, "enable", short)["next_run"]
    task = as_json(server, "run", short)["task_id"]
    code, out, err = schedule(server, "run", short, "--follow")
    assert code == 0 and "completed" in out, err
    code, out, _ = schedule(server, "show", short)
    assert code == 0 and task in out and "a person asked" in out
    assert schedule(server, "delete", short)[0] == 0
    assert schedule(server, "show", made["schedule_id"])[0] == 3


def test_a_schedule_has_all_that_a_task_has_and_what_is_not_edited_stays(server):
    made = as_json(
        server, "create", "Weekly", "@weekly", "--prompt", "Look", "--type", "medium_context",
        "--repo-url", str(server.remote), "--allowed-tool", "Read", "--allowed-tool", "Edit",
        "--budget-usd", "0.5", "--timeout-seconds", "600", "--pull-request",
    )  # fmt: skip
    changed = as_json(server, "edit", made["schedule_id"], "--prompt", "Look again", "--budget-usd", "0.7")
    wanted = {**made["task"], "prompt": "Look again", "budget_usd": 0.7}
    assert changed["task"] == wanted
    assert (wanted["allowed_tools"], wanted["timeout_seconds"]) == (["Read", "Edit"], 600)
    assert (wanted["pull_request"], wanted["type"]) == (True, "medium_context")
    assert schedule(server, "edit", made["schedule_id"])[0] == 2
    code, out, _ = schedule(server, "show", made["schedule_id"])
    assert code == 0 and "Read, Edit" in out and "0.70 USD" in out


def test_an_edit_gives_no_tools_to_a_task_that_may_use_none(server):
    task = {"prompt": "Think", "name": "Think", "allowed_tools": []}
    body = {"name": "Thinking", "cron": "@weekly", "timezone": "UTC", "task": task}
    made = ApiClient(server.url, "").post("/v1/schedules", body)
    changed = as_json(server, "edit", made["schedule_id"], "--prompt", "Think again")
    assert changed["task"] == {**made["task"], "prompt": "Think again"}
    assert changed["task"]["allowed_tools"] == []


def test_a_wrong_expression_is_a_usage_error_with_an_example(server):
    for arguments in (["preview", "61 * * * *"], ["create", "x", "61 * * * *", "--prompt", "y"]):
        code, out, err = schedule(server, *arguments)
        assert (code, out) == (2, "") and "cron" in err and "30 3 * * mon-fri" in err


def test_a_preview_needs_no_server():
    code, out, _ = ai_ops(
        "schedule", "preview", "30 3 * * 1", "--count", "2", "--json", url="http://127.0.0.1:9"
    )
    told = json.loads(out)
    assert code == 0 and told["words"] == "At 03:30 on Monday (UTC)" and len(told["next_runs"]) == 2


def test_the_files_of_another_tool_are_imported_once(server, tmp_path):
    scheduled, queue = tmp_path / "scheduled.json", tmp_path / "queue.json"
    scheduled.write_text(json.dumps(SCHEDULED))
    queue.write_text(json.dumps(QUEUE))
    before = as_json(server, "list")["items"]
    dry = as_json(server, "import", str(scheduled), "--dry-run")["items"]
    assert [each["outcome"] for each in dry] == ["would be made"] * 2
    assert as_json(server, "list")["items"] == before
    first = as_json(server, "import", str(scheduled))["items"]
    again = as_json(server, "import", str(scheduled))["items"]
    assert [each["outcome"] for each in first] == ["made"] * 2
    assert [(each["outcome"], each["id"]) for each in again] == [("was there", one["id"]) for one in first]
    shown = as_json(server, "show", first[1]["id"])
    assert (shown["enabled"], shown["cron"], shown["external_id"]) == (False, "0 0 * * 0", "7")
    (made,) = as_json(server, "import", str(queue))["items"]
    (known,) = as_json(server, "import", str(queue))["items"]
    assert (made["kind"], made["outcome"], known["outcome"]) == ("task", "made", "was there")
    code, out, _ = ai_ops("task", "show", made["id"], "--json", url=server.url)
    assert code == 0 and json.loads(out)["name"] == "q1"


def test_an_import_that_is_refused_whole_says_so_and_a_dry_run_promises_nothing(server, tmp_path):
    foreign = {"id": "f", "cron": "@daily", "prompt": "p", "workspace": "https://elsewhere.example/a/b"}
    scheduled = tmp_path / "scheduled.json"
    scheduled.write_text(json.dumps({"tasks": [foreign]}))
    code, _, err = ai_ops("schedule", "import", str(scheduled), "--dry-run", url=server.url)
    assert (code, "may still refuse" in err) == (0, True)
    code, out, err = ai_ops("schedule", "import", str(scheduled), url=server.url)
    assert (code, "ALLOWED_REPOS" in out) == (4, True)
    assert err.rstrip().endswith("1 of 1 were refused")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "must hold an object"),
        ("{", "not JSON"),
        ("{}", "neither"),
        (json.dumps({"tasks": [{"id": "a", "cron": "x", "prompt": "p"}]}), "tasks[0].cron"),
        (json.dumps({"tasks": [{"id": "a", "cron": "@daily"}]}), "tasks[0].prompt: is needed"),
        (json.dumps({"tasks": [{"cron": "@daily", "prompt": "p"}]}), "tasks[0].id: is needed"),
        (json.dumps({"tasks": [3]}), "tasks[0]: must be an object"),
        (json.dumps({"tasks": [{"id": "a", "cron": "@daily", "prompt": "p", "who": 1}]}), "tasks[0].who"),
        (json.dumps({"list": [{"id": "a", "prompt": "p", "timeout": -1}]}), "list[0].timeout"),
        (json.dumps({"list": [{"id": "a", "prompt": "p"}, {"id": "a", "prompt": "p"}]}), "there twice"),
        (json.dumps({"list": [{"id": "a", "prompt": "p", "allowedTools": 1}]}), "list[0].allowedTools"),
        ('{"tasks": ' + "[" * 100_000, "cannot be read|nested|not JSON"),
    ],
)
def test_a_wrong_file_imports_nothing_and_names_each_place(server, tmp_path, content, said):
    file = tmp_path / "wrong.json"
    file.write_text(content)
    before = as_json(server, "list")["items"]
    code, _, err = schedule(server, "import", str(file))
    assert code == 2 and any(each in err for each in said.split("|")), err
    assert as_json(server, "list")["items"] == before
