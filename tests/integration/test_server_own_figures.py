"""The figures of the installation, and what draws and watches them."""

import asyncio
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ai_ops.flow.run import Usage
from tests.support.running_server import a_prompt, a_repair, running

DOC = Path(__file__).parents[2] / "doc"
DASHBOARD, RULES = DOC / "grafana-dashboard.json", DOC / "alerts.yml"
_NAME = re.compile(r"\bai_ops_[a-z0-9_]+")
_SUFFIX = re.compile(r"_(bucket|count|sum)$")


async def families(server):
    text = (await server.get("/metrics")).body.decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


async def samples(server):
    found = {}
    for family in (await families(server)).values():
        for sample in family.samples:
            found[sample.name, *sorted(sample.labels.items())] = sample.value
    return found


def expressions():
    dashboard = json.loads(DASHBOARD.read_text())
    yield from (t["expr"] for panel in dashboard["panels"] for t in panel["targets"])
    yield from (v["query"]["query"] for v in dashboard["templating"]["list"] if v["name"] == "job")
    rules = yaml.safe_load(RULES.read_text())
    yield from (rule["expr"] for group in rules["groups"] for rule in group["rules"])


async def test_every_metric_of_the_dashboard_and_the_rules_exists(tmp_path):
    async with running(tmp_path) as server:
        found = await families(server)
    known = {name + ("_total" if family.type == "counter" else "") for name, family in found.items()}
    named = {name for expr in expressions() for name in _NAME.findall(expr)}
    assert len(named) > 20
    assert sorted({_SUFFIX.sub("", name) for name in named} - known) == []


async def test_every_metric_stands_in_the_page_of_operations(tmp_path):
    async with running(tmp_path) as server:
        found = await families(server)
    page = (DOC / "operations.md").read_text()
    for name, family in found.items():
        if name.endswith("_created"):  # when a counter began; the library adds it
            continue
        assert f"`{name}{'_total' if family.type == 'counter' else ''}" in page, name


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool of Prometheus is not installed")
async def test_promtool_finds_nothing_wrong_with_the_rules_and_the_metrics(tmp_path):
    async with running(tmp_path) as server:
        exposed = (await server.get("/metrics")).body
    for argv, said in ((["check", "rules", str(RULES)], b""), (["check", "metrics"], exposed)):
        done = subprocess.run(["promtool", *argv], input=said, capture_output=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()


async def test_what_runs_did_is_counted(tmp_path):
    async with running(tmp_path) as server:
        server.worker.gate.set()
        task = (await server.post("/v1/tasks", a_prompt())).json["task_id"]
        while (await server.get(f"/v1/tasks/{task}")).json["state"] != "completed":
            pass
        tally = server.services.oversight.crew.tally
        tally.used("claude-x", "repair", Usage(10, 20, 0.5))
        tally.used("claude-x", "repair", Usage(1, 2, 0.25))
        tally.losses[("memory",)] += 1
        run = "ai_ops_runs_total", ("kind", "prompt"), ("state", "completed")
        while run not in (got := await samples(server)):  # a run is over a little after its task is
            await asyncio.sleep(0.01)
    assert got[run] == 1
    step = ("outcome", "done"), ("step", "work")
    assert got["ai_ops_step_duration_seconds_count", *step] == 1
    assert got["ai_ops_step_duration_seconds_bucket", ("le", "+Inf"), *step] == 1
    model = ("kind", "repair"), ("model", "claude-x")
    assert got["ai_ops_model_tokens_total", ("direction", "output"), *model] == 22
    assert got["ai_ops_model_cost_usd_total", *model] == 0.75
    assert got["ai_ops_workers_replaced_total", ("reason", "memory")] == 1
    assert got["ai_ops_tasks", ("kind", "prompt"), ("state", "completed")] == 1


async def test_what_is_stored_and_what_is_free_is_counted(tmp_path):
    async with running(tmp_path) as server, server.engine_off():
        await server.post("/v1/tasks", a_repair())
        await server.post("/v1/tasks", a_prompt())
        got = await samples(server)
    assert got["ai_ops_tasks", ("kind", "repair"), ("state", "pending")] == 1
    assert got["ai_ops_issues", ("state", "open")] == 1
    assert got["ai_ops_queue_oldest_age_seconds",] > 0
    assert got["ai_ops_outbox_oldest_age_seconds",] == 0
    assert got["ai_ops_disk_free_bytes",] == 50 * 1000**3
    assert got["ai_ops_workers", ("state", "idle")] == 4
    assert got["ai_ops_worker_heartbeat_age_seconds", ("worker", "1")] == 0


async def test_workers_are_shown_and_replaced(tmp_path):
    async with running(tmp_path) as server:
        task = (await server.post("/v1/tasks", a_prompt())).json["task_id"]
        while not server.worker.seen:
            await server.get("/healthz")
        items = (await server.get("/v1/workers")).json["items"]
        assert [(each["number"], each["state"]) for each in items][1:] == [(n, "idle") for n in (2, 3, 4)]
        assert (items[0]["state"], items[0]["task_id"], items[0]["kind"]) == ("working", task, "prompt")
        again = (await server.post("/v1/workers/1/restart")).json
        assert again["replaced"] == 1 and again["last_loss"]["reason"] == "asked"
        while len(server.worker.seen) < 2:
            await server.get("/healthz")
        shown = (await server.get("/v1/workers/1")).json
        assert [loss["task_id"] for loss in shown["losses"]] == [task]
        assert shown["limits"]["memory_bytes"] == 5000 * 2**20
        server.worker.gate.set()
        while (await server.get(f"/v1/tasks/{task}")).json["state"] != "completed":
            pass


@pytest.mark.parametrize("number", ["0", "5", "x", "1.5", "-1", "99999999999"])
@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/restart")], ids=["show", "restart"])
async def test_a_worker_that_is_not_there_is_not_found(tmp_path, method, path, number):
    async with running(tmp_path) as server:
        got = await server.call(method, f"/v1/workers/{number}{path}")
        assert (got.status, got.json["code"]) == (404, "worker_not_found")
