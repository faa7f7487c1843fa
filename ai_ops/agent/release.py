"""Which commit is deployed: said once, or read from a file that deployments rewrite."""

from __future__ import annotations

from pathlib import Path

_LOOK_SECONDS = 1.0
_LIMIT = 512


class Release:
    """The deployed commit.

    Args:
        fixed: the commit, when it was said.
        file: holds it otherwise; read again after a second, so that a deployment is seen.
    """

    def __init__(self, fixed: str, file: Path | None) -> None:
        self._current = fixed
        self._file = None if fixed else file
        self._looked_at = float("-inf")

    def current(self, now: float) -> str:
        """Return the commit, empty when nobody says; ``now`` in seconds of any clock."""
        if self._file is not None and abs(now - self._looked_at) >= _LOOK_SECONDS:
            self._looked_at = now
            try:
                with self._file.open("rb") as file:
                    self._current = file.read(_LIMIT).decode("utf-8", "replace").strip()
            except OSError:
                pass  # between two writes of a deployment: the last one counts
        return self._current
