"""The agent's scan of an ordinary log, beside reading the same file raw, and of one that is all errors.

Each is the median of some runs, in turns: a shared machine changes its speed within seconds.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.figures import Figure

_MB = 200
_LINES = 40_000
_STORM_MB = 20
_RUNS = 5
_TRACES = (
    """Traceback (most recent call last):
  File "/srv/shop/.venv/lib/python3.11/site-packages/flask/app.py", line 1484, in full_dispatch_request
    rv = self.dispatch_request()
  File "/srv/shop/views.py", line 48, in submit
    return handle(request.get_json())
  File "/srv/shop/orders.py", line 117, in handle
    total = price_of(order["items"], order["currency"])
  File "/srv/shop/prices.py", line 31, in price_of
    return sum(item["price"] for item in items)
KeyError: 'price {0}'
""",
    """com.acme.shop.PaymentException: card of order {0} was declined
\tat com.acme.shop.PaymentService.charge(PaymentService.java:118)
\tat com.acme.shop.OrderController.submit(OrderController.java:57)
\tat org.springframework.web.method.support.InvocableHandlerMethod.doInvoke(InvocableHandlerMethod.java:207)
\tat org.springframework.web.servlet.DispatcherServlet.doDispatch(DispatcherServlet.java:1089)
\tat java.base/java.lang.Thread.run(Thread.java:840)
Caused by: java.net.SocketTimeoutException: Read timed out after {1} ms
\tat java.base/sun.nio.ch.NioSocketImpl.timedRead(NioSocketImpl.java:283)
\t... 3 more
""",
    """TypeError: Cannot read properties of undefined (reading 'id')
    at getUser (/srv/web/users.js:31:17)
    at handle (/srv/web/server.js:88:9)
    at Layer.handle [as handle_request] (/srv/web/node_modules/express/lib/router/layer.js:95:5)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
""",
)


def agent_scan():
    """Yield MB per CPU second of a raw read, of ``grep`` and of the agent, their ratios, and of a storm."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log, storm = folder / "app.log", folder / "storm.log"
        size, storm_size = _write_log(log), _write_storm(storm)
        runs = [
            (_raw_read(log), _grep(log), _agent(folder, log, run), _agent(folder, storm, run))
            for run in range(_RUNS)
        ]
        raw, grep, agent, all_traces = (statistics.median(seconds) for seconds in zip(*runs, strict=True))
        yield Figure("read only, 1 MB chunks", size / raw, "MB/s")
        yield Figure("grep -aA30 on the same file", size / grep, "MB/s")
        yield Figure("agent: tail, detect, join, spool", size / agent, "MB/s", 350, at_least=True)
        yield Figure("agent / grep", grep / agent, "×", 0.3, at_least=True)
        rate = storm_size / all_traces
        yield Figure("agent: the same, every record a trace", rate, "MB/s", 50, at_least=True)


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
                yield _TRACES[n // 400 % len(_TRACES)].format(n % 50, n % 70)
        elif n % 20 == 0:
            yield f"{at} WARNING [shop.pay] gateway {n % 7} is slow: {n % 997} ms for order {n % 9973}\n"
        else:
            yield f"{at} INFO [shop.web] GET /orders/{n * 31 % 99_991} 200 {n % 97} ms user={n * 7 % 9973}\n"


def _write_storm(path):
    """Write traces of three languages that differ in their numbers; return MB."""
    block = "".join(
        f"2026-11-25 12:{n // 60 % 60:02d}:{n % 60:02d},{n % 1000:03d} ERROR [shop.web] request {n} of user "
        f"{n * 7919 % 99991} failed after {n * 31 % 900} ms\n"
        f"{_TRACES[n % 3].format(n * 17 % 100_000, n % 5000)}"
        for n in range(30_000)
    ).encode()
    with path.open("wb") as file:
        while file.tell() < _STORM_MB * 1_000_000:
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


def _agent(folder, log, run):
    argv = [sys.executable, "-m", "ai_ops.agent", "--once", "--from-start", "--log-path", str(log)]
    argv += [
        "--repo-url",
        "https://github.com/acme/shop",
        "--data-dir",
        str(folder / f"agent of {log.stem}, {run}"),
    ]
    argv += ["--server-url", "http://127.0.0.1:9"]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    start = _children_cpu(
        lambda: subprocess.run([*argv[:3], "--help"], env=env, stdout=subprocess.DEVNULL, check=True)
    )
    whole = _children_cpu(
        lambda: subprocess.run(argv, env=env, stderr=subprocess.DEVNULL, check=False, cwd=folder)
    )
    return max(whole - start, 1e-6)
