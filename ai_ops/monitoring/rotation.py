"""Where the rest of a rotated file is.

Two questions about the neighbours of a log: is this name a rotated form of that one, and which of them
holds the content that a checkpoint was taken from.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from ai_ops.monitoring.checkpoint import Checkpoint, still_the_same

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip", ".Z")
# app.log → app.log.1, app.log-20260301, app.log.bak, app.1.log, app-20260301.log
_SUFFIX = re.compile(r"[.\-_][\w.\-:]{1,40}")


def is_compressed(path: str) -> bool:
    """Whether a name says that the content is packed; such files are not read."""
    return path.endswith(_COMPRESSED)


def is_rotation_of(name: str, original: str) -> bool:
    """Whether ``name`` is what rotation makes of ``original`` (both without folder)."""
    if name == original or is_compressed(name):
        return False
    if name.startswith(original):
        return bool(_SUFFIX.fullmatch(name[len(original) :]))
    stem, dot, extension = original.rpartition(".")
    if not dot or not name.startswith(stem) or not name.endswith(dot + extension):
        return False
    middle = name[len(stem) : -len(dot + extension)]
    return bool(_SUFFIX.fullmatch(middle)) and any(c.isdigit() for c in middle)


def rotations(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the rotated forms of ``path`` that are there, oldest change first."""
    folder, original = os.path.split(path)
    found = []
    try:
        with os.scandir(folder or ".") as entries:
            for entry in entries:
                if is_rotation_of(entry.name, original):
                    found.append((os.path.join(folder, entry.name), entry.stat()))  # noqa: PTH118
    except OSError:
        return
    yield from sorted(
        (pair for pair in found if stat.S_ISREG(pair[1].st_mode)), key=lambda pair: pair[1].st_mtime
    )


def holds(path: str, size: int, checkpoint: Checkpoint) -> bool:
    """Whether the file at ``path`` begins with the content that the checkpoint was taken from."""
    try:
        with Path(path).open("rb", buffering=0) as file:
            return still_the_same(file, size, checkpoint)
    except OSError:
        return False


def find_copy(path: str, checkpoint: Checkpoint) -> tuple[str, os.stat_result] | None:
    """Return the copy that was made of ``path`` before it was truncated, newest first."""
    if not checkpoint.offset:
        return None
    for candidate, status in reversed(list(rotations(path))):
        key = (status.st_dev, status.st_ino)
        if key != checkpoint.key and holds(candidate, status.st_size, checkpoint):
            return candidate, status
    return None
