"""Starts servers without the second or two that their imports take, for tests that start very many.

``python -m tests.support.nursery`` imports the server and then forks one for each order it reads, as a
process of its own in its own session. What is forked is not the nursery's business any more; it only
tells, when asked, how a process ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ai_ops.garbage import loading

ROOT = Path(__file__).parents[2]
_PR_SET_PDEATHSIG = 1


class Nursery:
    """The other side: orders servers."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, environment: Mapping[str, str], folder: Path, log: Path) -> Forked:
        """Start a server."""
        order = {"environment": dict(environment), "folder": str(folder), "log": str(log)}
        return Forked(self, self.ask(order))

    def ask(self, order: Mapping[str, Any]) -> Any:
        """Return the answer to an order."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


class Forked:
    """A process of the nursery, spoken of like a ``Popen``."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""
        if self.returncode is None:
            self.returncode = self._nursery.ask({"ended": self.pid})
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


@contextlib.contextmanager
def nursery() -> Iterator[Nursery]:
    """Run a nursery while entered."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.nursery"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline(), "the server cannot be imported; its words are above"
        yield Nursery(process)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, so that a killed test run leaves nothing."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _become_server(order: Mapping[str, Any]) -> None:
    from tests.support import crashing_server

    die_with_parent()
    os.setsid()
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    code = 1
    try:
        crashing_server.main()
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def _ended(pid: int) -> int | None:
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def _main() -> None:
    with loading():
        import tests.support.crashing  # noqa: F401 - this is what takes the time

    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "ended" in order:
            answer = _ended(order["ended"])
        else:
            answer = os.fork()
            if answer == 0:
                _become_server(order)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _main()
