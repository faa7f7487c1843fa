"""Which files match the patterns that are followed."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ai_ops.monitoring.known import Key
from ai_ops.monitoring.rotation import is_compressed

MAX_FILES = 2000


class Match(NamedTuple):
    """A file at a path that matches; ``source`` is the index of the first pattern that it does."""

    path: str
    key: Key
    status: os.stat_result
    source: int


def matching(patterns: Sequence[str]) -> tuple[list[Match], str]:
    """Return the files that match absolute patterns: each file once, at most 2,000, none that is packed.

    And the path of the first that is left out because there are more, or "".
    """
    found: list[Match] = []
    taken: set[Key] = set()
    for source, pattern in enumerate(patterns):
        for path in _expanded(pattern):
            try:
                status = os.stat(path)  # noqa: PTH116
            except OSError:
                continue
            key = (status.st_dev, status.st_ino)
            if key in taken or not stat.S_ISREG(status.st_mode) or is_compressed(path):
                continue
            if len(taken) >= MAX_FILES:
                return found, path
            taken.add(key)
            found.append(Match(path, key, status, source))
    return found, ""


def source_of(path: str, patterns: Sequence[str]) -> int | None:
    """Return the index of the first pattern that a path matches, whether it is there or not."""
    for source, pattern in enumerate(patterns):
        if path == pattern or (glob.has_magic(pattern) and Path(path).match(pattern)):
            return source
    return None


def root(pattern: str) -> str:
    """Return the part of a pattern before its first wildcard."""
    while glob.has_magic(pattern):
        pattern = os.path.dirname(pattern)  # noqa: PTH120
        if not glob.has_magic(pattern):
            return os.path.join(pattern, "")  # noqa: PTH118
    return pattern


def _expanded(pattern: str) -> list[str]:
    if not glob.has_magic(pattern):
        return [pattern]
    return sorted(glob.iglob(pattern, recursive=True))  # noqa: PTH207 - the pattern may be absolute
