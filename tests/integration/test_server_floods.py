"""Floods over HTTP: agents are told to wait, counts stay exact, and one task stands for a deploy storm."""

import asyncio
import uuid

import pytest

from ai_ops.core.flood import IntakeRules
from ai_ops.errors import TemporaryError
from ai_ops.server.node_rates import NodeRates
from ai_ops.server.senders.mapping import Sender, Senders
from tests.support.running_server import AGENT_KEY, REPO, TRACEBACK, running, wire_event

RULES = IntakeRules(stored_per_minute=20, tasks_per_hour=8, storm_fingerprints=10, storm_seconds=600)


@pytest.fixture
async def server(tmp_path):
    async with running(tmp_path, rules=RULES) as started:
        yield started


def an_error(name, release="", **more):
    """A new event of the error that is known by this function's name."""
    return wire_event(
        release=release, error={"raw_excerpt": TRACEBACK.replace("in rate", f"in {name}")}, **more
    )


def a_denial(release):
    return wire_event(release=release, error={"raw_excerpt": "PermissionDenied: no"})


async def send(server, *events):
    return await server.post("/v1/events", {"events": list(events)}, key=AGENT_KEY)


async def figures(server, name):
    """Return the figures of a metric by their labels."""
    text = (await server.get("/metrics")).body.decode()
    lines = [line for line in text.splitlines() if line.startswith(f"{name}{{")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines}


async def tasks_of(server):
    return (await server.get("/v1/tasks?limit=200")).json["items"]


async def issues_of(server):
    return (await server.get("/v1/issues?limit=200")).json["items"]


async def test_many_new_errors_after_a_deployment_are_one_task_that_names_the_release(server):
    await send(server, a_denial("v1.4.0"))
    answer = await send(server, *(an_error(f"f_{n}", "v1.5.0") for n in range(25)))
    assert answer.json == {"accepted": 25, "duplicates": 0, "rejected": []}
    (task,) = await tasks_of(server)
    issues = [issue for issue in await issues_of(server) if issue["release"] == "v1.5.0"]
    assert len(issues) == 25
    storm = task["storm"]
    assert (storm["release_before"], storm["release_after"]) == ("v1.4.0", "v1.5.0")
    assert sorted(storm["fingerprints"]) == sorted(issue["fingerprint"] for issue in issues)
    waiting = [issue for issue in issues if issue["waiting_reason"]]
    assert len(waiting) == 24
    assert all("from v1.4.0 to v1.5.0" in issue["waiting_reason"] for issue in waiting)
    assert task["issue_id"] not in [issue["issue_id"] for issue in waiting]
    assert await figures(server, "ai_ops_issues_waiting") == {"spike": 0, "storm": 24, "place": 0, "queue": 0}


async def test_a_storm_that_grows_request_by_request_keeps_one_repair_besides_what_has_begun(server):
    await send(server, a_denial("v1.4.0"))
    for number in range(15):
        await send(server, an_error(f"f_{number}", "v1.5.0"))
        await asyncio.sleep(0)
    live = [task for task in await tasks_of(server) if task["state"] != "cancelled"]
    begun = [task for task in live if task["state"] == "processing"]
    assert len(live) <= len(begun) + 1
    (carrier,) = [task for task in live if task["storm"]]
    assert len(carrier["storm"]["fingerprints"]) == 10
    taken_back = [task for task in await tasks_of(server) if task["state"] == "cancelled"]
    assert all(carrier["task_id"] in task["outcome_reason"] for task in taken_back)
    server.worker.gate.set()
    await asyncio.sleep(0.2)
    assert not {task["task_id"] for task in taken_back} & {seen for seen, _ in server.worker.seen}


async def until_processing(server):
    while "processing" not in [task["state"] for task in await tasks_of(server)]:
        await asyncio.sleep(0.01)


async def test_repairs_that_a_storm_takes_back_leave_the_queue_at_once(server):
    await send(server, a_denial("v1.4.0"))
    await send(server, *(an_error(f"f_{n}", "v1.5.0") for n in range(5)))
    await until_processing(server)
    assert await server.engine.queue_depth() == 4  # one repair of a repository at a time
    await send(server, *(an_error(f"f_{n}", "v1.5.0") for n in range(5, 12)))
    assert await server.engine.queue_depth() == 1


async def test_a_storm_whose_carrier_is_merged_away_is_worked_on_as_anothers(server):
    await send(server, an_error("old", "v1.4.0"))
    await until_processing(server)
    await send(server, *(an_error(f"f_{n}", "v1.5.0") for n in range(12)))
    (carrier,) = [task for task in await tasks_of(server) if task["storm"]]
    waiting = [issue for issue in await issues_of(server) if issue["waiting_reason"]]
    into = waiting[0]["issue_id"]
    await server.post(f"/v1/issues/{carrier['issue_id']}/merge", {"into": into})
    assert await server.engine.queue_depth() == 1
    server.worker.gate.set()
    while {"pending", "processing"} & {task["state"] for task in await tasks_of(server)}:
        await asyncio.sleep(0.01)
    (ended,) = [task for task in await tasks_of(server) if task["storm"] and task["state"] == "completed"]
    assert (ended["issue_id"], ended["storm"]) == (into, carrier["storm"])


async def test_a_flood_without_a_deployment_makes_as_many_tasks_as_an_hour_may_have(server):
    await send(server, *(an_error(f"f_{n}") for n in range(40)))
    assert len(await tasks_of(server)) == 8
    waiting = [issue for issue in await issues_of(server) if issue["waiting_reason"]]
    assert len(waiting) == 32
    asked = await server.post(f"/v1/issues/{waiting[0]['issue_id']}/repair")
    assert asked.status == 201
    assert await figures(server, "ai_ops_issues_waiting") == {"spike": 31, "storm": 0, "place": 0, "queue": 0}


async def test_every_event_sent_is_in_exactly_one_figure(tmp_path):
    rates = NodeRates(100, lambda: 0.0)
    async with running(tmp_path, rules=RULES, node_rates=rates) as server:
        events = [an_error("same") for _ in range(60)]
        await send(server, *events)
        await send(server, *events[:30], {"not": "an event"}, an_error("same"))
        refused = await send(server, *(an_error("same") for _ in range(20)))
        assert refused.status == 200  # the bucket was not empty yet
        refused = await send(server, *(an_error("same") for _ in range(7)))
        assert (refused.status, refused.json["code"]) == (429, "node_rate_exceeded")
        assert int(refused.headers["Retry-After"]) >= 1
        assert (await send(server, an_error("same", node="another"))).status == 200
        assert await figures(server, "ai_ops_events_total") == {
            "stored": 20,
            "only_counted": 62,
            "duplicate": 30,
            "rejected": 1,
            "refused": 7,
        }
        (issue,) = await issues_of(server)
        assert (issue["count"], issue["only_counted"]) == (82, 62)


async def test_a_refused_batch_is_taken_when_its_time_has_come(tmp_path):
    time = [0.0]
    async with running(tmp_path, node_rates=NodeRates(60, lambda: time[0])) as server:
        await send(server, *(an_error("f") for _ in range(61)))
        batch = [an_error("f") for _ in range(5)]
        refused = await send(server, *batch)
        assert refused.status == 429
        time[0] = float(refused.headers["Retry-After"])
        assert (await send(server, *batch)).json["accepted"] == 5
        assert (await issues_of(server))[0]["count"] == 66


async def test_a_regression_opens_the_next_episode_over_http(server):
    await send(server, an_error("f", occurred_at="2026-01-01T12:00:00Z"))
    server.worker.gate.set()
    (issue,) = await issues_of(server)
    (task,) = await tasks_of(server)
    while (await server.get(f"/v1/tasks/{task['task_id']}")).json["state"] != "completed":
        await asyncio.sleep(0.01)
    resolved = await server.post(f"/v1/issues/{issue['issue_id']}/resolve")
    assert resolved.json["state"] == "resolved"
    await send(server, an_error("f", occurred_at="2026-01-01T12:00:01Z"))  # it waited in a spool
    assert (await issues_of(server))[0]["state"] == "resolved"
    await send(server, an_error("f", occurred_at="2199-01-01T12:00:00Z"))
    (again,) = await issues_of(server)
    assert (again["state"], again["episode"], again["count"]) == ("open", 2, 3)
    assert len(await tasks_of(server)) == 2


async def test_the_release_of_each_event_is_kept(server):
    await send(server, *(an_error("f", release) for release in ("a", "b", "c")))
    assert [row["release"] for row in await server.rows("events")] == ["a", "b", "c"]


async def test_a_batch_sent_twice_at_once_is_counted_once_above_the_limit_too(server):
    batch = [an_error("f", event_id=str(uuid.uuid4())) for _ in range(100)]
    answers = await asyncio.gather(*(send(server, *batch) for _ in range(4)))
    assert sum(answer.json["accepted"] for answer in answers) == 100
    assert sum(answer.json["duplicates"] for answer in answers) == 300
    (issue,) = await issues_of(server)
    assert (issue["count"], issue["only_counted"]) == (100, 80)


def an_export(errors, begin=0):
    """An OTLP request of a node, as JSON."""
    records = [
        {
            "timeUnixNano": str(1_760_000_000_000_000_000 + n),
            "severityNumber": 17,
            "body": {"stringValue": "no"},
        }
        for n in range(begin, begin + errors)
    ]
    quiet = {"severityNumber": 9, "body": {"stringValue": "fine"}}
    host = [{"key": "host.name", "value": {"stringValue": "h1"}}]
    return {
        "resourceLogs": [{"resource": {"attributes": host}, "scopeLogs": [{"logRecords": [*records, quiet]}]}]
    }


async def export(server, errors, begin=0):
    return await server.post("/v1/logs", an_export(errors, begin), key=AGENT_KEY)


def sender_items(text):
    """Return the figures of OpenTelemetry by their outcome."""
    lines = [line for line in text.splitlines() if line.startswith("ai_ops_sender_items_total{")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines if 'sender="otlp"' in line}


@pytest.fixture
async def exporting(tmp_path):
    """A server that grants a node 400 events a minute, and its time."""
    time = [0.0]
    rates = NodeRates(400, lambda: time[0])
    any_service = Senders((Sender("otlp", "", REPO),))
    async with running(tmp_path, rules=RULES, node_rates=rates, senders=any_service) as server:
        yield server, time


async def test_a_request_larger_than_a_minutes_worth_passes_and_the_next_one_waits(exporting):
    server, time = exporting
    assert (await export(server, 1300)).status == 200  # several batches, and thrice the bucket
    (issue,) = await issues_of(server)
    assert issue["count"] == 1300
    refused = await export(server, 600, begin=1300)
    assert (refused.status, refused.json["code"]) == (429, "node_rate_exceeded")
    assert (await issues_of(server))[0]["count"] == 1300
    time[0] += float(refused.headers["Retry-After"])
    assert (await export(server, 600, begin=1300)).status == 200
    assert (await issues_of(server))[0]["count"] == 1900
    figures = sender_items((await server.get("/metrics")).body.decode())
    assert figures == {"accepted": 1900, "duplicate": 0, "dropped": 2, "rejected": 0, "refused": 600}


async def test_an_exporter_that_comes_when_it_is_told_to_gets_everything_through(exporting):
    server, time = exporting
    sent = 0
    for _ in range(6):
        answer = await export(server, 600, begin=sent)
        sent += 600 if answer.status == 200 else 0
        time[0] += float(answer.headers.get("Retry-After", 0))
    assert sent == 1800
    assert (await issues_of(server))[0]["count"] == sent


async def test_batches_taken_before_the_storage_fails_are_counted_and_are_duplicates_later(
    exporting, monkeypatch
):
    server, time = exporting
    ingest = server.services.issues.ingest
    failures = iter([False, True])

    async def fails_once(events):
        if next(failures, False):
            raise TemporaryError("storage_unavailable", "The disk is full.", next_step="Make room.")
        return await ingest(events)

    monkeypatch.setattr(server.services.issues, "ingest", fails_once)
    assert (await export(server, 1300)).status == 503
    figures = sender_items((await server.get("/metrics")).body.decode())
    assert figures == {"accepted": 500, "duplicate": 0, "rejected": 0, "refused": 800}
    time[0] += 3600
    assert (await export(server, 1300)).status == 200
    assert (await issues_of(server))[0]["count"] == 1300
    figures = sender_items((await server.get("/metrics")).body.decode())
    assert figures == {"accepted": 1300, "duplicate": 500, "dropped": 1, "rejected": 0, "refused": 800}
