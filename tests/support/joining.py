"""Joining for tests: the smallest joiner over ``Follower``, and the agent's own over a file."""

from __future__ import annotations

from pathlib import Path

from ai_ops.core.stacktrace import Follower
from ai_ops.monitoring.checkpoint import Checkpoint
from ai_ops.monitoring.detect import Detector
from ai_ops.monitoring.followed import FollowedFile


def records(lines: list[bytes]) -> list[list[bytes]]:
    """Split lines into records; lines taken provisionally are given back when a record ends."""
    found: list[list[bytes]] = []
    at = 0
    while at < len(lines):
        follower = Follower(lines[at])
        end = at + 1
        while end < len(lines) and follower.accept(lines[end]):
            end += 1
        end -= follower.pending
        found.append(lines[at:end])
        at = end
    return found


def records_of(tmp_path: Path, text: str, *, limit: int = 1000, **options) -> list[str]:
    """Return the records that the agent finds in a file with this text; the options are the detector's."""
    path = tmp_path / "app.log"
    path.write_text(text)
    status = path.stat()
    file = FollowedFile(Checkpoint(status.st_dev, status.st_ino, str(path)), Detector(**options), 0.5)
    found: list[str] = []
    while reading := file.read(limit, 0.0, final=True):
        assert len(reading.records) <= limit
        found += [record.raw.decode() for record in reading.records]
        if not reading.more:
            break
    file.close()
    return found
