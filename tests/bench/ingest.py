"""Durable intake over HTTP beside the raw batched insert of the same database, in the same run.

Both sides get what they write ready-made: the rows of the raw insert are JSON already, the requests are
compressed already. Two kinds of load: errors that are known (few texts, many events), and errors of which no
two texts are the same, so that each is masked, parsed and grouped anew.
"""

import gzip
import http.client
import json
import sqlite3
import tempfile
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.figures import Figure, cpu_seconds
from tests.support.local_server import LocalServer

_BATCH = 100
_BATCHES = 100
_CLIENTS = 4
_ERRORS = 50
_KEY = "k" * 32


def ingest():
    """Yield the rate of raw fsynced inserts, of intake over HTTP for both loads, and their ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = _raw(folder)
        yield Figure("raw fsynced inserts, batches of 100", raw, "ev/s")
        unlimited = {"EVENTS_PER_MINUTE_PER_NODE": "0", "EVENTS_PER_MINUTE_PER_ISSUE": "0"}
        with LocalServer(folder, SERVER_API_KEY=_KEY, **unlimited) as server:
            for load, errors in (("known errors", _ERRORS), ("no two texts alike", _BATCH * _BATCHES)):
                before = cpu_seconds(server.process.pid)
                rate, times = _over_http(server, errors)
                used = (cpu_seconds(server.process.pid) - before) / (_BATCH * _BATCHES)
                for share in (50, 95, 99):
                    value = times[min(len(times) - 1, len(times) * share // 100)] * 1000
                    goal = 200 if share == 95 else None
                    yield Figure(f"intake over HTTP, {load}: batch p{share}", value, "ms", goal)
                yield Figure(f"intake over HTTP, {load}", rate, "ev/s")
                yield Figure(f"server's CPU time, {load}", used * 1e6, "µs/ev")
                goal = 0.5 if errors == _ERRORS else None
                yield Figure(f"intake / raw, {load}", rate / raw, "×", goal, at_least=True)


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


def _raw(folder):
    batches = [
        [(event["event_id"], json.dumps(event)) for event in (_event("", n) for n in range(_BATCH))]
        for _ in range(_BATCHES)
    ]
    connection = sqlite3.connect(folder / "raw.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE events (id TEXT PRIMARY KEY, body TEXT)")
    began = time.perf_counter()
    for rows in batches:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO events VALUES (?, ?)", rows)
        connection.execute("COMMIT")
    rate = _BATCH * _BATCHES / (time.perf_counter() - began)
    connection.close()
    return rate


def _over_http(server, errors):
    """Return events a second with some clients at once, and the sorted seconds of each batch."""
    bodies = []
    for batch in range(_BATCHES):
        events = [_event(str(server.remote), (batch * _BATCH + n) % errors) for n in range(_BATCH)]
        bodies.append(gzip.compress(json.dumps({"events": events}).encode(), 1))
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
    assert len(times) == _BATCHES
    return _BATCH * _BATCHES / taken, sorted(times)


def _client(url, bodies, times):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", "X-API-Key": _KEY}
    for body in bodies:
        sent = time.perf_counter()
        connection.request("POST", "/v1/events", body, headers)
        answer = json.loads(connection.getresponse().read())
        assert answer["accepted"] == _BATCH, answer
        times.append(time.perf_counter() - sent)
    connection.close()
