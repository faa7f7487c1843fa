"""How much memory the open records of all files may take together.

An open record waits in memory for its lines, and one line may be a megabyte. When many files hold such
lines, the others wait unread until there is room again, which is soon: records end by time.
"""

from __future__ import annotations

from collections.abc import Iterable

from ai_ops.monitoring.followed import FollowedFile, Pace
from ai_ops.monitoring.known import Key

MAX_OPEN_BYTES = 2 << 20


class OpenRecords:
    """What the files hold, kept over one round of reading.

    Args:
        files: as they are at the beginning of the round.
    """

    def __init__(self, files: Iterable[FollowedFile]) -> None:
        waiting = [(due, file.key, file.open_bytes) for file in files if (due := file.waits_until)]
        self._held = {key: held for _, key, held in waiting}
        self._total = sum(self._held.values())
        self._first = min(waiting)[1] if waiting else None

    def pace(self, key: Key) -> Pace:
        """Return how far a file may be read. Without room, the one whose record is due first makes some."""
        if self._total < MAX_OPEN_BYTES:
            return Pace.ON
        return Pace.GIVE_WAY if key == self._first else Pace.WAIT

    def note(self, key: Key, held: int) -> None:
        """Take down how many bytes a file holds after it was read."""
        self._total += held - self._held.get(key, 0)
        self._held[key] = held
