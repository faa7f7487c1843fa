"""Reading old logs from end to end, as the agent would have read them while they were written.

Nothing is remembered, shipped or written.
"""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ai_ops.agent.kinds import Kinds, occurred_at
from ai_ops.agent.paths import why_nothing
from ai_ops.core.failures import failed
from ai_ops.core.forecast import Forecast
from ai_ops.monitoring.checkpoint import Checkpoint
from ai_ops.monitoring.detect import Detector
from ai_ops.monitoring.followed import Changed, FollowedFile

_AT_ONCE = 1000

Progress = Callable[[int], None]
"""Told how many bytes of the logs were read since the last call."""


@dataclass(frozen=True, slots=True)
class ReadLog:
    """One log that was read. ``problem`` says why it was not read to its end, in words for people."""

    path: str
    bytes: int
    errors: int
    problem: str = ""


def find_logs(patterns: Sequence[str]) -> list[str]:
    """Return the files that paths and globs name, each once, oldest change first.

    Raises:
        PermanentError: ``log_not_found`` with the first pattern that names no file.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        # Not Path.is_file, which fails where a folder may not be looked into.
        paths = [pattern] if os.path.isfile(pattern) else sorted(glob.glob(pattern, recursive=True))  # noqa: PTH113, PTH207
        files = [path for path in paths if os.path.isfile(path)]  # noqa: PTH113
        if not files:
            raise failed(
                "log_not_found",
                f"{pattern} names no file: {why_nothing(os.path.abspath(pattern))}",  # noqa: PTH100 - a glob
                next_step="Give a path or a glob in quotes.",
            )
        found |= dict.fromkeys(files)
    return sorted(found, key=lambda path: (Path(path).stat().st_mtime, path))


def read_log(
    path: str,
    forecast: Forecast,
    kinds: Kinds,
    detector: Detector,
    *,
    since: datetime | None = None,
    ignore: Sequence[bytes] = (),
    progress: Progress = lambda _: None,
) -> ReadLog:
    """Read one log into the forecast.

    Args:
        path: a text file, or one that gzip compressed.
        forecast: takes the records.
        kinds: describes them.
        detector: which lines begin an error.
        since: earlier records are passed over; one without a time counts as of the file's last change.
        ignore: records that hold one of these texts are passed over.
        progress: told as it goes on.
    """
    size = errors = 0
    problem = ""
    try:
        changed_at = Path(path).stat().st_mtime
        for raw, read in _records(path, detector):
            progress(read)
            size += read
            if not raw or any(word in raw for word in ignore):
                continue
            at = occurred_at(raw, time.time(), changed_at)
            if since is None or at >= since:
                _take(raw, at, path, forecast, kinds)
                errors += 1
    except OSError as error:
        problem = f"cannot be read to its end: {error.strerror or error}"
    except Changed:
        problem = "was replaced while it was read"
    return ReadLog(path, size, errors, problem)


def _take(raw: bytes, at: datetime, path: str, forecast: Forecast, kinds: Kinds) -> None:
    fingerprint, description = kinds.of(raw)
    if not forecast.knows(fingerprint):
        forecast.begin(description or kinds.describe(raw), at)
    forecast.count(fingerprint, at, path)


def _records(path: str, detector: Detector) -> Iterator[tuple[bytes, int]]:
    """Yield each record, and how many bytes were read since the last; empty ones tell the bytes alone."""
    status = Path(path).stat()
    file = FollowedFile(Checkpoint(status.st_dev, status.st_ino, path), detector, 0.0)
    try:
        done, more = 0, True
        while more:
            reading = file.read(_AT_ONCE, time.monotonic(), final=True)
            more = reading is not None and reading.more
            offset = file.checkpoint.offset
            yield b"", max(0, offset - done)
            done = max(done, offset)
            for record in reading.records if reading else ():
                yield record.raw, 0
        if file.is_cut_short:
            raise OSError("it is packed, and cut short")
    finally:
        file.close()
