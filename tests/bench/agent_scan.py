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
_LINES = 40_000
_JAVA = """java.lang.IllegalStateException: cart # is closed
\tat com.acme.shop.Cart.add(Cart.java:88)
\tat com.acme.shop.Checkout.run(Checkout.java:41)
\tat java.base/java.lang.Thread.run(Thread.java:833)
Caused by: java.lang.NullPointerException: price
\tat com.acme.shop.Prices.of(Prices.java:12)
\t... 2 more
"""
_NODE = """TypeError: Cannot read properties of undefined (reading 'id#')
    at total (/srv/shop/cart.js:12:9)
    at checkout (/srv/shop/views.js:33:5)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
"""
_TRACES = (TRACEBACK, _JAVA, _NODE)


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
    """Write lines of which one in a hundred is an error, and every fourth of those has a trace below it."""
    with path.open("wb") as file:
        block = 0
        while file.tell() < _MB * 1_000_000:
            file.write("".join(_lines(block * _LINES, (block + 1) * _LINES)).encode())
            block += 1
        return file.tell() / 1_000_000


def _lines(first, end):
    for n in range(first, end):
        at = f"2026-11-25 {n // 360_000 % 24:02d}:{n // 6000 % 60:02d}:{n // 100 % 60:02d},{n % 100:02d}0"
        if n % 100 == 0:
            yield f"{at} ERROR [shop.web] request {n} of user {n * 7 % 9973} failed after {n % 97} ms\n"
            if n % 400 == 0:
                yield _TRACES[n // 400 % len(_TRACES)].replace("#", str(n % 50))
        elif n % 20 == 0:
            yield f"{at} WARNING [shop.pay] gateway {n % 7} is slow: {n % 997} ms for order {n % 9973}\n"
        else:
            yield f"{at} INFO [shop.web] GET /orders/{n * 31 % 99_991} 200 {n % 97} ms user={n * 7 % 9973}\n"


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
