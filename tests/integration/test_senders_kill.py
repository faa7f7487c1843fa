"""The server is killed (-9) while applications send: what was answered is there, and it is there once."""

import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLES = """
[[source]]
kind = "sentry"
project = "7"
repo_url = "{repo}"
[[source]]
kind = "otlp"
service = "shop"
repo_url = "{repo}"
"""


def sentry(number):
    event = {"event_id": f"{number:032}", "level": "error", "message": f"rating {number} failed"}
    event["timestamp"] = 1772366400 + number  # tells it from others in the database
    return "/api/7/envelope/", "text/plain", f'{{}}\n{{"type":"event"}}\n{json.dumps(event)}\n'


def otlp(number):
    record = {"severityNumber": 17, "timeUnixNano": str((1772366400 + number) * 1_000_000_000)}
    record["body"] = {"stringValue": f"rating {number} failed"}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}
    return "/v1/logs", "application/json", json.dumps(body)


class Server:
    """``ai-ops server`` in a folder, on one port over all its lives."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (folder / "ai-ops.toml").write_text(TABLES.format(repo=f"file://{folder}/remotes/shop.git"))
        (folder / "remotes").mkdir()
        (folder / "script.json").write_text("{}")

    def start(self):
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "CODE_HOST": "local",
            "ALLOWED_REPOS": f"{self.folder}/remotes",
            "SCRIPTED_ANSWERS": str(self.folder / "script.json"),
            "HTTP_PORT": str(self.port),
        }
        with (self.folder / "server.log").open("ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ai_ops", "server"], cwd=self.folder, env=environment, stderr=said
            )

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.mark.parametrize("body_of", [sentry, otlp], ids=["sentry", "otlp"])
def test_each_error_is_counted_once_over_kills_between_commit_and_answer(tmp_path, body_of):
    server, dice, answered, ended = Server(tmp_path), random.Random(3), [], threading.Event()

    def send_all(first):
        number = first
        while not ended.is_set():
            path, kind, body = body_of(number)
            url = f"http://127.0.0.1:{server.port}{path}"
            request = urllib.request.Request(url, body.encode(), {"Content-Type": kind, "X-Sentry-Auth": ""})
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    assert answer.status == 200
            except urllib.error.HTTPError as refused:
                refusals.add(refused.code)
                time.sleep(0.05)
            except OSError:
                time.sleep(0.02)  # the same one again: nobody knows whether it was taken
            else:
                answered.append(number)
                number += 1

    refusals: set[int] = set()
    senders = [threading.Thread(target=send_all, args=(n * 100_000,), daemon=True) for n in range(3)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(3):
            before = len(answered)
            server.start()
            while len(answered) < before + 20:
                assert server.process.poll() is None, (tmp_path / "server.log").read_text()[-2000:]
                time.sleep(0.01)
            time.sleep(dice.uniform(0.0, 0.3))
            server.kill()
        server.start()
        before = len(answered)
        while len(answered) < before + 20:
            time.sleep(0.01)
        ended.set()
        for sender in senders:
            sender.join()
    finally:
        ended.set()
        server.kill()
    with sqlite3.connect(tmp_path / "data/ai_ops.db") as database:
        (count,) = database.execute("SELECT count(*) FROM events").fetchone()
        (kinds,) = database.execute("SELECT count(DISTINCT occurred_at) FROM events").fetchone()
        (total,) = database.execute("SELECT sum(count) FROM issues").fetchone()
    assert refusals <= {503}
    assert len(set(answered)) == len(answered)
    assert len(answered) <= count <= len(answered) + 3, "at most the last one of each sender was not answered"
    assert total == count == kinds
