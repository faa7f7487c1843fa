"""Whether a new file is a copy of one that is still followed.

Rotation by copytruncate shows its copy before it empties the original, so for a while the same lines lie in
two places. But files also begin alike, with one banner, and are logs of their own. So a copy is what holds
nothing but the beginning of the other; whatever says something else is followed at once.
"""

from __future__ import annotations

import os
from enum import Enum, auto

from ai_ops.monitoring.checkpoint import HEAD_BYTES, TAIL_BYTES
from ai_ops.monitoring.followed import FollowedFile
from ai_ops.monitoring.known import Key
from ai_ops.monitoring.log_file import PACKED, LogFile, open_log

# A copy that has not grown for this long is complete.
_COPYING_SECONDS = 10.0
_COMPARED_BYTES = 64 << 10


class Likeness(Enum):
    """What a file is to another: no copy; one that may still change; one that was read there; a packed one.

    What waits is looked at again. Of what was read there only the lines that are appended are new; to a
    packed file nobody appends.
    """

    OTHER = auto()
    WAITS = auto()
    READ = auto()
    PACKED = auto()


def likeness(place: str, status: os.stat_result, other: FollowedFile, now: float) -> Likeness:
    """Return what the file at ``place`` is to another one; ``now`` is in Unix seconds.

    Raises:
        OSError: one of them cannot be read, or the file is not there any more.
    """
    read, key = other.checkpoint.offset, (status.st_dev, status.st_ino)
    alike, end = _compare(place, key, status, other, read)
    if not other.is_unchanged:
        return Likeness.WAITS  # it was replaced just now: reading it finds its rest
    if not alike:
        return Likeness.OTHER
    if now - status.st_mtime <= _COPYING_SECONDS:
        return Likeness.WAITS
    if place.endswith(PACKED):
        return Likeness.PACKED if end != 0 else Likeness.WAITS
    # What is not read there yet is found here when the other is truncated.
    return Likeness.READ if read >= status.st_size else Likeness.WAITS


def _compare(
    place: str, key: Key, status: os.stat_result, other: FollowedFile, read: int
) -> tuple[bool, int | None]:
    """Return whether a file holds nothing but how the other begins, and its length if that is known."""
    file = open_log(place, key)
    try:
        begin = max(0, read - TAIL_BYTES)
        if not (
            _same(file, other, 0, HEAD_BYTES) and _same(file, other, begin, TAIL_BYTES + _COMPARED_BYTES)
        ):
            return False, None
        end = file.end(status)  # of a packed file known once it was reached
        return end is None or _same(file, other, max(0, end - TAIL_BYTES), TAIL_BYTES), end
    finally:
        file.close()


def _same(file: LogFile, other: FollowedFile, offset: int, size: int) -> bool:
    mine = file.read_at(offset, size)  # first: the other may grow meanwhile
    return other.read_at(offset, size).startswith(mine)
