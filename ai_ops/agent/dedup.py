"""The window in which repeats of one error only raise a count.

The first occurrence ships at once, with count 1. Further ones inside the window are counted, and the count
ships as one event every ``ship_seconds`` and at exit. Everything here is plain state and decisions; what
changed is handed out, to be written in the same transaction as the file positions that it follows from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto

MAX_WINDOWS = 10_000
# Beyond so many bytes of events that wait with their counts, counts are shipped early.
MAX_HELD_BYTES = 1 << 20


class Sighting(Enum):
    """What an occurrence is: the first of a window, the first of a batch of repeats, or one more."""

    FIRST = auto()
    FIRST_REPEAT = auto()
    REPEAT = auto()


@dataclass(slots=True)
class Window:
    """One error's window. Times are Unix seconds.

    ``count`` repeats since ``counted_since`` wait to be shipped as ``event``, the JSON of the first of them.
    ``latest`` is the beginning of the last of them, and its time where the source knows it: the event is to
    get that time before it is written anywhere. It is not masked, so it is never written itself.
    """

    key: str
    opened_at: float
    count: int = 0
    counted_since: float = 0.0
    event: bytes = b""
    latest: tuple[bytes, float | None] | None = None


class DedupWindows:
    """All open windows.

    Args:
        seconds: how long a window lasts; 0 makes each occurrence an event of its own.
        ship_seconds: how long repeats are counted before the count ships.
        windows: those that were open when the agent stopped.
    """

    def __init__(self, seconds: float, ship_seconds: float = 60.0, windows: Iterable[Window] = ()) -> None:
        self._seconds = seconds
        self._ship_seconds = ship_seconds
        self._windows = {window.key: window for window in windows}
        self._counting = {window.key for window in self._windows.values() if window.count}
        self._held = sum(len(window.event) for window in self._windows.values())
        self._settled: list[Window] = []
        self._changed: set[str] = set()

    def see(self, key: str, now: float, latest: tuple[bytes, float | None] | None = None) -> Sighting:
        """Count one occurrence; ``latest`` is as in ``Window``.

        A ``FIRST_REPEAT`` must be followed by ``describe``.
        """
        if self._seconds <= 0:
            return Sighting.FIRST
        window = self._windows.get(key)
        if window is None or not 0 <= now - window.opened_at < self._seconds:
            self._open(key, now)
            return Sighting.FIRST
        self._changed.add(key)
        if window.count:
            window.count += 1
            window.latest = latest
            return Sighting.REPEAT
        window.count, window.counted_since = 1, now
        self._counting.add(key)
        return Sighting.FIRST_REPEAT

    def describe(self, key: str, event: bytes) -> None:
        """Give the JSON of the first repeat of a batch."""
        self._windows[key].event = event
        self._held += len(event)

    def settle(self, now: float, *, everything: bool = False) -> None:
        """Settle the counts whose time has come, all of them when too much is held; they start again at 0."""
        early = everything or self._held > MAX_HELD_BYTES
        for key in list(self._counting):
            window = self._windows[key]
            age = now - window.counted_since
            if early or not 0 <= age < self._ship_seconds:
                self._settle(window)
                self._windows[key] = replace(window, count=0, event=b"", latest=None)
                self._counting.discard(key)
                self._changed.add(key)
        if not everything:
            self._close_old(now)

    def take_settled(self) -> list[Window]:
        """Return the counts to ship. The same transaction must write them and ``take_changes``."""
        settled, self._settled = self._settled, []
        return settled

    def take_changes(self) -> dict[str, Window | None]:
        """Return the windows that changed since the last call; None for those that are gone."""
        changed, self._changed = self._changed, set()
        return {key: self._windows.get(key) for key in changed}

    def _open(self, key: str, now: float) -> None:
        self._shut(key)
        while len(self._windows) >= MAX_WINDOWS:
            self._shut(next(iter(self._windows)))
        self._windows[key] = Window(key, now)
        self._changed.add(key)

    def _close_old(self, now: float) -> None:
        # In the order of opening: the first that is young ends the search.
        while self._windows:
            window = next(iter(self._windows.values()))
            if 0 <= now - window.opened_at < self._seconds:
                break
            self._shut(window.key)

    def _shut(self, key: str) -> None:
        window = self._windows.pop(key, None)
        if window is None:
            return
        if window.count:
            self._settle(window)
            self._counting.discard(key)
        self._changed.add(key)

    def _settle(self, window: Window) -> None:
        self._settled.append(window)
        self._held -= len(window.event)
