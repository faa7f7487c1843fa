"""Where tests keep what they make: in memory, where there is plenty.

Tests make and remove a million small files, which is what a disk's file system is slowest at. Nothing that
is tested rests on it: a killed process loses nothing in either, and a full disk is made where one is needed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil

_MEMORY = Path("/dev/shm")
_PLENTY = 8 << 30


def scratch() -> Path | None:
    """Return a folder in memory with plenty of room; None where there is none, and for the usual one."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK | os.X_OK):
        return None
    if os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC:  # tests write programs and run them
        return None
    room = min(shutil.disk_usage(_MEMORY).free, psutil.virtual_memory().available)
    return _MEMORY if room > _PLENTY else None
