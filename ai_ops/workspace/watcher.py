"""Watches what a sandboxed tree uses, and says when it is too much.

The kernel's own limits do not cover this: an address-space limit stops Java, a process limit does not
bind root, and nobody but root owns cgroups everywhere. So the tree is summed several times a second.
Where there is no ``/proc`` (macOS) only what is written is watched.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ai_ops.core.ports import Bind
from ai_ops.flow.report import RunEnd
from ai_ops.workspace.profile import PRIVATE, SandboxLimits
from ai_ops.workspace.quota import Quota

_INTERVAL = 0.1
_PROC = Path("/proc")
_KERNEL_LISTS = _PROC / "thread-self" / "children"
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class _Process:
    """``cpu_seconds`` includes those of the children that it has waited for."""

    pid: int
    parent: int
    threads: int
    resident_bytes: int
    cpu_seconds: float


def tree(pid: int) -> list[_Process]:
    """Return ``pid`` and all its descendants, as they are at this moment."""
    page = os.sysconf("SC_PAGE_SIZE")
    children = _children if _KERNEL_LISTS.exists() else _children_by_parent().__getitem__
    found, waiting, seen = [], [pid], {pid}
    while waiting:
        number = waiting.pop()
        if process := _read(number, page):
            found.append(process)
        fresh = [child for child in children(number) if child not in seen]
        seen.update(fresh)
        waiting += fresh
    return found


def _children(pid: int) -> list[int]:
    """Return the children of a process as the kernel lists them: each of its threads has its own.

    The cost is that of the tree. A look at every process there is costs more the busier the machine is.
    """
    found: list[int] = []
    threads = _PROC / str(pid) / "task"
    with suppress(OSError):  # the process ended meanwhile
        for thread in threads.iterdir():
            with suppress(OSError):  # the thread did
                found += map(int, (thread / "children").read_bytes().split())
    return found


def _children_by_parent() -> dict[int, list[int]]:
    page = os.sysconf("SC_PAGE_SIZE")
    children: dict[int, list[int]] = defaultdict(list)
    with os.scandir(_PROC) as entries:
        names = [entry.name for entry in entries]
    for name in names:
        if name.isdigit() and (process := _read(int(name), page)):
            children[process.parent].append(process.pid)
    return children


def _read(pid: int, page: int) -> _Process | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:  # it ended meanwhile
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()  # a name may hold spaces and brackets
    cpu = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return _Process(pid, int(fields[1]), int(fields[17]), int(fields[21]) * page, cpu)


def proportional_bytes(process: _Process) -> int:
    """Return the process's PSS, in which shared pages count once; its RSS where that is unreadable."""
    try:
        text = (_PROC / str(process.pid) / "smaps_rollup").read_bytes()
    except OSError:
        return process.resident_bytes
    for line in text.splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return process.resident_bytes


def _available_memory() -> int | None:
    for line in (_PROC / "meminfo").read_bytes().splitlines():
        if line.startswith(b"MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def excess(processes: Sequence[_Process], limits: SandboxLimits) -> RunEnd | None:
    """Return the limit that a tree has passed, if any.

    Args:
        processes: all of the tree.
        limits: what they may use.
    """
    if sum(process.threads for process in processes) > limits.processes:
        return RunEnd.PROCESS_LIMIT
    if sum(process.cpu_seconds for process in processes) > limits.cpu_seconds:
        return RunEnd.CPU_LIMIT
    # RSS is never below PSS and far cheaper to read.
    if sum(process.resident_bytes for process in processes) > limits.memory_bytes and (
        sum(proportional_bytes(process) for process in processes) > limits.memory_bytes
    ):
        return RunEnd.MEMORY_LIMIT
    available = _available_memory()
    if available is not None and available < limits.memory_floor_bytes:
        return RunEnd.MEMORY_LIMIT
    return None


def private_places(pid: int, binds: Sequence[Bind]) -> tuple[Path, ...]:
    """Return where the private file systems of a sandbox are reached from outside.

    Args:
        pid: a process inside.
        binds: what is mounted there; one of them may take a private file system's place.
    """
    root, taken = _PROC / str(pid) / "root", {bind.target for bind in binds}
    return tuple(root / place.lstrip("/") for place in PRIVATE if place not in taken)


def memory_events(pid: int) -> Path | None:
    """Return the file in which the kernel counts what it ended in a process's cgroup for its memory."""
    try:
        groups = (_PROC / str(pid) / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for group in groups:
        _, controllers, path = group.split(":", 2)
        file = {"memory": "memory.oom_control", "": "memory.events"}.get(controllers, "")
        place = _CGROUPS / controllers / path.lstrip("/") / file
        if file and place.is_file():
            return place
    return None


def _has_killed(events: Path) -> bool:
    try:
        lines = events.read_text(encoding="ascii").splitlines()
    except OSError:  # gone with its container
        return False
    return any(line.startswith("oom_kill ") and not line.endswith(" 0") for line in lines)


async def watch(
    pid: int,
    limits: SandboxLimits,
    quota: Quota | None = None,
    private: Sequence[Path] = (),
    events: Path | None = None,
) -> RunEnd:
    """Return when the tree of ``pid`` uses too much; meant to be cancelled when the command ends.

    Args:
        pid: the root of the tree; 0 where its processes cannot be seen.
        limits: what it may use.
        quota: the account of what it writes.
        private: the mount points of file systems that are its alone.
        events: see ``memory_events``, where the kernel may be quicker than this.
    """

    def look() -> RunEnd | None:
        if events is not None and _has_killed(events):
            return RunEnd.MEMORY_LIMIT
        processes = tree(pid) if pid and sys.platform == "linux" else []
        found = excess(processes, limits) if processes else None
        if found is None and quota is not None:
            found = quota.excess([process.pid for process in processes], private)
        return found

    while True:
        await asyncio.sleep(_INTERVAL)
        if found := await asyncio.to_thread(look):
            return found
