"""Schedules over HTTP."""

import json
from datetime import time

import pytest

from ai_ops.core.policies import Policy
from ai_ops.flow.judgement import Role
from tests.support.running_server import a_prompt, running


@pytest.fixture
async def server(tmp_path):
    async with running(tmp_path) as started:
        yield started


def a_schedule(**changes):
    return {"name": "Nightly", "cron": "30 3 * * *", "task": a_prompt(), **changes}


async def test_a_schedule_is_created_read_changed_run_and_deleted(server):
    answer = await server.post("/v1/schedules", a_schedule(timezone="Europe/Berlin"))
    made = answer.json
    assert answer.status == 201 and answer.headers["Location"] == f"/v1/schedules/{made['schedule_id']}"
    assert (made["words"], made["enabled"]) == ("At 03:30 every day (Europe/Berlin)", True)
    assert len(made["next_runs"]) == 5 and made["next_runs"][0] == made["next_run"]
    path = f"/v1/schedules/{made['schedule_id'][:8]}"
    changed = (await server.call("PATCH", path, json_body={"cron": "@hourly", "missed": "skip"})).json
    assert (changed["cron"], changed["missed"], changed["timezone"]) == ("0 * * * *", "skip", "Europe/Berlin")
    off = (await server.call("PATCH", path, json_body={"enabled": False})).json
    assert (off["enabled"], off["next_run"], off["next_runs"]) == (False, None, [])
    ran = await server.post(f"{path}/run", {}, headers={"Idempotency-Key": "once"})
    again = await server.post(f"{path}/run", {}, headers={"Idempotency-Key": "once"})
    assert ran.status == 201 and ran.json["task_id"] == again.json["task_id"]
    task = (await server.get(f"/v1/tasks/{ran.json['task_id']}")).json
    assert (task["schedule_id"], task["kind"]) == (made["schedule_id"], "prompt")
    shown = (await server.get(path)).json
    assert shown["ticks"][0]["by_hand"] and shown["last_task_id"] == task["task_id"]
    assert [item["schedule_id"] for item in (await server.get("/v1/schedules")).json["items"]] == [
        made["schedule_id"]
    ]
    assert (await server.call("DELETE", path)).status == 204
    assert (await server.get(path)).status == 404
    assert (await server.get(f"/v1/tasks/{task['task_id']}")).status == 200


async def test_the_same_external_id_is_one_schedule(server):
    first = await server.post("/v1/schedules", a_schedule(external_id="daily-1"))
    second = await server.post("/v1/schedules", a_schedule(external_id="daily-1", name="Other"))
    assert (first.status, second.status) == (201, 200)
    assert second.json == first.json


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (a_schedule(cron="61 * * * *"), "cron"),
        (a_schedule(timezone="Mars/Base"), "timezone"),
        (a_schedule(missed="never"), "missed"),
        (a_schedule(task={"error_content": "x", "repo_url": "https://github.com/a/b"}), "task.prompt"),
        (a_schedule(task={"prompt": ""}), "task.prompt"),
        (a_schedule(task={"prompt": "x", "color": "red"}), "task.color"),
        (a_schedule(name=" "), "name"),
        (a_schedule(extra=1), "extra"),
    ],
)
async def test_a_wrong_schedule_is_refused_with_its_field(server, body, field):
    answer = await server.post("/v1/schedules", body)
    assert answer.status == 422, answer.json
    assert field in [error["field"] for error in answer.json["errors"]]
    assert await server.rows("schedules") == []


async def test_secrets_in_a_schedule_are_masked_before_they_are_kept(server):
    token = "ghp_" + "A1b2C3d4" * 4 + "E5f6"
    await server.post("/v1/schedules", a_schedule(name=f"x {token}", task={"prompt": f"use {token}"}))
    assert token not in json.dumps(await server.rows("schedules"), default=str)


async def test_another_origins_repository_is_refused_when_the_schedule_is_made(server):
    body = a_schedule(task={"prompt": "x", "repo_url": "https://evil.example/a/b"})
    assert (await server.post("/v1/schedules", body)).status in (403, 422)


async def test_a_schedule_whose_words_a_rule_forbids_is_refused_when_it_is_made_and_when_it_is_edited(server):
    risky = {"prompt": "Then run `rm -rf /`."}
    refused = await server.post("/v1/schedules", a_schedule(task=risky))
    assert (refused.status, refused.json["code"]) == (403, "command_blocked")
    assert await server.rows("schedules") == []
    made = (await server.post("/v1/schedules", a_schedule())).json
    path = f"/v1/schedules/{made['schedule_id']}"
    assert (await server.call("PATCH", path, json_body={"task": risky})).status == 403
    assert (await server.get(path)).json["task"] == made["task"]
    report = (await server.get("/v1/security/report")).json
    assert [item["rule"] for item in report["items"]] == ["destructive_delete"]


async def test_a_schedule_is_held_to_the_policies_of_its_first_time_and_of_its_role(tmp_path):
    night = Policy("at-night", roles=(Role.SCHEDULE,), hours=(time(0), time(6)))
    async with running(tmp_path, policies=(night,)) as server:
        assert (await server.post("/v1/schedules", a_schedule(cron="30 3 * * *"))).status == 201
        by_day = await server.post("/v1/schedules", a_schedule(cron="30 12 * * *"))
        assert (by_day.status, by_day.json["code"]) == (403, "policy_violated")
