"""Durable intake over HTTP beside what the same database writes without us, in the same run.

Both sides get what they write ready-made: raw rows are converted already, the requests are compressed
already. Two kinds of load: errors that are known (few texts, many events), and errors of which no two texts
are the same, so that each is masked, parsed and grouped anew. The raw limit is what SQLite alone makes of the
very rows that the server has stored; a bare table with one index stands beside it. Then a thousand agents.
"""

import asyncio
import gzip
import http.client
import json
import tempfile
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.figures import Figure, cpu_seconds, resident_mb, with_children
from tests.bench.many_agents import offer
from tests.bench.raw_inserts import bare, last_event, same_schema
from tests.support.local_server import LocalServer

_BATCH = 100
_BATCHES, _UNALIKE = 300, 100  # of known errors, about a second; and where no two texts are alike
_CLIENTS = 4
_ERRORS = 50
_AGENTS, _OF_AN_AGENT = 1000, 10
_OFFERED, _SECONDS = 100, 20  # requests a second
_KEY = "k" * 32
_HEADERS = {"Content-Type": "application/json", "Content-Encoding": "gzip", "X-API-Key": _KEY}


def ingest():
    """Yield the raw limits, the rate of intake over HTTP for both loads, their ratios, and many agents."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = bare(folder / "bare.db", [[_row() for _ in range(_BATCH)] for _ in range(_UNALIKE)])
        yield Figure("raw fsynced inserts, one index, batches of 100", table, "ev/s")
        # Everything is stored, and the repairs that follow do not share the processor with it.
        settings = {
            "EVENTS_PER_MINUTE_PER_NODE": "0",
            "EVENTS_PER_MINUTE_PER_ISSUE": "0",
            "SPIKE_TASKS_PER_HOUR": "1",
        }
        with LocalServer(folder, SERVER_API_KEY=_KEY, **settings) as server:
            _know(server)
            yield from _load(folder, server, "known errors", _ERRORS, _BATCHES, table)
            yield from _load(folder, server, "no two texts alike", _BATCH * _UNALIKE, _UNALIKE, table)
            memory = with_children(server.process.pid, resident_mb)
            yield Figure("server and the process beside it: resident after both loads", memory, "MB", 512)
            times = asyncio.run(_many(server))
            yield from _shares(f"{_AGENTS} agents, {_OFFERED} batches of {_OF_AN_AGENT} a second", times)


def _know(server):
    """Open the issues of the known errors, and wait until the one repair that may begin is over."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    body = _body([_event(str(server.remote), number) for number in range(_ERRORS)])
    assert _answer(connection, "POST", "/v1/events", body)["accepted"] == _ERRORS
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        states = {task["state"] for task in _answer(connection, "GET", "/v1/tasks")["items"]}
        if states and states <= {"completed", "failed", "needs_human_review"}:
            connection.close()
            return
        time.sleep(0.1)
    raise AssertionError(states)


def _answer(connection, method, path, body=None):
    connection.request(method, path, body, _HEADERS)
    return json.loads(connection.getresponse().read())


def _load(folder, server, load, errors, batches, table):
    database = folder / "data" / "ai_ops.db"
    stored, before = last_event(database), with_children(server.process.pid, cpu_seconds)
    rate, times = _over_http(server, errors, batches)
    used = (with_children(server.process.pid, cpu_seconds) - before) / (_BATCH * batches)
    limit = same_schema(folder / f"raw-{errors}.db", database, stored, _BATCH)
    yield from _shares(f"intake over HTTP, {load}", times)
    yield Figure(f"intake over HTTP, {load}", rate, "ev/s")
    yield Figure(f"server's CPU time, {load}", used * 1e6, "µs/ev")
    yield Figure(f"raw limit of the same schema, {load}", limit, "ev/s")
    goal = 0.5 if errors == _ERRORS else None
    yield Figure(f"intake / raw limit of the same schema, {load}", rate / limit, "×", goal, at_least=True)
    yield Figure(f"intake / raw inserts with one index, {load}", rate / table, "×")


def _shares(name, times):
    for share in (50, 95, 99):
        value = times[min(len(times) - 1, len(times) * share // 100)] * 1000
        yield Figure(f"{name}: batch p{share}", value, "ms", 200 if share == 95 else None)


def _row():
    event = _event("", 0)
    return event["event_id"], json.dumps(event)


def _event(repo_url, number):
    """Return an event of 1.8 KB with its own id; ``number`` makes the text."""
    frames = "".join(
        f'  File "/srv/app/shop/views_{frame}.py", line {frame * 7 + 3}, in handle_{number % _ERRORS}\n'
        "    return self.process(request, *args, **kwargs)\n"
        for frame in range(11)
    )
    return {
        "schema_version": 1,
        "event_id": str(uuid.uuid4()),
        "occurred_at": "2026-11-25T12:00:00Z",
        "repo": {"repo_url": repo_url, "code_host": "local"},
        "error": {
            "raw_excerpt": f"2026-11-25 12:00:00 ERROR request {number} failed\n"
            f"Traceback (most recent call last):\n{frames}ZeroDivisionError: division by zero\n"
        },
        "service": "shop",
        "node": "web-1",
        "release": "4f0c2a9",
    }


def _over_http(server, errors, batches):
    """Return events a second with some clients at once, and the sorted seconds of each batch."""
    bodies = []
    for batch in range(batches):
        events = [_event(str(server.remote), (batch * _BATCH + n) % errors) for n in range(_BATCH)]
        bodies.append(_body(events))
    times = []
    clients = [
        threading.Thread(target=_client, args=(server.url, bodies[n::_CLIENTS], times))
        for n in range(_CLIENTS)
    ]
    began = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    taken = time.perf_counter() - began
    assert len(times) == batches
    return _BATCH * batches / taken, sorted(times)


def _client(url, bodies, times):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    for body in bodies:
        sent = time.perf_counter()
        answer = _answer(connection, "POST", "/v1/events", body)
        assert answer["accepted"] == _BATCH, answer
        times.append(time.perf_counter() - sent)
    connection.close()


def _many(server):
    """Offer small batches of known errors; return the sorted seconds of each."""
    bodies = [
        _body([{**_event(str(server.remote), n % _ERRORS), "node": f"web-{number % _AGENTS}"} for n in turn])
        for number in range(_OFFERED * _SECONDS)
        for turn in [range(number * _OF_AN_AGENT, (number + 1) * _OF_AN_AGENT)]
    ]
    return offer(server.url, bodies, _HEADERS, agents=_AGENTS, per_second=_OFFERED)


def _body(events):
    return gzip.compress(json.dumps({"events": events}).encode(), 1)
