"""What proof costs: a repair beside the bare test commands, of a large repository, and eight at once.

The model answers at once, from a script, so that everything measured is ours or the repository's tests.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.figures import Figure, resident_mb
from tests.bench.workspaces import large_remote
from tests.support.local_server import ROOT, TRACEBACK, LocalServer, git

_AT_ONCE = 8
_SUITE = {
    f"tests/test_slow_{number}.py": "import time\n\n\ndef test_it():\n    end = time.process_time() + 2.1\n"
    "    while time.process_time() < end:\n        sum(range(1000))\n"
    for number in range(5)
}


def proving():
    """Yield the ratio to the bare suites, the time of a large repository, and how eight repairs share."""
    with tempfile.TemporaryDirectory() as name:
        yield from _overhead(Path(name))
    with tempfile.TemporaryDirectory() as name:
        yield from _large(Path(name))
    with tempfile.TemporaryDirectory() as name:
        yield from _at_once(Path(name))


def _overhead(folder):
    with LocalServer(folder) as server:
        server.finish_a_repair()  # what is made once is made
        remote = _remote(folder, "slow", _SUITE)
        bare = _bare_suite(folder, remote)
        taken = _repair(server, remote)
        yield Figure("bare suite", bare, "s")
        yield Figure("repair: all steps, suite before and after", taken, "s")
        yield Figure("sandbox + guard + proof / the two bare suites", taken / (2 * bare), "×", 1.3)


def _large(folder):
    with LocalServer(folder) as server:
        server.finish_a_repair()
        remote = large_remote(folder, _shop())
        first = _repair(server, remote)
        yield Figure("13,500 files: task → pull request, repository new", first, "s")
        times = []
        for page in range(3):
            times.append(_repair(server, remote, f"page_{page}"))
        yield Figure("13,500 files: task → pull request, warm (median)", statistics.median(times), "s", 5.0)


def _at_once(folder):
    with LocalServer(folder, MAX_CONCURRENT_TASKS=str(_AT_ONCE)) as server:
        alone = _alone(server)
        remotes = [_remote(folder, f"shop-{number}") for number in range(_AT_ONCE)]
        began = time.perf_counter()
        waiting = {_ask(server, remote): remote for remote in remotes}
        times = []
        peak = 0.0
        while waiting:
            for task in list(waiting):
                if server.call(f"/v1/tasks/{task}")["pr_url"]:
                    times.append(time.perf_counter() - began)
                    del waiting[task]
            peak = max(peak, resident_mb(server.process.pid))
            assert time.perf_counter() - began < 300, waiting
            time.sleep(0.05)
        fair = alone * _AT_ONCE / (os.cpu_count() or 1)
        yield Figure("one repair alone", alone, "s")
        yield Figure("eight at once: first pull request", times[0], "s")
        yield Figure("eight at once: last pull request", times[-1], "s")
        yield Figure("eight at once: last / median", times[-1] / statistics.median(times), "×", 2.0)
        yield Figure("eight at once: last / a fair share of the cores", times[-1] / fair, "×")
        yield Figure("server with eight repairs: resident at most", peak, "MB", 512)


def _alone(server):
    server.finish_a_repair()
    began = time.perf_counter()
    _wait(server, _ask(server, server.remote, "page_alone"))
    return time.perf_counter() - began


def _shop():
    shop = ROOT / "examples" / "shop"
    return {
        str(path.relative_to(shop)): path.read_text()
        for path in shop.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def _remote(folder, name, more=None):
    work = folder / f"work-{name}"
    for path, content in {**_shop(), **(more or {})}.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(content)
    git("init", "-q", "-b", "main", cwd=work)
    git("add", "-A", cwd=work)
    git("commit", "-q", "-m", name, cwd=work)
    remote = folder / "remotes" / f"{name}.git"
    git("clone", "-q", "--bare", str(work), str(remote))
    shutil.rmtree(work)
    return remote


def _bare_suite(folder, remote):
    git("clone", "-q", str(remote), str(folder / "bare"))
    began = time.perf_counter()
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    subprocess.run(argv, cwd=folder / "bare", check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _repair(server, remote, caller="page"):
    began = time.perf_counter()
    _wait(server, _ask(server, remote, caller))
    return time.perf_counter() - began


def _ask(server, remote, caller="page"):
    """Ask for a repair; ``caller`` makes the error another one."""
    head, rest = TRACEBACK.split("\n", 1)
    frame = f'  File "/srv/app/shop/{caller}.py", line 3, in {caller}\n    summary(product)\n'
    body = {"repo_url": str(remote), "error_content": f"{head}\n{frame}{rest}", "service": "shop"}
    return server.call("/v1/tasks", body)["task_id"]


def _wait(server, task_id):
    task = server.wait_for(task_id, 300)
    assert task["pr_url"], task
