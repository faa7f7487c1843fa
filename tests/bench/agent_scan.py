"""The agent's scan of an ordinary log beside reading the same file raw, in the same run."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.figures import Figure
from tests.support.local_server import TRACEBACK

_MB = 200


def agent_scan():
    """Yield MB per CPU second of a raw read, of ``grep`` and of the agent, and their ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "app.log"
        size = _write_log(log)
        raw = size / _raw_read(log)
        grep = size / _grep(log)
        agent = size / _agent(folder, log)
        yield Figure("read only, 1 MB chunks", raw, "MB/s")
        yield Figure("grep -aA30 on the same file", grep, "MB/s")
        yield Figure("agent: tail, detect, join, spool", agent, "MB/s", 350, at_least=True)
        yield Figure("agent / grep", agent / grep, "×", 0.3, at_least=True)


def _write_log(path):
    ordinary = "".join(
        f"2026-11-25 12:{n // 60 % 60:02d}:{n % 60:02d},000 INFO [shop] request {n} took {n % 97} ms: /p\n"
        for n in range(40_000)
    )
    error = f"2026-11-25 12:00:00,000 ERROR [shop] request 1 failed\n{TRACEBACK}"
    block = (ordinary + error * 100).encode()
    with path.open("wb") as file:
        while file.tell() < _MB * 1_000_000:
            file.write(block)
        return file.tell() / 1_000_000


def _raw_read(path):
    buffer = bytearray(1 << 20)
    began = time.process_time()
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return max(time.process_time() - began, 1e-6)


def _children_cpu(run):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _grep(path):
    argv = ["grep", "-aA30", "-e", "ERROR", "-e", "Exception", "-e", "CRITICAL", str(path)]
    # Into a file: grep stops at the first match when it sees /dev/null.
    with tempfile.TemporaryFile() as out:
        return _children_cpu(lambda: subprocess.run(argv, stdout=out, check=False))


def _agent(folder, log):
    argv = [sys.executable, "-m", "ai_ops.agent", "--once", "--from-start", "--log-path", str(log)]
    argv += ["--repo-url", "https://github.com/acme/shop", "--data-dir", str(folder / "agent")]
    argv += ["--server-url", "http://127.0.0.1:9"]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    start = _children_cpu(
        lambda: subprocess.run([*argv[:3], "--help"], env=env, stdout=subprocess.DEVNULL, check=True)
    )
    whole = _children_cpu(
        lambda: subprocess.run(argv, env=env, stderr=subprocess.DEVNULL, check=False, cwd=folder)
    )
    return max(whole - start, 1e-6)
