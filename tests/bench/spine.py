"""From log line to pull request; memory, idle CPU and start-up of server and agent."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.figures import Figure, idle_cpu_percent, resident_mb, start_seconds
from tests.support.local_server import FIXED, SCRIPT, TRACEBACK, LocalServer

_REPAIRS = 5


def spine():
    """Yield the figures of the main job."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        yield Figure("ai-ops --help", start_seconds("-m", "ai_ops", "--help", env=env), "s", 0.5)
        server = LocalServer(folder, MAX_OPEN_PULL_REQUESTS="50", PULL_REQUESTS_PER_HOUR="50")
        began = time.perf_counter()
        server.start()
        yield Figure("server: start until it answers, new database", time.perf_counter() - began, "s", 2.0)
        server.stop()
        began = time.perf_counter()
        server.start()
        yield Figure("server: start until it answers, again", time.perf_counter() - began, "s", 2.0)
        try:
            yield from _flow(folder, server, env)
        finally:
            server.stop()


def _flow(folder, server, env):
    log = folder / "app.log"
    log.touch()
    began = time.perf_counter()
    agent = subprocess.Popen(
        [
            *(sys.executable, "-m", "ai_ops.agent", "--log-path", str(log), "--code-host", "local"),
            *("--repo-url", str(server.remote), "--server-url", server.url),
            *("--data-dir", str(folder / "agent")),
        ],
        env=env,
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        agent.stderr.readline()
        yield Figure("agent: start until it follows", time.perf_counter() - began, "s", 0.5)
        times = [_line_to_pull_request(log, server, number) for number in range(_REPAIRS + 1)]
        yield Figure("log line → pull request, first (cold)", times[0], "s")
        yield Figure("log line → pull request, warm (median)", statistics.median(times[1:]), "s", 3.0)
        yield Figure("log line → pull request, warm (worst)", max(times[1:]), "s")
        yield Figure("server: resident after the repairs", resident_mb(server.process.pid), "MB", 512)
        yield Figure("agent: resident", resident_mb(agent.pid), "MB", 50)
        yield Figure("agent: idle CPU", idle_cpu_percent(agent.pid), "%", 1.0)
        yield Figure("server: idle CPU", idle_cpu_percent(server.process.pid), "%")
    finally:
        agent.terminate()
        agent.wait(20)


def _line_to_pull_request(log, server, number):
    """Log one new error and return the seconds until its pull request is there. No model is asked.

    Each has a fix of its own: the same one would join the pull request of the first.
    """
    fixed = FIXED.replace("no reviews yet", f"no reviews yet on page {number}")
    script = SCRIPT | {"fix": [SCRIPT["fix"][0] | {"files": {"shop/ratings.py": fixed}}]}
    (server.folder / "script.json").write_text(json.dumps(script))
    known = {item["pull_request_id"] for item in server.call("/v1/pull-requests")["items"]}
    frame = f'  File "/srv/app/shop/page_{number}.py", line 3, in page_{number}\n    summary(product)\n'
    head, rest = TRACEBACK.split("\n", 1)
    began = time.perf_counter()
    with log.open("a") as file:
        file.write(f"2026-11-25 12:00:0{number % 10},000 ERROR [shop] failed\n{head}\n{frame}{rest}")
    while time.perf_counter() - began < 60:
        found = {item["pull_request_id"] for item in server.call("/v1/pull-requests")["items"]} - known
        if found:
            return time.perf_counter() - began
        time.sleep(0.01)
    raise AssertionError(server.call("/v1/tasks")["items"][0])
