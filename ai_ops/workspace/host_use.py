"""What the host has left: room and inodes where data lies, and memory."""

from __future__ import annotations

import os
from pathlib import Path

from ai_ops.flow.health import HostUse

_MEMINFO = Path("/proc/meminfo")


def look(folder: Path) -> HostUse:
    """Measure the file system of a folder, which is made when it is missing, and the host's memory."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    system = os.statvfs(folder)
    memory = _memory()
    counts_inodes = system.f_files > 0  # btrfs and others have no fixed number
    return HostUse(
        system.f_bavail * system.f_frsize,
        system.f_blocks * system.f_frsize,
        system.f_favail if counts_inodes else None,
        system.f_files if counts_inodes else None,
        memory.get("MemAvailable"),
        memory.get("MemTotal"),
    )


def _memory() -> dict[str, int]:
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:  # not Linux
        return {}
    words = [line.split() for line in lines]
    return {each[0].rstrip(":"): int(each[1]) * 1024 for each in words if len(each) == 3}
