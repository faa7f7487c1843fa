"""``alerts.jsonl``: one JSON object a line for every change of an alert, for programs that follow files."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


class AlertFile:
    """Implements ``AlertLog``. The file and its predecessors are for their owner alone (0600).

    Args:
        path: of the file; predecessors are ``<path>.1`` (the newest) and so on.
        most_bytes: at this size it is rotated.
        kept: how many files there are at most, with the one that is written.
    """

    def __init__(self, path: Path, *, most_bytes: int = 50_000_000, kept: int = 7) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._kept = kept

    async def append(self, record: Mapping[str, Any]) -> None:
        """Append one; that it cannot be written is told in the log and raises nothing."""
        line = json.dumps(record, ensure_ascii=True) + "\n"
        try:
            await asyncio.to_thread(self._append, line.encode("ascii"))
        except OSError as failure:
            log.warning("%s cannot be written: %s", self._path.name, failure.strerror)

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._path.exists() and self._path.stat().st_size + len(line) > self._most_bytes:
            self._rotate()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(self._path, flags, 0o600)
        try:
            os.write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)

    def _rotate(self) -> None:
        for number in range(self._kept - 1, 0, -1):
            before = self._path if number == 1 else self._numbered(number - 1)
            if before.exists():
                before.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
