"""What following costs: memory after a day and with very long lines, and CPU with 100 idle files."""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from tests.bench.figures import Figure, cpu_seconds, idle_cpu_percent, resident_mb
from tests.support.agents import event_server
from tests.support.local_server import TRACEBACK

_DAY_LINES = 5_000_000
_KINDS = 3_000  # different errors in a day
_IDLE_FILES = 100
_LONG_BYTES = 850_000
_NOBODY = "http://127.0.0.1:9"


def agent_following():
    """Yield resident memory in MB and idle CPU in percent of one core."""
    with tempfile.TemporaryDirectory() as name, event_server() as server:
        folder = Path(name)
        yield from _day(folder / "day", server)
        yield from _long_line(folder / "long", server)
        yield from _long_lines(folder / "one", files=1, each=60)
        yield from _long_lines(folder / "many", files=30, each=6)
        yield from _idle(folder / "idle", server)


@contextmanager
def _agent(folder, url, pattern):
    """Run an agent from a log that is there already; it follows when this is entered."""
    argv = [sys.executable, "-m", "ai_ops.agent", "--from-start", "--log-path", str(folder / pattern)]
    argv += ["--repo-url", "https://git.example/acme/shop", "--data-dir", str(folder / "data")]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with (folder / "agent.stderr").open("wb") as said:
        process = subprocess.Popen([*argv, "--server-url", url], env=env, cwd=folder, stderr=said)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def _day(folder, server):
    folder.mkdir()
    log = folder / "app.log"
    lines = _write_day(log)
    with _agent(folder, server.url, "app.log") as agent:
        _until_quiet(agent)
        yield Figure(
            f"agent: resident after {lines / 1e6:.1f} million lines", resident_mb(agent.pid), "MB", 50
        )


def _write_day(log):
    ordinary = "".join(
        f"2026-11-25 12:00:{n % 60:02d},000 INFO [shop] request {n} took 7 ms\n" for n in range(400)
    )
    lines = 0
    with log.open("w") as file:
        while lines < _DAY_LINES:
            kind = f"{lines // 400 % _KINDS:x}".translate(str.maketrans("0123456789", "ghijklmnop"))
            error = f"2026-11-25 12:00:00,000 ERROR [shop] order {kind} failed\n"
            file.write(ordinary + error * 3 + error + TRACEBACK.replace("product", f"product_{kind}"))
            lines += 404 + TRACEBACK.count("\n")
    return lines


def _long_line(folder, server):
    folder.mkdir()
    log = folder / "app.log"
    with log.open("wb") as file:
        file.write(b"2026-11-25 12:00:00,000 ERROR [shop] ")
        for _ in range(100):
            file.write(b"an Error in a very long line " * 34_483)
        file.write(b"\n2026-11-25 12:00:01,000 ERROR [shop] after it\n")
    with _agent(folder, server.url, "app.log") as agent:
        _until_quiet(agent)
        yield Figure("agent: resident after a line of 100 MB", resident_mb(agent.pid), "MB", 64)
        yield Figure("agent: highest with a line of 100 MB", _highest_mb(agent.pid), "MB", 64)


def _long_lines(folder, *, files, each):
    """Errors of their own, each a line of 850 KB, one character of it wide; the server is away."""
    folder.mkdir()
    for number in range(files):
        with (folder / f"app-{number}.log").open("w") as file:
            for kind in range(number * each, (number + 1) * each):
                word = str(kind).translate(str.maketrans("0123456789", "ghijklmnop"))
                head = f"2026-11-25 12:00:00,000 ERROR [shop] order {word} \U0001f600 "
                file.write(head + f"{word} failed ".ljust(20) * (_LONG_BYTES // 20) + "\n")
    with _agent(folder, _NOBODY, "*.log") as agent:
        _until_quiet(agent)
        logs = "one file" if files == 1 else f"{files} files"
        yield Figure(f"agent: highest with {logs} of lines of 850 KB", _highest_mb(agent.pid), "MB", 64)


def _idle(folder, server):
    folder.mkdir()
    for number in range(_IDLE_FILES):
        (folder / f"app-{number}.log").write_text("2026-11-25 12:00:00,000 INFO [shop] started\n")
    with _agent(folder, server.url, "*.log") as agent:
        _until_quiet(agent)
        percent = idle_cpu_percent(agent.pid, 20.0)
        yield Figure(f"agent: idle CPU with {_IDLE_FILES} files", percent, "%", 1.0)


def _until_quiet(agent):
    """Wait until the agent has used next to no CPU for three seconds."""
    before = -1.0
    while (now := cpu_seconds(agent.pid)) - before > 0.1:
        assert agent.poll() is None, "the agent ended"
        before = now
        time.sleep(3)


def _highest_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
