"""Maintenance as a file: it holds across restarts, and a person can make it when no server answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from ai_ops.core.failures import failed
from ai_ops.core.ports import Clock, Maintenance
from ai_ops.errors import AiOpsError

_MOST = 10_000


class MaintenanceFile:
    """Implements ``MaintenanceSwitch`` by ``.maintenance`` in the data folder; an empty file counts too."""

    def __init__(self, data_dir: Path, clock: Clock) -> None:
        self._path = data_dir / ".maintenance"
        self._clock = clock

    def current(self) -> Maintenance | None:
        """Return the maintenance, None when there is none."""
        try:
            made = datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
            with self._path.open("rb") as file:
                text = file.read(_MOST)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:  # it is there, whatever it says
            return Maintenance(self._clock.now())
        try:
            kept = json.loads(text)
            since = datetime.fromisoformat(kept["since"])
            return Maintenance(since if since.tzinfo else since.replace(tzinfo=UTC), str(kept["reason"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            return Maintenance(made)

    def on(self, reason: str) -> Maintenance:
        """Begin it; one that there is goes on."""
        there = self.current()
        if there is not None:
            return there
        begun = Maintenance(self._clock.now(), reason)
        written = self._path.with_name(".maintenance.new")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            written.touch(mode=0o600)
            written.write_text(json.dumps({"since": begun.since.isoformat(), "reason": reason}))
            written.replace(self._path)
        except OSError as error:
            raise _unwritable(error) from error
        return begun

    def off(self) -> None:
        """End it; harmless when there is none."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(error) from error


def _unwritable(error: OSError) -> AiOpsError:
    return failed(
        "storage_unavailable",
        f"The data folder cannot be written: {error.strerror}.",
        next_step="See that its disk has room and it belongs to the server's user.",
    )
