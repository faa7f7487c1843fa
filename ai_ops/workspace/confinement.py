"""Binds a sandbox to its process limit in the kernel, before its command may begin.

``RLIMIT_NPROC`` does that for an ordinary user. It does not bind root, whatever its capabilities, and a
fork bomb outruns any watcher; so a server that runs as root limits the sandbox's process namespace
(Linux 6.14 and newer) or puts it into a cgroup.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from ai_ops import process
from ai_ops.workspace.profile import SandboxLimits
from ai_ops.workspace.watcher import tree

_RESERVED = 300  # numbers that the kernel gives out once and, having come to the end, not again
_CGROUPS = Path("/sys/fs/cgroup")


def namespaced_pid_max(release: str) -> bool:
    """Say whether ``pid_max`` belongs to each process namespace in this kernel (6.14 and newer)."""
    found = re.match(r"(\d+)\.(\d+)", release)
    return found is not None and (int(found[1]), int(found[2])) >= (6, 14)


def describe() -> str:
    """Say what binds the number of processes on this host, for people."""
    if os.geteuid() != 0:
        return "process limit by rlimit"
    if namespaced_pid_max(platform.release()):
        return "process limit by namespace"
    if _hierarchy(_CGROUPS):
        return "process limit by cgroup"
    return "process limit only watched (run the server as another user than root)"


async def confine(pid: int, limits: SandboxLimits) -> Callable[[], None]:
    """Bind the sandbox whose first process is ``pid``; call what is returned when it has ended.

    The command must be waiting at its gate: all there is inside is the first process and that.
    """
    if os.geteuid() != 0:
        return lambda: None
    if namespaced_pid_max(platform.release()) and await _limit_namespace(pid, limits.most_processes):
        return lambda: None
    hierarchy = _hierarchy(_CGROUPS)
    folder = join_cgroup(hierarchy, [one.pid for one in tree(pid)], limits) if hierarchy else None
    return (lambda: leave_cgroup(folder)) if folder else (lambda: None)


async def _limit_namespace(pid: int, processes: int) -> bool:
    # From inside the namespace, by a process that still has the host's rights over it.
    command = ["nsenter", "-t", str(pid), "-p", "--", "sh", "-c"]
    try:
        done = await process.run(
            [*command, 'echo "$1" > /proc/sys/kernel/pid_max', "sh", str(_RESERVED + processes)],
            env=process.clean_environment(),
            limits=process.Limits(wall_seconds=10),
        )
    except FileNotFoundError:
        return False
    return done.ok


def _hierarchy(root: Path) -> Path | None:
    """Return the folder in which cgroups with a process limit can be made, if there is one."""
    unified = root / "cgroup.subtree_control"
    with contextlib.suppress(OSError):
        if "pids" in unified.read_text().split() and os.access(root, os.W_OK):
            return root
    older = root / "pids"
    return older if (older / "cgroup.procs").exists() and os.access(older, os.W_OK) else None


def join_cgroup(hierarchy: Path, pids: Sequence[int], limits: SandboxLimits) -> Path | None:
    """Put processes into a cgroup of their own and return its folder; None when the kernel refuses."""
    folder = hierarchy / f"ai-ops-{pids[0]}"
    try:
        folder.mkdir(exist_ok=True)
        (folder / "pids.max").write_text(str(limits.most_processes))
        with contextlib.suppress(OSError):  # the memory controller may not be enabled
            if (folder / "memory.max").exists():
                (folder / "memory.max").write_text(str(limits.memory_bytes))
        for pid in pids:
            (folder / "cgroup.procs").write_text(str(pid))
    except OSError:
        leave_cgroup(folder)
        return None
    return folder


def leave_cgroup(folder: Path) -> None:
    """Remove the cgroup; one whose last process is still ending is left to the next boot."""
    with contextlib.suppress(OSError):
        folder.rmdir()
