"""Processes of the product as tests start, kill and watch them."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import psutil

from tests.support.nursery import ROOT, Nursery, die_with_parent

_PR_SET_CHILD_SUBREAPER = 36


async def until(what: str, condition, seconds: float = 60.0, hint=lambda: "") -> object:
    """Wait for a condition, a plain or an async one, and return what it was true with."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"still not after {seconds:g} s: {what}\n{hint()}")
        await asyncio.sleep(0.03)


class Process(Protocol):
    """What a test does with a process; ``subprocess.Popen`` is one."""

    pid: int

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""

    def send_signal(self, number: int) -> None:
        """Send a signal."""


class Child:
    """One process of the product, leader of its own group, with its output in ``log``."""

    def __init__(self, module: str, folder: Path, log: Path, nursery: Nursery | None = None) -> None:
        self._module, self._folder, self.log = module, folder, log
        self._nursery = nursery
        self._process: Process | None = None

    @property
    def running(self) -> bool:
        """Whether it is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id, 0 when it does not run."""
        return self._process.pid if self._process and self.running else 0

    def start(self, environment: Mapping[str, str], *arguments: str) -> None:
        """Start ``python -m <module>`` with this environment and nothing else."""
        assert not self.running, "it runs already"
        if self._nursery is not None:
            self._process = self._nursery.start(environment, self._folder, self.log)
            return
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module, *arguments],
                env={"PYTHONPATH": str(ROOT), **environment},
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    async def died(self, seconds: float = 60.0) -> int:
        """Wait until it has ended and return its exit code, negative for a signal."""
        assert self._process is not None, "it was never started"
        await until("the process has ended", lambda: not self.running, seconds, self.tail)
        return self._process.poll() or 0

    async def kill(self) -> None:
        """``kill -9`` of the process itself; what it had started has to end by its own doing."""
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGKILL)
            await self.died()

    async def stop(self, seconds: float = 20.0) -> int:
        """Ask it to end, as a service manager would, and return its exit code."""
        assert self._process is not None, "it was never started"
        self._process.send_signal(signal.SIGTERM)
        return await self.died(seconds)

    def lines(self) -> list[str]:
        """Return what it said."""
        return self.log.read_text(errors="replace").splitlines() if self.log.exists() else []

    def tail(self, lines: int = 60) -> str:
        """Return the end of what it said, for the message of a failing test."""
        return "\n".join(self.lines()[-lines:]) or "(no output)"


@contextlib.contextmanager
def adopting_orphans() -> Iterator[None]:
    """Make this process the parent of what its children leave behind, so that orphans can be seen."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def descendants(pid: int = 0) -> list[psutil.Process]:
    """Return the living processes below one, or below this one."""
    alive = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process(pid or os.getpid()).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.status() != psutil.STATUS_ZOMBIE:
                    alive.append(process)
    return alive


def reap_adopted() -> None:
    """Reap what this process adopted and what has ended, as the host's first process would.

    A PID namespace whose processes nobody reaps cannot end.
    """
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
            if process.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(process.pid, os.WNOHANG)


def commands(processes: Collection[psutil.Process]) -> list[list[str]]:
    """Return the command lines of those that are still there."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            found.append([str(process.pid), *process.cmdline()])
    return found


class Witness:
    """Looks at every process below some others, again and again, for texts that may not be there.

    ``found`` are the sightings in an argument or an environment; ``programs`` are the names it saw.
    """

    def __init__(self, forbidden: Collection[str]) -> None:
        self._forbidden = [text.encode() for text in forbidden]
        self.found: set[str] = set()
        self.programs: set[str] = set()

    @contextlib.asynccontextmanager
    async def watching(self, *parents: Child) -> AsyncIterator[Witness]:
        """Look while entered."""
        looking = asyncio.create_task(self._look(parents))
        try:
            yield self
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _look(self, parents: Collection[Child]) -> None:
        while True:
            for parent in parents:
                if parent.pid:
                    await asyncio.to_thread(self._see_below, parent.pid)
            await asyncio.sleep(0.002)

    def _see_below(self, parent: int) -> None:
        own = _read(parent, "cmdline")
        for pid in _below(parent):
            command = _read(pid, "cmdline")
            environment = _read(pid, "environ")
            # Between fork and exec a child still shows its parent's memory.
            if command == own or _read(pid, "cmdline") != command:
                continue
            self.programs |= {Path(word).name for word in command.decode(errors="replace").split("\0")}
            for text in self._forbidden:
                if text in command or text in environment:
                    self.found.add(f"{text.decode()} in {command.decode(errors='replace')[:300]}")


def _below(pid: int) -> Iterator[int]:
    """Yield the processes below one by the kernel's lists: git is gone before all of /proc is read."""
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (thread / "children").read_text().split()):
                yield child
                yield from _below(child)


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
