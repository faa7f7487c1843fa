"""Templates and workflows over HTTP."""

import json

import pytest

from tests.support.children import until
from tests.support.running_server import running

TEMPLATE = """\
name: look
description: Looks at a file.
parameters:
  path: {}
  times: {type: integer, default: 1}
task:
  name: "Look at {{ params.path }}"
  type: lightweight
  prompt: "Look at {{ params.path }}, {{ params.times }} times."
"""
FLOW = """\
name: flow
parameters:
  path: {}
steps:
  - id: join
    needs: [look]
    type: lightweight
    prompt: "Say more. {{ steps.look.answer }}"
  - id: look
    template: look
    with: {path: "{{ params.path }}"}
"""
TOKEN = "ghp_" + "A1b2C3d4" * 4 + "E5f6"


@pytest.fixture
async def server(tmp_path):
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "look.yml").write_text(TEMPLATE)
    (tmp_path / "templates" / "broken.yml").write_text("name: broken\ntsak: {}\n")
    async with running(tmp_path) as started:
        yield started


def a_flow(definition=FLOW, **parameters):
    return {"definition": definition, "parameters": {"path": "a.py", **parameters}}


async def test_templates_are_listed_shown_and_applied(server):
    found = (await server.get("/v1/templates")).json
    assert [item["name"] for item in found["items"]] == ["look"]
    assert found["broken"][0]["file"] == "broken.yml"
    assert found["broken"][0]["problems"][0] == "line 1: task: is needed"
    shown = (await server.get("/v1/templates/look")).json
    assert shown["task"]["prompt"] == "Look at {{ params.path }}, {{ params.times }} times."
    use = {"parameters": {"path": "a.py", "times": "3"}}
    plan = (await server.post("/v1/templates/look/apply?dry_run=true", use)).json
    assert plan["prompt"] == "Look at a.py, 3 times." and plan["command"].startswith("claude ")
    assert await server.rows("tasks") == []
    made = await server.post("/v1/templates/look/apply", use, headers={"Idempotency-Key": "k"})
    again = await server.post("/v1/templates/look/apply", use, headers={"Idempotency-Key": "k"})
    assert (made.status, again.status) == (201, 200)
    assert (made.json["name"], made.json["type"]) == ("Look at a.py", "lightweight")
    assert made.headers["Location"] == f"/v1/tasks/{again.json['task_id']}"


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/v1/templates/lock/apply", {}, 404, None),
        ("/v1/templates/look/apply", {}, 422, "parameters.path"),
        ("/v1/workflows", {"definition": "name: x"}, 422, "line 1"),
        ("/v1/workflows", a_flow(FLOW.replace("template: look", "template: lock")), 422, "line 9"),
        ("/v1/workflows", a_flow(FLOW + "    needs: [join]\n"), 422, "line 5"),
        (
            "/v1/workflows",
            a_flow(FLOW.replace("type: lightweight", "repo_url: https://evil.example/a/b")),
            422,
            "repo_url",
        ),
        (
            "/v1/workflows",
            a_flow(FLOW.replace("type: lightweight", "pull_request: true")),
            422,
            "line 5: join.pull_request",
        ),
    ],
)
async def test_what_is_wrong_is_answered_with_its_place_and_nothing_is_made(
    server, path, body, status, field
):
    answer = await server.post(path, body)
    assert answer.status == status, answer.json
    if field:
        assert field in [error["field"] for error in answer.json["errors"]]
    assert await server.rows("tasks") == [] == await server.rows("workflows")


async def test_a_dry_run_shows_the_order_and_each_command_and_makes_nothing(server):
    plan = (await server.post("/v1/workflows?dry_run=true", a_flow())).json
    assert [step["id"] for step in plan["steps"]] == ["look", "join"]
    assert plan["steps"][0]["prompt"] == "Look at a.py, 1 times."
    assert plan["steps"][1]["answers"] == ["look"]
    assert all(step["command"].startswith("claude ") for step in plan["steps"])
    assert await server.rows("workflows") == []


async def test_a_workflow_goes_from_step_to_step_to_its_end(server):
    headers = {"Idempotency-Key": "w"}
    made = await server.post("/v1/workflows", a_flow(path=f"a.py {TOKEN}"), headers=headers)
    again = await server.post("/v1/workflows", a_flow(), headers=headers)
    assert (made.status, again.status) == (201, 200)
    workflow = made.json["workflow_id"]
    assert workflow == again.json["workflow_id"]
    assert TOKEN not in json.dumps(await server.rows("workflows"), default=str)
    look, join = made.json["steps"]
    assert (look["state"], join["state"], join["task_id"]) == ("queued", "waiting", None)
    task = (await server.get(f"/v1/tasks/{look['task_id']}")).json
    assert (task["workflow_id"], task["workflow_step"]) == (workflow, "look")
    server.worker.gate.set()
    path = f"/v1/workflows/{workflow[:8]}"

    async def over():
        await server.services.workflows.look()
        return (await server.get(path)).json["state"] == "completed"

    await until("the workflow is completed", over)
    late = await server.post(f"{path}/cancel", {})
    assert (late.status, late.json["code"]) == (409, "illegal_transition")
    shown = (await server.get(path)).json
    assert [step["task_state"] for step in shown["steps"]] == ["completed", "completed"]
    nameless = (await server.get(f"/v1/tasks/{shown['steps'][1]['task_id']}")).json
    assert nameless["title"] == "flow: join"
    listed = (await server.get("/v1/workflows")).json["items"]
    assert [item["workflow_id"] for item in listed] == [workflow]
    assert (await server.get("/v1/workflows?state=failed")).json["items"] == []
    assert (await server.get("/v1/workflows?state=odd")).status == 422


async def test_cancelling_over_http_leaves_no_task_at_work(server):
    made = (await server.post("/v1/workflows", a_flow())).json
    path = f"/v1/workflows/{made['workflow_id']}"
    cancelled = await server.post(f"{path}/cancel", {})
    assert (cancelled.status, cancelled.json["state"]) == (200, "cancelled")
    assert [step["state"] for step in cancelled.json["steps"]] == ["cancelled", "cancelled"]
    assert cancelled.json["steps"][0]["task_state"] == "cancelled"
    assert (await server.post(f"{path}/cancel", {})).json["state"] == "cancelled"
    assert (await server.get("/v1/workflows/none")).status == 404


async def test_a_step_that_a_rule_forbids_refuses_the_whole_workflow(server):
    answer = await server.post("/v1/workflows", a_flow(FLOW.replace("Say more.", "Run `rm -rf /`.")))
    assert (answer.status, answer.json["code"]) == (403, "command_blocked")
    assert await server.rows("tasks") == [] == await server.rows("workflows")
