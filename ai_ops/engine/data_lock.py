"""One process per data folder: a second one beside it would run the first one's live steps again."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ai_ops.core.failures import failed


class DataLock:
    """An exclusive lock on a data folder, given up by the kernel when its process dies."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "engine.lock"
        self._handle: int | None = None

    def take(self) -> None:
        """Take the lock.

        Raises:
            PermanentError: ``data_dir_in_use``; ``engine_unusable`` where the folder cannot be written.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            words = f"{self._path.parent} cannot be written: {error.strerror}"
            raise failed("engine_unusable", words, next_step="See DATA_DIR.") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(handle, 32).decode("ascii", "replace").strip()
            os.close(handle)
            raise failed(
                "data_dir_in_use",
                f"{self._path.parent} is used by another process" + (f", pid {holder}." if holder else "."),
            ) from error
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        self._handle = handle

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
