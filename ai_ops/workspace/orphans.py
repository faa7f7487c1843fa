"""Sandboxes that a killed server left behind.

A sandbox dies with its server. But bubblewrap follows its parent only once it is set up: a server that
is killed in that moment leaves a process that waits for ever and runs nothing. The next start ends it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

_PROC = Path("/proc")


def kill_orphans(workspaces: Path) -> tuple[int, ...]:
    """Kill the sandboxes that show ``workspaces`` as their owner, or a folder beneath, and are not ours.

    Returns their pids.

    Call it only while the folders are this process's alone. Does nothing where there is no ``/proc``.
    """
    root = f"{workspaces.absolute()}/".encode()
    killed = []
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            sandbox = words[0].rpartition(b"/")[2] == b"bwrap"
            if sandbox and any(word.startswith(root) for word in words) and not _ours(int(folder.name)):
                os.kill(int(folder.name), signal.SIGKILL)
                killed.append(int(folder.name))
    return tuple(killed)


def _ours(pid: int) -> bool:
    """Whether a process descends from this one."""
    while pid > 1:
        # The name in front may hold spaces and brackets.
        pid = int((_PROC / str(pid) / "stat").read_bytes().rsplit(b")", 1)[1].split()[1])
        if pid == os.getpid():
            return True
    return False
