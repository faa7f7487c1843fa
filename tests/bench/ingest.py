"""Durable intake over HTTP beside the raw batched insert of the same database, in the same run."""

import gzip
import json
import sqlite3
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

from tests.bench.figures import Figure
from tests.support.local_server import TRACEBACK, LocalServer

_BATCH = 100
_BATCHES = 100


def ingest():
    """Yield the rate of raw fsynced inserts, of intake over HTTP, and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = _raw(folder)
        yield Figure("raw fsynced inserts, batches of 100", raw, "ev/s")
        with LocalServer(folder) as server:
            rate, times = _over_http(server)
        times.sort()
        yield Figure("intake over HTTP, one client, batches of 100", rate, "ev/s")
        yield Figure("intake: batch p95", times[int(len(times) * 0.95)] * 1000, "ms", 200)
        yield Figure("intake / raw", rate / raw, "×", 0.5, at_least=True)


def _event(server, number):
    return {
        "schema_version": 1,
        "event_id": str(uuid.uuid4()),
        "occurred_at": "2026-11-25T12:00:00Z",
        "repo": {"repo_url": str(server.remote) if server else "", "code_host": "local"},
        "error": {
            "raw_excerpt": f"2026-11-25 12:00:00 ERROR request {number} failed\n{TRACEBACK}" + "x" * 1200
        },
        "service": "shop",
    }


def _raw(folder):
    connection = sqlite3.connect(folder / "raw.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE events (id TEXT PRIMARY KEY, body TEXT)")
    began = time.perf_counter()
    for batch in range(_BATCHES):
        rows = []
        for number in range(_BATCH):
            event = _event(None, batch * _BATCH + number)
            rows.append((event["event_id"], json.dumps(event)))
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO events VALUES (?, ?)", rows)
        connection.execute("COMMIT")
    return _BATCH * _BATCHES / (time.perf_counter() - began)


def _over_http(server):
    times = []
    began = time.perf_counter()
    for batch in range(_BATCHES):
        events = [_event(server, batch * _BATCH + number) for number in range(_BATCH)]
        body = gzip.compress(json.dumps({"events": events}).encode(), 1)
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        request = urllib.request.Request(server.url + "/v1/events", data=body, headers=headers)
        sent = time.perf_counter()
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.loads(answer.read())["accepted"] == _BATCH
        times.append(time.perf_counter() - sent)
    return _BATCH * _BATCHES / (time.perf_counter() - began), times
