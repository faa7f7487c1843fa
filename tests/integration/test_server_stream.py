"""``GET /v1/tasks/{id}/stream``: a run followed live, resumed, and left."""

import asyncio
import json

import pytest
from sqlalchemy import text

from ai_ops.core.identity import run_id
from ai_ops.server.handlers import stream
from tests.support.running_server import TRACEBACK, a_prompt, running


@pytest.fixture
async def server(tmp_path):
    async with running(tmp_path) as started:
        yield started


async def events_of(content):
    """Yield (id, kind, data) as they come."""
    event = {}
    async for line in content:
        name, _, value = line.decode().rstrip("\r\n").partition(": ")
        if name in ("id", "event", "data"):
            event[name] = value
        elif not name and "data" in event:
            yield event.get("id"), event.get("event"), json.loads(event["data"])
            event = {}


def connect(server, task_id, last=None):
    headers = {"X-API-Key": server.key} | ({"Last-Event-ID": last} if last is not None else {})
    return server.session.get(f"{server.listening.url}/v1/tasks/{task_id}/stream", headers=headers)


async def whole(server, task_id, last=None):
    async with connect(server, task_id, last) as answer:
        assert answer.status == 200
        return [event async for event in events_of(answer.content)]


async def new_task(server):
    return (await server.post("/v1/tasks", a_prompt())).json["task_id"]


async def test_a_run_is_followed_while_it_grows_and_the_stream_ends_with_it(server):
    task_id = await new_task(server)
    async with connect(server, task_id) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert len(answer.headers["X-Request-ID"]) == 32
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        seen = []
        async for _, kind, data in events_of(answer.content):
            seen.append((kind, data.get("step"), data.get("state")))
            assert data["trace_id"] == run_id(task_id, 1)
            assert data["at"].endswith("Z")
            if seen[-1] == ("step", "work", "done"):
                await server.trace.emit(run_id(task_id, 1), "text", {"text": "while it runs"})
                server.worker.gate.set()
    assert seen == [("step", "work", "started"), ("step", "work", "done"), ("text", None, None),
                    ("complete", None, None)]  # fmt: skip


async def test_a_stream_resumes_after_the_last_event_that_was_seen(server):
    server.worker.gate.set()
    task_id = await new_task(server)
    everything = await whole(server, task_id)
    assert [kind for _, kind, _ in everything] == ["step", "step", "complete"]
    ids = [int(id) for id, _, _ in everything]
    assert ids == sorted(set(ids))
    assert await whole(server, task_id, last=everything[0][0]) == everything[1:]
    assert await whole(server, task_id, last=everything[-1][0]) == []


@pytest.mark.parametrize("last", ["", "x", "-1", "9" * 40, "١"])
async def test_a_last_event_id_that_is_none_begins_anew(server, last):
    server.worker.gate.set()
    assert len(await whole(server, await new_task(server), last=last)) == 3


async def test_two_clients_see_the_same(server):
    task_id = await new_task(server)
    both = [asyncio.create_task(whole(server, task_id)) for _ in range(2)]
    await asyncio.sleep(0.05)
    server.worker.gate.set()
    first, second = await asyncio.gather(*both)
    assert first == second and first[-1][1] == "complete"


async def test_a_stream_waits_for_a_run_that_has_not_begun(server):
    async with server.engine_off():
        task_id = await new_task(server)
    following = asyncio.create_task(whole(server, task_id))
    await asyncio.sleep(0.1)
    server.worker.gate.set()
    await server.engine.enqueue(await server.tasks.find(task_id))
    assert (await following)[-1][1] == "complete"


async def test_a_retried_task_is_followed_in_its_new_run(server):
    server.worker.gate.set()
    server.worker.ending = "failed"
    task_id = await new_task(server)
    await whole(server, task_id)
    server.worker.ending = "completed"
    async with server.engine_off():
        await server.post(f"/v1/tasks/{task_id}/retry")
    following = asyncio.create_task(whole(server, task_id))
    await asyncio.sleep(0.05)
    await server.engine.enqueue(await server.tasks.find(task_id))
    events = await following
    assert {data["trace_id"] for _, _, data in events} == {run_id(task_id, 2)}
    assert events[-1][2]["outcome"] == "completed"


async def test_a_task_that_ends_without_a_run_completes_its_stream(server):
    async with server.engine_off():
        task_id = await new_task(server)
    following = asyncio.create_task(whole(server, task_id))
    await asyncio.sleep(0.05)
    await server.post(f"/v1/tasks/{task_id}/cancel")
    assert await following == [(None, "complete", {"trace_id": None, "outcome": "cancelled"})]


async def test_a_client_that_leaves_is_not_followed_for_ever(server, monkeypatch):
    monkeypatch.setattr(stream, "PING_SECONDS", 0.05)
    task_id = await new_task(server)
    async with connect(server, task_id) as answer:
        await anext(events_of(answer.content))
        assert streams() == 1
        answer.close()
    while streams():
        await asyncio.sleep(0.01)
    server.worker.gate.set()
    assert (await whole(server, task_id))[-1][1] == "complete"


async def test_a_server_that_stops_ends_its_streams(server):
    task_id = await new_task(server)
    async with connect(server, task_id) as answer:
        await anext(events_of(answer.content))
        await asyncio.wait_for(server.listening.stop(), 10)
        assert streams() == 0


async def test_a_stream_whose_storage_fails_breaks_off_cleanly_and_is_logged(server, caplog):
    task_id = await new_task(server)
    async with connect(server, task_id) as answer:
        await anext(events_of(answer.content))
        async with server.database.write() as connection:
            await connection.execute(text("ALTER TABLE trace_events RENAME TO gone"))
        rest = await answer.content.read()
        async with server.database.write() as connection:
            await connection.execute(text("ALTER TABLE gone RENAME TO trace_events"))
    assert b"HTTP/1.1" not in rest and b"problem" not in rest
    assert "broke off" in caplog.text
    server.worker.gate.set()
    assert (await whole(server, task_id))[-1][1] == "complete"


async def test_head_of_a_stream_streams_nothing(server):
    answer = await server.call("HEAD", f"/v1/tasks/{await new_task(server)}/stream")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Type"].startswith("text/event-stream")


async def test_hostile_text_cannot_end_its_event(server):
    server.worker.gate.clear()
    task_id = await new_task(server)
    async with connect(server, task_id) as answer:
        events = events_of(answer.content)
        await anext(events)
        text = f"a\r\n\r\nevent: complete\r\ndata: {{}}\n\n\u2028{TRACEBACK}"
        await server.trace.emit(run_id(task_id, 1), "text", {"text": text})
        found = {kind: data for _, kind, data in [await anext(events) for _ in range(2)]}
    assert found.keys() == {"step", "text"}  # the run goes on meanwhile, so either may come first
    assert found["text"]["text"] == text


def streams():
    return sum(task.get_name().startswith("stream of ") for task in asyncio.all_tasks())
